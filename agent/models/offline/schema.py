"""What the tools told about the schema: tables, columns, and how tables hang together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from agent.models.offline.language.words import forms, head_of, spells, words_of

# Types of Postgres and of Databricks, by how their names begin.
_NUMBERS = re.compile(r"((small|big|tiny)?int|integer|long|short|numeric|decimal|dec|real|float|double|money)\b")
_TEXTS = ("text", "character", "citext", "name", "public.citext", "string")
_OTHERS = ("json", "bytea", "interval", "time ", "xml", "tsvector", "point", "bit", "vector", "binary", "variant")
_NESTED = ("array<", "map<", "struct<", "object", "geo")
# Numbers that name something, by the last word of the column's name.
_NO_MEASURES = {"year", "month", "day", "code", "no", "nr", "zip", "postcode", "port", "status", "version"}
_BIRTH = {"birth", "birthday", "birthdate", "born", "dob"}
_DEATH = {"death", "died", "deceased"}
# What tables are called that keep something.
_KEEPING = {"log", "logs", "record", "records", "hdr", "header", "headers", "history", "register", "data", "list"}
# Comments of columns that people know a row by.
_NAMING = re.compile(r"(the |full |short |first and last )?(name|title|description)\b", re.IGNORECASE)
_PARTS = re.compile(r'"((?:[^"]|"")*)"|`((?:[^`]|``)*)`|([^"`.]+)')


@dataclass(frozen=True)
class Column:
    """A column; `table` and `name` can be pasted into SQL, `references` is the table and column that it points to."""

    table: str
    name: str
    type: str = field(compare=False)
    comment: str | None = field(default=None, compare=False)
    primary: bool = field(default=False, compare=False)
    references: tuple[str, str] | None = field(default=None, compare=False)
    nullable: bool = field(default=True, compare=False)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its name."""
        return words_of(self.name)

    @cached_property
    def kind(self) -> str:
        """One of number, text, date, bool, other."""
        low = self.type.casefold()
        if low.endswith("]") or low.startswith((*_OTHERS, *_NESTED)):
            return "other"
        if _NUMBERS.match(low):
            return "number"
        if low.startswith("bool"):
            return "bool"
        return "date" if low.startswith(("date", "timestamp")) else "text"

    @property
    def is_key(self) -> bool:
        """Whether it identifies rows rather than saying anything about them."""
        ending = self.words[-1:] in {("id",), ("key",), ("uuid",)}
        return self.references is not None or ending or (self.primary and self.kind != "text")

    @property
    def is_year(self) -> bool:
        """Whether it holds years as numbers."""
        named = "year" in {self.words[0], self.words[-1], *head_of(self.comment)[:1]}
        return self.kind == "number" and named and self.references is None

    @property
    def is_birth(self) -> bool:
        """Whether it tells when somebody was born."""
        return (self.kind == "date" or self.is_year) and not _BIRTH.isdisjoint(self.words)

    @property
    def is_of_life(self) -> bool:
        """Whether it tells when somebody was born or died, which is not when anything else happened."""
        return self.is_birth or ((self.kind == "date" or self.is_year) and not _DEATH.isdisjoint(self.words))

    @property
    def measures(self) -> bool:
        """Whether it makes sense to compute with it."""
        named = self.is_key or self.is_year or self.words[-1] in _NO_MEASURES
        return self.kind == "number" and not named

    @property
    def is_text(self) -> bool:
        """Whether its type is one of Postgres's own for text."""
        return self.type.casefold().startswith(_TEXTS)


@dataclass(frozen=True)
class Table:
    """A table or view; `name` can be pasted into SQL."""

    name: str
    kind: str
    comment: str | None
    columns: tuple[Column, ...]
    described: bool = False

    @property
    def is_view(self) -> bool:
        """Whether its rows stand in other tables."""
        return "view" in self.kind

    @property
    def schema(self) -> str:
        """The schema that it is in."""
        return schema_part(self.name)

    @cached_property
    def spellings(self) -> frozenset[str]:
        """Its name in lower case, as a person may spell it with its schema: quoted or not, without the catalog too."""
        parts = parts_of(self.name)
        return frozenset(each.casefold() for each in (self.name, ".".join(parts), ".".join(parts[-2:])))

    @property
    def short(self) -> str:
        """Its name without schema and quotes."""
        return parts_of(self.name)[-1]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its name, without the schema and what only says that it is a table."""
        words = words_of(self.short)
        words = words[1:] if len(words) > 1 and words[0] in {"t", "v"} else words
        return words[:-1] if len(words) > 1 and words[-1] in {"tbl", "tab"} else words

    @cached_property
    def kernel(self) -> tuple[str, ...]:
        """What its rows are, where its name says that they are kept: calls in call_records, flights in flight_log."""
        kept = len(self.words) > 1 and self.words[-1] in _KEEPING
        return self.words[:-1] if kept else ()

    @cached_property
    def key(self) -> Column | None:
        """The one column that identifies its rows, if told or clear from its name."""
        primary = [c for c in self.columns if c.primary]
        if not primary:
            primary = [c for c in self.columns if c.words == ("id",) or spells(c.words, (*self.words, "id"))]
        return primary[0] if len(primary) == 1 else None

    @cached_property
    def labels(self) -> tuple[Column, ...]:
        """The columns that a person would know a row by; its key where there is nothing better."""
        texts = [c for c in self.columns if c.kind == "text" and not c.is_key]
        first = [c for c in texts if "".join(c.words) in {"firstname", "givenname"}]
        last = [c for c in texts if "".join(c.words) in {"lastname", "surname", "familyname"}]
        if first and last:
            return first[0], last[0]
        for wanted in (("name",), ("full", "name"), (*self.words, "name"), ("title",), ("label",), self.words):
            if found := [c for c in texts if spells(c.words, wanted)]:
                return (found[0],)
        named = [
            c
            for c in texts
            if not {"name", "title"}.isdisjoint(forms(c.words[-1])) and c.words[0] not in {"first", "last", "user"}
        ]
        named = named or [c for c in texts if _NAMING.match(c.comment or "")]
        named = named or [c for c in texts if c.words[-1] in {"description", "descr", "desc"}]
        named = named or (last[:1] or first[:1])
        named = named or [c for c in texts if c.words in {("company",), ("organisation",), ("organization",)}]
        named = named or [c for c in texts if c.words in {("model",), ("number",), ("code",), ("reference",)}]
        named = named or [c for c in texts if c.words[-1] in {"number", "code"} and spells(c.words[:-1], self.words)]
        return (named[0],) if named else ((self.key,) if self.key else ())


@dataclass(frozen=True)
class Edge:
    """A step from many rows to one: `source` points to `target`."""

    source: Column
    target: Column


@dataclass(frozen=True)
class Schema:
    """The tables that are known, by name."""

    tables: Mapping[str, Table]
    repeated: frozenset[Column] = frozenset()
    """Columns that look like keys, and of which several rows hold the same."""

    def edges(self, table: str) -> list[Edge]:
        """Return the steps from this table to the one row that each of its rows points to."""
        return [edge for edge in self._pointing(table) if edge.target not in self.repeated]

    def links(self, table: str) -> list[Edge]:
        """Return the steps from a table, no view, over keys that are called after what they point to."""
        if self.tables[table].is_view:
            return []
        edges = self.edges(table)
        named = [e for e in edges if spells(e.source.words[:-1], self.tables[e.target.table].words)]
        return [e for e in edges if e in named or e.source.words == e.target.words]

    def loose(self, table: str) -> list[Edge]:
        """Return the steps from this table to several rows for each of its own: no row may be counted over them."""
        return [edge for edge in self._pointing(table) if edge.target in self.repeated]

    def unproven(self, start: str, end: str) -> list[Column]:
        """Return the columns on the way whose names alone tell that each row of their table has another."""
        targets = [e.target for e in self.path(start, end) or [] if not e.source.references]
        return [t for t in targets if [c.name for c in self.tables[t.table].columns if c.primary] != [t.name]]

    def _pointing(self, table: str) -> list[Edge]:
        pairs = [(column, self._target(column)) for column in self.tables[table].columns]
        return [Edge(source, target) for source, target in pairs if target and target.table != table]

    def path(self, start: str, end: str) -> list[Edge] | None:
        """Return the one shortest way from many to one, of three steps at most.

        None when there is no way, or more than one of the shortest length.
        """
        ways = self.ways(start, end)
        return ways[0] if len(ways) == 1 else None

    def ways(self, start: str, end: str) -> list[list[Edge]]:
        """Return every shortest way from many to one, of three steps at most; two keys may point to one table."""
        ways: list[tuple[str, list[Edge]]] = [(start, [])]
        for _ in range(4):
            arrived = [way for table, way in ways if table == end]
            if arrived:
                return arrived
            ways = [(e.target.table, [*way, e]) for table, way in ways for e in self.edges(table)]
        return []

    def named_by(self, column: Column | None) -> tuple[Column, ...]:
        """Return what a row is known by to which only this key leads: a manager's name, or that of a destination."""
        if column is None or column.references is None or column.references[0] not in self.tables:
            return ()
        target, _ = column.references
        if target != column.table and self.path(column.table, target) is not None:
            return ()
        return tuple(c for c in self.tables[target].labels if not c.is_key)

    def neighbours(self, tables: Iterable[str]) -> list[str]:
        """Return the tables that the given ones point to, directly or over others."""
        seen = list(dict.fromkeys(tables))
        for table in seen:
            seen.extend(e.target.table for e in self.edges(table) if e.target.table not in seen)
        return seen[len(set(tables)) :]

    def dependents(self, tables: Iterable[str]) -> list[str]:
        """Return the tables that point to the given ones."""
        given = set(tables)
        return [t for t in self.tables if t not in given and any(e.target.table in given for e in self.edges(t))]

    def _target(self, column: Column) -> Column | None:
        if column.references:
            other = self.tables.get(column.references[0])
            return next((c for c in other.columns if c.name == column.references[1]), None) if other else None
        return self._by_name(column)

    def _by_name(self, column: Column) -> Column | None:
        """Find what `customer_id` points to, where no foreign key tells it."""
        if len(column.words) < 2 or column.words[-1] not in {"id", "code", "key", "no"}:
            return None
        found = [t for t in self.tables.values() if spells(column.words[:-1], t.words)]
        found = [t for t in found if t.schema == schema_part(column.table)] or found
        if len(found) != 1 or found[0].name == column.table:
            return None
        for words in (column.words, column.words[-1:]):
            if keys := [c for c in found[0].columns if c.words == words]:
                return keys[0] if keys[0].kind == column.kind else None
        return None


def schema_of(
    listed: Mapping[str, Any],
    described: Iterable[Mapping[str, Any]] = (),
    repeated: Iterable[Column] = (),
) -> Schema:
    """Put together what list_tables and describe_table returned, and which columns are known to be no keys."""
    tables = {told["table"]: _listed(told) for told in listed["tables"]}
    tables.update((told["table"], _described(told)) for told in described)
    keys: dict[tuple[str, str], set[tuple[str, str] | None]] = {}
    for column in (c for t in tables.values() if not t.is_view and t.described for c in t.columns):
        keys.setdefault((column.name, column.type), set()).add(column.references)
    found = {name: _with_keys(table, keys) if table.is_view else table for name, table in tables.items()}
    return Schema(found, frozenset(repeated))


def _with_keys(view: Table, keys: Mapping[tuple[str, str], set[tuple[str, str] | None]]) -> Table:
    """Take the columns of a view for keys that are keys in every table that has them: nothing else tells of them."""
    known = [keys.get((c.name, c.type), set()) for c in view.columns]
    told = [found.copy().pop() if len(found) == 1 else None for found in known]
    columns = tuple(replace(c, references=r) if r else c for c, r in zip(view.columns, told, strict=True))
    return replace(view, columns=columns)


def plain(name: str) -> str:
    """Return a name as a person reads it, such as `sales.Order Lines`."""
    return ".".join(parts_of(name))


def parts_of(name: str) -> list[str]:
    """Split a name as SQL spells it at its dots, without quotes."""
    found = _PARTS.findall(name)
    return [double.replace('""', '"') or back.replace("``", "`") or bare for double, back, bare in found] or [name]


def schema_part(name: str) -> str:
    """Return the schema in a table's name, which a catalog may stand before."""
    return parts_of(name)[-2:][0]


def _listed(told: Mapping[str, Any]) -> Table:
    columns = tuple(Column(told["table"], name, kind) for name, kind in told["columns"].items())
    return Table(told["table"], told["kind"], told["comment"], columns)


def _described(told: Mapping[str, Any]) -> Table:
    name = told["table"]
    columns = tuple(
        Column(
            name, c["name"], c["type"], c["comment"], bool(c["primary_key"]), _reference(c["references"]), c["nullable"]
        )
        for c in told["columns"]
    )
    return Table(name, told["kind"], told["comment"], columns, described=True)


def _reference(references: str | None) -> tuple[str, str] | None:
    if not references:
        return None
    found = re.fullmatch(r'(.+)\.("(?:[^"]|"")*"|`(?:[^`]|``)*`|[^"`.]+)', references)
    return (found[1], found[2]) if found else None
