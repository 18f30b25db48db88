"""What to compute: "how many", "the average rating", "revenue by country"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent.models.offline.language.draft import Wanted
from agent.models.offline.language.grammar import PRICES
from agent.models.offline.language.lexicon import PARTLY, Item, Value
from agent.models.offline.language.words import (
    counted_by,
    head_of,
    is_plural,
    is_verb,
    same,
    stem,
    stems_of,
    synonyms,
    tokens_of,
)
from agent.models.offline.meaning.places import AlmostError, NotUnderstoodError, table_of
from agent.models.offline.meaning.reading import Reading
from agent.models.offline.query import Measure
from agent.models.offline.schema import Column, plain

# Columns that make no sense when they are added up, by words of their names.
_NEVER_ADDED = ("rating", "score", "star", "temperature", "age")
_AVERAGED = (
    *_NEVER_ADDED,
    "price",
    "rate",
    "percent",
    "duration",
    "height",
    "grade",
    "level",
    "ratio",
    "speed",
    "latency",
)
_HELD = ("salary", "wage", "pay")


class Measures(Reading):
    """Resolves what is computed."""

    def _measures(self) -> None:
        measures = [self.measure(wanted) for wanted in self.draft.wanted]
        if not measures:
            measures = self._bare()
        added = [m for m in measures if m.agg in {"count", "distinct", "sum"}]
        if self.draft.single and added and not self.draft.groups and not self.draft.rank:
            raise NotUnderstoodError("Of one, or of all together? Ask for the average, for the total, or for each.")
        self._set(measures=tuple(measures))

    def measure(self, wanted: Wanted) -> Measure:
        """Resolve what to compute."""
        target = wanted.target
        if target is None:
            return self._of_nothing(wanted)
        if wanted.agg == "count":
            return self._count(target, wanted.distinct)
        columns = self._computable(target, wanted.agg)
        if not columns and target.tables:
            columns = self._main_columns(target)
        if not columns:
            raise NotUnderstoodError(f"I cannot compute with “{target.text}”.")
        column = self.places.column(columns, target.text)
        if column.table != self.base:
            # Each of its rows would count once for each row of the base.
            raise NotUnderstoodError(f"“{target.text}” is not in {plain(self.base)}.")
        agg = wanted.agg or default_agg(column, target.text)
        groups = [i for i in self.draft.groups if self.base not in i.tables]
        if agg in {"avg", "median"} and groups and is_revenue(target.text) and default_agg(column) == "sum":
            rows, name = plain(column.table).split(".")[-1], plain(column.name)
            raise NotUnderstoodError(f"Of single {rows}, or of their sums? Ask for the average {name}, or for the sum.")
        if agg == "sum":
            check_sum(column)
            self._check_units(column, target)
        return Measure(agg, column)

    def _check_units(self, column: Column, target: Item) -> None:
        """Refuse to add up prices of one unit as if there were one of each: "the total price of lamps"."""
        several = any(_is_quantity(c) for c in self.table.columns if c.measures and c != column)
        if several and column.words[0] == "unit" and not any(same(t.low, "unit") for t in tokens_of(target.text)):
            name = plain(column.name)
            raise AlmostError(f"Adding up “{name}” leaves out how many there were; ask for the average, or name it.")

    def _of_nothing(self, wanted: Wanted) -> Measure:
        if wanted.agg == "count" and (done := self._done()):
            return done
        if wanted.agg == "count" and (self.draft.chosen or self.draft.dates or self.draft.groups):
            subject = self.draft.subject
            tables = subject.tables if subject else ()
            if self.base in tables or (not subject and any(v.column.table == self.base for v in self._values())):
                return Measure("count")
            if any(self.base in i.tables for i in self.draft.mentioned[:1]):
                return Measure("count")
        rows = sorted((i for i in self.draft.mentioned if i.tables), key=lambda item: item.start)
        if wanted.agg == "count" and len(rows) > 1 and self.base not in rows[0].tables:
            raise NotUnderstoodError("I cannot tell what to count.")
        if wanted.agg == "count" and any(self.base in i.tables for i in self.draft.items):
            return Measure("count")
        if wanted.agg == "count" and any({c.table for c in i.columns} == {self.base} for i in self.draft.groups):
            return Measure("count")
        bare = [i for i in self.draft.mentioned if self._computable(i, wanted.agg)]
        if wanted.agg != "count" and len(bare) == 1:
            self.used.add(id(bare[0]))
            return self.measure(replace(wanted, target=bare[0]))
        if self.draft.hints:
            raise NotUnderstoodError(f"I do not know what “{self.draft.hints[0].text}” means here.")
        raise NotUnderstoodError("I cannot tell what to compute.")

    def _done(self) -> Measure | None:
        """Read "how many were sold" by the column that counts the pieces sold: a row may be of several."""
        if pieces := self._pieces():
            return pieces
        counts = self._counting()
        said = [*self.draft.hints, *self.draft.undone, *self.draft.absent]
        hinted = any(self.base in h.tables or any(c.table == self.base for c in h.columns) for h in said)
        if self.draft.sold and (counts or not hinted):
            raise NotUnderstoodError("I cannot tell what says how many were sold; ask for the sum of a column.")
        return None

    def _counting(self) -> list[Column]:
        return [c for c in self.table.columns if c.measures and (counted_by(c.comment) or _is_quantity(c))]

    def _pieces(self, *, done: bool = False) -> Measure | None:
        """Return the sum of the column that counts what a verb of the question says, or only one that says `done`."""
        verbs = {stem(h.text) for h in self.draft.hints if is_verb(h.text) and (_is_past(h.text) or not done)}
        told = [c for c in self._counting() if verbs & {*stems_of(c.comment), *map(stem, c.words)}]
        return Measure("sum", told[0]) if len(told) == 1 else None

    def _values(self) -> Iterator[Value]:
        for chosen in self.draft.chosen:
            yield from chosen.item.values

    def _count(self, target: Item, distinct: bool) -> Measure:
        if target.tables and not (distinct and target.columns):
            table = self.base if self.base in target.tables else table_of(target, self.schema, self.draft.said)
            if table == self.base:
                return Measure("count")
            entity = self.places.entity([table] if table else [], target.text)
            key = self.schema.tables[table].key if table and entity else None
            if key is None:
                raise NotUnderstoodError(f"I see no way from {plain(self.base)} to “{target.text}”.")
            self.places.cost += 1
            return Measure("distinct", key, counted=table)
        columns = [c for c in target.columns if c.table == self.base] or list(target.columns)
        column = self.places.column(columns, target.text)
        if not distinct and self._held(column, target):
            if column.table != self.base:
                raise NotUnderstoodError(f"I cannot tell what to count by their {plain(column.name)}; name it.")
            return Measure("count")  # "how many are high priority": the rows
        if column.measures and not distinct:
            if column.table != self.base:
                raise NotUnderstoodError(f"“{target.text}” is not in {plain(self.base)}.")
            if not _counts(column) or any(same(target.text.split()[-1], noun) for noun in (*PRICES, "amount", "value")):
                raise NotUnderstoodError(f"I can tell the sum or average of “{target.text}”, not how many they are.")
            return Measure("sum", column)
        if not distinct and column.table == self.base and (pieces := self._pieces(done=True)):
            return pieces  # "how many products were sold" are pieces, and not kinds of them
        if not distinct and column.kind == "bool":
            raise NotUnderstoodError(f"“{target.text}” is a yes or no; ask for those that are.")
        if not distinct and target.sure == PARTLY and not column.is_key and not self._is_noun(target, column):
            raise NotUnderstoodError(f"I cannot tell what “{target.text}” are here.")
        kinds = {v.column.table for v in target.values}
        if not distinct and column.references and column.references[0] in kinds:
            raise AlmostError(f"“{target.text}” may be the {plain(column.name)} of {plain(column.table)}, or a kind.")
        return Measure("distinct", column)

    def _is_noun(self, target: Item, column: Column) -> bool:
        """Tell whether a column is called by a word, rather than after it: countries are no country codes."""
        word = target.text.split()[-1]
        heads = {column.words[-1], *head_of(column.comment)[-1:]}
        return column.kind != "date" and any(same(word, h) or any(same(w, h) for w in synonyms(word)) for h in heads)

    def _held(self, column: Column, target: Item) -> bool:
        """Tell whether a value or a number of the column stands right beside its name: "high priority"."""
        held = [c.item for c in self.draft.chosen if any(v.column == column for v in c.item.values)]
        near = any(0 < max(target.start - i.end, i.start - target.end) < 2 for i in held)
        of_it = [c for c in self.draft.conditions if c.target is target and c.after is None]
        return near or (column.kind == "number" and bool(of_it))

    def _bare(self) -> list[Measure]:
        """Take a column of numbers that was named without saying how to compute it: "revenue by country"."""
        if self.draft.rank:
            return []
        items = [*self.draft.mentioned]
        subject = self.draft.subject
        if subject and self._own_measures(subject) and not self._rows_of(subject):
            items.insert(0, subject)
        found = []
        for item in items:
            if any(item is condition.target for condition in self.draft.conditions):
                continue  # "sales with a quantity above 5" are rows
            columns = self._own_measures(item)
            if not columns or (item.tables and self.base in item.tables and not self.draft.groups):
                continue
            if item is not subject and subject and subject.tables and not self.draft.groups:
                continue
            if item is not subject and {"with", "having"} & {*item.gap[:1]} and not self.draft.groups:
                # "Flights with delay" are rows; "with" a price may mean to show it.
                raise NotUnderstoodError(f"With how much {item.text}? Ask for instance for those with more than 0.")
            column = self.places.column(columns, item.text)
            narrowed = self.draft.groups or self.draft.dates or self.draft.chosen
            if item is not subject and not narrowed and len(self.draft.items) > 1 + len(self.draft.mentioned):
                continue
            self.used.add(id(item))
            agg = "sum" if self.draft.total else default_agg(column, item.text)
            if Measure(agg, column) not in found:
                found.append(Measure(agg, column))
        if found and found[0].agg == "max" and not self.draft.groups:
            self.used.difference_update(id(i) for i in items)
            return []
        return found

    def _rows_of(self, item: Item) -> bool:
        """Whether a person would see single rows of it: a name that selects one row stands beside it."""
        columns = self._own_measures(item)
        if not columns or self.draft.groups:
            return False
        labels = {c for t in self.schema.tables.values() for c in t.labels}
        named = [v.column for c in self.draft.chosen for v in c.item.values if v.column in labels]
        if not named:
            return False
        return any(c.table == self.base for c in named) or default_agg(columns[0]) == "max"


def check_sum(column: Column) -> None:
    """Refuse to add up what makes no sense in sum."""
    if set(_NEVER_ADDED) & set(column.words):
        raise NotUnderstoodError(f"Adding up “{plain(column.name)}” makes no sense; ask for the average.")


def _is_quantity(column: Column) -> bool:
    return any(same(word, noun) for word in column.words for noun in ("quantity", *synonyms("quantity")))


def _counts(column: Column) -> bool:
    """Tell whether a column of numbers says how many there are of something: seats, but neither a fine nor a size."""
    plural = is_plural(column.words[-1]) and "per" not in column.words
    return plural or bool(counted_by(column.comment)) or _is_quantity(column)


def _is_past(verb: str) -> bool:
    return verb.casefold().endswith("ed") or not verb.casefold().startswith(stem(verb))


def is_revenue(asked: str) -> bool:
    """Tell whether a word is one for what is made altogether."""
    return any(same(asked, word) for word in ("revenue", *synonyms("revenue")))


def default_agg(column: Column, asked: str = "") -> str:
    """Say how a column of numbers is put together where a question does not."""
    if is_revenue(asked):
        return "sum"
    words = {*column.words, *(column.comment or "").casefold().replace(",", " ").split()[:2]}
    if any(same(w, h) for w in words for h in _HELD):
        return "max"
    return "avg" if _averaged(column) else "sum"


def _averaged(column: Column) -> bool:
    words = column.words
    if {"total", "amount", "sum"} & set(words):
        return False
    return any(same(w, a) for w in words for a in _AVERAGED)
