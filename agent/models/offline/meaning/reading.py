"""What resolving a clause needs everywhere: the clause, the schema seen from one base table, the query so far."""

from __future__ import annotations

from dataclasses import replace

from agent.models.offline.language.draft import Draft
from agent.models.offline.language.lexicon import Item
from agent.models.offline.language.words import does, head_of, same
from agent.models.offline.meaning.places import NotUnderstoodError, Places
from agent.models.offline.query import Group, Query
from agent.models.offline.schema import Column, Schema, plain

_PEOPLE = (
    *("person", "employee", "worker", "owner", "user", "customer", "client", "member", "visitor", "guest", "passenger"),
    *("student", "teacher", "trainer", "patient", "doctor", "nurse", "author", "artist", "actor", "player", "driver"),
    *("athlete", "candidate", "subscriber", "reader", "pupil", "pilot", "donor", "crew", "sailor", "singer"),
)


class Reading:
    """One clause, seen from one base table."""

    def __init__(self, draft: Draft, schema: Schema, base: str) -> None:
        self.draft = draft
        self.schema = schema
        self.base = base
        self.table = schema.tables[base]
        spoken = {t for item in draft.items for t in item.tables if len(item.tables) == 1}
        self.places = Places(schema, base, draft.said or frozenset(spoken))
        self.query_ = Query(base)
        self.used: set[int] = set()
        self.denied: set[Column] = set()
        """Columns of which it is denied that somebody did something with such a value."""

    def _set(self, **changes: object) -> None:
        self.query_ = replace(self.query_, **changes)  # type: ignore[arg-type]  # fields by name

    def _own_column(self, item: Item) -> list[Column]:
        return [] if item.soft else [c for c in item.columns if c.table == self.base and not c.is_key]

    def _own_measures(self, item: Item) -> list[Column]:
        return [c for c in item.columns if c.measures and c.table == self.base]

    def _computable(self, item: Item, agg: str) -> list[Column]:
        kinds = {"number", "date"} if agg in {"min", "max"} else {"number"}
        found = [c for c in item.columns if c.kind in kinds and (c.measures or agg in {"min", "max"}) and not c.is_key]
        return [c for c in found if c.table == self.base] or found

    def _main_columns(self, item: Item) -> list[Column]:
        columns = [c for t in item.tables for c in self.schema.tables[t].columns if c.measures]
        main = [c for c in columns if {"total", "amount"} & set(c.words)]
        found = main if len(main) == 1 else columns
        if len(found) > 1:
            names = " or ".join(plain(c.name) for c in found)
            raise NotUnderstoodError(f"For “{item.text}” I could compute with {names}: please say which.")
        return found

    def _shown(self, column: Column) -> tuple[Column, ...]:
        """Show what a key points to instead of the key."""
        for edge in self.schema.edges(column.table) if column.is_key else ():
            if edge.source == column and self.schema.path(column.table, edge.target.table) is not None:
                return self.schema.tables[edge.target.table].labels or (column,)
        return (column,)

    def _dated(self) -> list[Item]:
        return [i for i in self.draft.mentioned if any(c.kind == "date" or c.is_year for c in i.columns)]

    def _is_people(self, table: str) -> bool:
        about = self.schema.tables[table]
        words = {*about.words, *head_of(about.comment)}
        return bool(about.labels) and any(same(w, p) for w in words for p in _PEOPLE)

    def _doers(self, verb: Item) -> list[str]:
        """Return the tables that are named after who does what a verb says: suppliers supply, orders do not order."""
        return [t.name for t in self.schema.tables.values() if does(t.words[-1], verb.text)]

    def _by_key(self, key: Column) -> Group:
        target = next((e.target.table for e in self.schema.edges(self.base) if e.source == key), None)
        return Group(entity=target) if target and self.places.steps(target) is not None else Group(key)
