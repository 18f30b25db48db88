"""From the parts of a question to a query: which table everything is about, and which columns are meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from agent.models.offline.language.draft import Draft, Wanted
from agent.models.offline.language.grammar import CURRENCIES
from agent.models.offline.language.lexicon import SPELLED, Item
from agent.models.offline.language.scope import has_one
from agent.models.offline.language.words import is_verb, stem, tokens_of
from agent.models.offline.meaning.denied import Denials
from agent.models.offline.meaning.groups import NO_PEOPLE
from agent.models.offline.meaning.places import AlmostError, NotUnderstoodError, UnclearError
from agent.models.offline.query import Filter, Measure, Query
from agent.models.offline.schema import Schema, plain
from agent.models.offline.sql import grouped, whole


def resolve(draft: Draft, schema: Schema) -> list[Query]:
    """Turn a clause into queries: one, or one for each base where it asks for things that live apart.

    Raises:
        NotUnderstoodError: It cannot be answered; the message says why.
    """
    if draft.lost:
        raise NotUnderstoodError(f"I do not know what “{draft.lost[0]}” means here.")
    if draft.either:
        _refuse_either(draft)
    _refuse_mixed(draft)
    asked = draft.wanted or [Wanted("")]
    found = [_cheapest(_alone(draft, wanted), schema) for wanted in asked]
    merged: list[Query] = []
    for query in found:
        same_rows = [q for q in merged if replace(q, measures=()) == replace(query, measures=())]
        if same_rows and query.measures:
            merged[merged.index(same_rows[0])] = replace(same_rows[0], measures=same_rows[0].measures + query.measures)
        else:
            merged.append(query)
    return merged


def _alone(draft: Draft, wanted: Wanted) -> Draft:
    """Return the draft with one thing to compute. What else is computed says nothing about its values."""
    others = [w.target for w in draft.wanted if w is not wanted]
    chosen = [replace(c, hint=None) if any(c.hint is target for target in others) else c for c in draft.chosen]
    return replace(draft, wanted=[wanted] if wanted.target or wanted.agg else [], chosen=chosen)


def _refuse_mixed(draft: Draft) -> None:
    """Refuse conditions that belong to different parts of a question, or to a figure of each group."""
    computed = [w.target for w in draft.wanted if w.agg != "count" and w.target]
    counted = any(w.agg == "count" for w in draft.wanted)
    if counted and any(c.target is target for c in draft.conditions for target in computed):
        raise NotUnderstoodError("I cannot count what was computed; ask which they are instead.")
    columns = [frozenset(v.column for v in c.item.values) for c in draft.chosen if c.item.values]
    if len([each for each in set(columns) if columns.count(each) > 1]) > 1:
        raise NotUnderstoodError("I cannot tell which of the values belong together; ask one after the other.")


def _refuse_either(draft: Draft) -> None:
    columns = [tuple(v.column for v in c.item.values) for c in draft.chosen]
    several = [c for c in draft.conditions if c.op in {"in", "not in"}]
    if not several and (len(columns) < 2 or len(set(columns)) > 1):
        raise NotUnderstoodError("I can combine conditions with “and” only.")


def _cheapest(draft: Draft, schema: Schema) -> Query:
    """Try every table that the question may be about; take the reading that needs the fewest steps.

    A table goes before the views that stand on it or share its columns. Of several that are as good, none is chosen.
    """
    bases = list(dict.fromkeys(_bases(draft, schema)))
    bases = [base for base in bases if base in draft.said] or bases
    if not bases:
        raise NotUnderstoodError("I cannot tell which table this is about.")
    found: list[tuple[tuple[bool, int, bool], Query]] = []
    problems: list[NotUnderstoodError] = []
    for base in bases:
        try:
            query, cost = Resolver(draft, schema, base).query()
        except NotUnderstoodError as problem:
            problems.append(problem)
        else:
            spoken = any(item.sure == SPELLED and base in item.tables for item in draft.items)
            found.append(((schema.tables[base].is_view, cost, not spoken), query))
    first = min((rank for rank, _ in found), default=None)
    almost = next((problem for problem in problems if isinstance(problem, AlmostError)), None)
    if first is None and not almost and (linked := _linked(draft, schema)):
        return linked
    if first is None or (almost and first[0]):  # a view has some of the rows, and the table tells what is unclear
        raise almost or problems[0]
    equal = [query for rank, query in found if rank == first]
    for item in (*draft.items, *draft.hints):
        tables = [query.base for query in equal if query is equal[0] or _differ(item, equal[0], query)]
        if len(tables) > 1:
            raise UnclearError(item.text, tables)
    return equal[0]


def _linked(draft: Draft, schema: Schema) -> Query | None:
    """Count over the one table whose rows link two that are spoken of: "films per actor", over film_actor."""
    said = {t for i in draft.items for t in (*i.tables, *(v.column.table for v in i.values))}
    found: list[Query] = []
    if not _unreached(draft, schema):
        return None
    for table in schema.dependents(said):
        if len({e.target.table for e in schema.links(table)} & said) > 1:
            with suppress(NotUnderstoodError):
                query, _ = Resolver(draft, schema, table).query()
                found.append(query)
    counted = [q for q in found if q.measures and all(m.counted for m in q.measures)]
    return counted[0] if len(found) == len(counted) == 1 else None


def _unreached(draft: Draft, schema: Schema) -> bool:
    """Tell whether every value is the name of something that is told of no other way, or of rows spoken of."""
    tables = {t for i in draft.items for t in i.tables}
    for item in draft.items:
        columns = [v.column for v in item.values]
        known = all(c in schema.tables[c.table].labels or c.table in tables for c in columns)
        if not known or any(schema.ways(t, c.table) for t in tables for c in columns if c.table != t):
            return False
    return True


def _differ(item: Item, one: Query, other: Query) -> bool:
    """Tell whether two readings take a word for columns of different tables, or for the tables themselves."""
    columns = {*item.columns, *(value.column for value in item.values)}
    first, second = ({c.table for c in query.columns if c in columns} for query in (one, other))
    if first and second:
        return first.isdisjoint(second)
    return one.base in item.tables and other.base in item.tables


def _bases(draft: Draft, schema: Schema) -> Iterator[str]:
    """Yield the tables that the rows may come from, the likeliest first."""
    first: list[str] = []
    targets = [w.target for w in draft.wanted if w.target]
    if draft.rank and draft.rank.target:
        targets.append(draft.rank.target)
    if draft.order and draft.order[1] and (draft.groups or draft.wanted):
        targets.append(draft.order[1])
    counting = bool(draft.wanted) and draft.wanted[0].agg == "count"
    for item in targets:
        first += item.tables if counting or not any(c.measures for c in item.columns) else ()
        first += [c.table for c in item.columns if c.measures or c.kind == "date" or counting]
        first += item.tables
    if not first:
        first += [c.table for item in targets for c in item.columns]
    bare = [i for i in draft.mentioned if any(c.measures for c in i.columns)]
    for item in [*([draft.subject] if draft.subject else []), *bare]:
        first += item.tables if not bare or item in bare else ()
        first += [c.table for c in item.columns]
    for condition in draft.conditions:
        for compared in (condition.after, condition.target):
            first += [*compared.tables, *(c.table for c in compared.columns)] if compared else []
    if not targets:
        for item in draft.items:
            first += [*item.tables, *(c.table for c in item.columns), *(v.column.table for v in item.values)]
    if not first or (draft.rank and not targets):
        first += [c.table for hint in draft.hints for c in hint.columns]
    first = list(dict.fromkeys(first))
    yield from first
    # Where something is not reached from these, it may be from the rows that point to them, if they are spoken of.
    yield from (table for table in schema.dependents(first) if _speaks_of(draft, table))


def _speaks_of(draft: Draft, table: str) -> bool:
    said = [*draft.items, *draft.hints]
    columns = [c for item in said for c in (*item.columns, *(v.column for v in item.values))]
    return any(table in item.tables for item in said) or any(c.table == table for c in columns)


class Resolver(Denials):
    """Resolves one clause, seen from one base table."""

    def query(self) -> tuple[Query, int]:
        """Return the query and how far it had to reach."""
        self._measures()
        self._subject()
        self._rank()
        self._groups()
        self._filters()
        self._order()
        self._rest()
        self._hints()
        self._refuse_sold()
        self._deny()
        if self.draft.averaged:
            self._average()
        self._sound()
        return self.query_, self.places.cost

    def _average(self) -> None:
        """Read "the average number of reviews per shop", to which shops without any belong too."""
        query = self.query_
        if query.measures != (Measure("count"),) or len(query.groups) != 1 or query.having or query.ranked:
            raise NotUnderstoodError("I cannot average what was counted here; ask for the number of each, or of all.")
        column = query.groups[0].column
        if column is not None and (column.nullable or (query.groups[0].unit is None and column.table != self.base)):
            raise NotUnderstoodError("I cannot average what was counted here; ask for the number of each, or of all.")
        self._set(folded="avg", order=None)

    def _sound(self) -> None:
        """Refuse what SQL has no order or no limit for, which would answer something else."""
        query = self.query_
        for table in query.tables:
            if self.places.steps(table) is None and not (query.missing and table == query.missing.table):
                raise NotUnderstoodError(f"I see no way, or more than one, from {plain(self.base)} to {plain(table)}.")
        try:
            whole(query, self.schema)
        except ValueError:
            none = "I cannot tell of how many there are none at all; ask for those with the most, or with some."
            raise NotUnderstoodError(none) from None
        if query.limit is not None and query.measures and not query.groups:
            first_only = "I cannot compute with the first rows only; ask for them, or for all."
            raise NotUnderstoodError(NO_PEOPLE if self.draft.asks == "who" else first_only)
        if query.ordered is not None and query.measures and not query.groups:
            raise NotUnderstoodError("There is only one figure, so nothing to order.")
        if self.draft.currency:
            self._refuse_currency(self.draft.currency)
        together = query.groups or query.subject
        if query.ordered is not None and together and query.ordered not in grouped(query, self.schema):
            raise NotUnderstoodError(f"I cannot order by {plain(query.ordered.name)} here; ask for rows.")

    def _refuse_currency(self, said: str) -> None:
        """Refuse a currency that the figures are not in, or not known to be in."""
        query = self.query_
        held = [c.numbers for c in self.draft.conditions]
        figures = [m.column for m in query.measures if m.agg not in {"count", "distinct"}]
        figures += [f.column for f in query.filters if f.values in held] + [query.ordered]
        columns = [c for c in figures if c is not None and c.kind == "number"]
        if not columns:
            raise NotUnderstoodError(f"I cannot count in {said}; ask for the total of a column.")
        for column in columns:
            comment = [token.low for token in tokens_of(column.comment or "")]
            if CURRENCIES[said] not in {CURRENCIES.get(word) for word in (*column.words, *comment)}:
                raise NotUnderstoodError(f"Nothing tells me that {plain(column.name)} is in {said}.")

    def _rest(self) -> None:
        """Find a place for every name that was mentioned and not used yet."""
        shown = list(self.query_.shown)
        for item in self.draft.mentioned:
            if id(item) in self.used:
                continue
            if has := self._has_one(item):
                self._set(filters=(*self.query_.filters, has))
                continue
            entity = self.places.entity(item.tables, item.text)
            if entity is not None and not self.query_.measures and not self.query_.groups:
                asked = entity != self.base and all(f.column.table != entity for f in self.query_.filters)
                shown.extend(self.schema.tables[entity].labels if asked else ())
            elif entity is not None and "," not in item.gap:
                continue
            elif item.columns and not self.query_.measures and not self.query_.groups:
                shown.extend(self._shown(self.places.column(item.columns, item.text)))
            elif item.columns and self._already(item):
                continue
            else:
                raise NotUnderstoodError(f"I do not know what to do with “{item.text}” here.")
        self._set(shown=tuple(dict.fromkeys(shown)))

    def _has_one(self, item: Item) -> Filter | None:
        """Choose the rows that have such a thing at all: "with an owner", "that have a phone number"."""
        if not has_one(item):
            return None
        keys = [e.source for e in self.schema.edges(self.base) if e.target.table in item.tables]
        columns = [c for c in item.columns if c.table == self.base] or keys
        if len(columns) != 1 or self._already(item):
            return None
        if columns[0].measures:
            raise NotUnderstoodError(f"With how much {item.text}? Ask for instance for those with more than 0.")
        return Filter(columns[0], "told")

    def _already(self, item: Item) -> bool:
        return any(c in item.columns for c in self.query_.columns)

    def _hints(self) -> None:
        """Every word that only hints at something must be about what the query looks at."""
        for item in self.draft.undone:
            if not self._told(item, "null"):
                raise NotUnderstoodError(f"I do not know what “not {item.text}” means here.")
        tables, columns = set(self.query_.tables), set(self.query_.columns)
        for item in self.draft.hints:
            own = [c for c in item.columns if c.table in tables]
            # Every sale was sold; but not every house was, nor was every order cancelled.
            sold = stem(item.text) == "sell" and not any(c.nullable and c.kind == "date" for c in own)
            if sold or tables.intersection(self._doers(item)) or columns.intersection(item.columns):
                continue
            if any(c.measures and stem(item.text) in map(stem, c.words) for c in own):
                # Every flight has a delay, which may be none: that does not make it a delayed one.
                raise NotUnderstoodError(f"I do not know what “{item.text}” means here.")
            always = tables.intersection(item.tables) or any(not c.nullable for c in own)
            vacuous = is_verb(item.text) and always and not any(c.kind == "bool" for c in own)
            told = item is self.draft.done and not vacuous and self._told(item, "told")
            if not vacuous and not told and not self._said_of_table(item):
                raise NotUnderstoodError(f"I do not know what “{item.text}” means here.")

    def _refuse_sold(self) -> None:
        """Refuse to take every row as sold where others tell of what was: "how many tracks were sold"."""
        figures = any(m.column and m.agg != "distinct" for m in self.query_.measures)
        told = any(f.column.kind in {"date", "bool"} and f.column.table == self.base for f in self.query_.filters)
        pointing = [t for t in self.schema.dependents([self.base]) if not self.schema.tables[t].is_view]
        if self.draft.was_sold and pointing and not (figures or told):
            raise NotUnderstoodError(f"I cannot tell which of {plain(self.base)} were sold.")

    def _told(self, item: Item, op: str) -> bool:
        """Take rows as done, or not, by the one date that tells when, if it may be empty: returned, returned_on."""
        found = [c for c in item.columns if c.table == self.base and c.kind == "date" and c.nullable]
        found = [c for c in found if stem(item.text) in map(stem, c.words)] if self.table.described else []
        if len(found) == 1 and not self.draft.dates:
            self._set(filters=(*self.query_.filters, Filter(found[0], op)))
        return len(found) == 1 and not self.draft.dates

    def _said_of_table(self, item: Item) -> bool:
        """Tell whether the words only repeat what the comment of a table says of all its rows: "the head office"."""
        beside = [h for h in self.draft.hints if h is not item and -2 < h.start - item.end < 2]
        beside += [h for h in self.draft.hints if h is not item and -2 < item.start - h.end < 2]
        pairs = [sorted((item, other), key=lambda each: each.start) for other in beside]
        said = " ".join((self.schema.tables[t].comment or "").casefold() for t in self.query_.tables)
        return any(f"{a.text} {b.text}".casefold() in said for a, b in pairs)
