"""Where an item stands in the schema: the one column or table that it means, as seen from a base table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agent.models.offline.language.lexicon import Item, Value
from agent.models.offline.language.words import same, stem
from agent.models.offline.schema import Column, Edge, Schema, plain

# When a time begins, at any day of which something may be said to be: stems of words of columns.
_BEGINNING = frozenset(map(stem, ("start", "begin", "from", "valid", "effective", "since", "hired", "joined", "open")))
_HOUSEKEEPING = frozenset(("updated", "update", "modified", "changed", "deleted", "created", "loaded"))


class NotUnderstoodError(Exception):
    """The question cannot be answered; the message says why, in a sentence for the person who asked."""


class AlmostError(NotUnderstoodError):
    """It was understood but for one thing, which tells more than why it cannot be read otherwise."""


class UnclearError(NotUnderstoodError):
    """It may be of several tables, and the question does not say of which."""

    def __init__(self, name: str, tables: Iterable[str]) -> None:
        self.tables = tuple(dict.fromkeys(tables))
        *others, last = map(plain, self.tables)
        super().__init__(f"“{name}” stands in {', '.join(others)} and {last}: please say of which.")


@dataclass
class Places:
    """The schema as seen from one table, and the tables that the question speaks of."""

    schema: Schema
    base: str
    spoken: frozenset[str] = frozenset()
    dated: Column | None = None
    """The date that the question before was about."""
    cost: int = field(default=0)
    """Steps taken so far; a reading with fewer is the better one."""

    def steps(self, table: str) -> int | None:
        """Return how many steps lead from the base to a table, or None where there is no way."""
        path = self.schema.path(self.base, table)
        return None if path is None else len(path)

    def column(self, columns: Iterable[Column], name: str) -> Column:
        """Choose the nearest of the columns; one of a table that the question speaks of, where it is as near."""
        columns = tuple(columns)
        near = [(steps, c) for c in columns if (steps := self.steps(c.table)) is not None]
        if not near:
            raise self.no_way([c.table for c in columns], name)
        ranked = sorted(near, key=lambda pair: (self._distance(pair), pair[0]))
        best = [c for pair in ranked if self._distance(pair) == self._distance(ranked[0]) for c in [pair[1]]]
        if len({c.table for c in best}) > 1 or len(best) > 1:
            best = _clearer(best, name)
        if len(best) > 1 and len({c.table for c in best}) == len(best):
            raise UnclearError(name, (c.table for c in best))
        if len(best) > 1:
            names = " or ".join(dict.fromkeys(f"{plain(c.table)}.{plain(c.name)}" for c in best))
            raise AlmostError(f"“{name}” could be {names}: please say which.")
        self.cost += self._distance(ranked[0])
        return best[0]

    def value(self, values: Sequence[Value], name: str, hint: Item | None) -> Value:
        """Choose the column in which a value is meant."""
        if hint:
            values = [v for v in values if v.column in hint.columns or v.column.table in hint.tables] or values
        columns = [v.column for v in values]
        if loose := [v for v in values if self.through(v.column)]:
            return loose[0]
        if all(self.steps(c.table) is None for c in columns):
            if any(self.schema.ways(self.base, c.table) for c in columns):
                raise self.no_way([c.table for c in columns], name)
            others = " and ".join(dict.fromkeys(plain(c.table) for c in columns))
            here = f"the rows of {plain(self.base)} that you may read, nor among those that they point to"
            raise NotUnderstoodError(f"There is no “{name}” among {here}; I know it from {others} only.")
        chosen = self.column(columns, name)
        self._refuse_nearer(columns, chosen, name)
        return next(v for v in values if v.column == chosen)

    def _refuse_nearer(self, columns: Sequence[Column], chosen: Column, name: str) -> None:
        """Refuse where more than one key leads to a table that holds the same, and none leads to it sooner."""
        steps = self.steps(chosen.table) or 0
        for column in columns:
            ways = self.schema.ways(self.base, column.table)
            if len(ways) > 1 and len(ways[0]) <= steps and chosen.table not in self.spoken:
                raise self.no_way([column.table], name)

    def through(self, column: Column) -> Edge | None:
        """Return the step over which rows can be chosen by a column, though not counted."""
        if self.steps(column.table) is not None:
            return None
        return next((e for e in self.schema.loose(self.base) if e.target.table == column.table), None)

    def pointed(self, hint: Item | None, values: Sequence[Value]) -> tuple[Value, Edge] | None:
        """Return the value by which a key beside it points to a row: "with manager Ann", "origin port Oslo"."""
        for key in hint.columns if hint and not hint.tables else ():
            names = self.schema.named_by(key) if key.table == self.base else ()
            for value in values:
                if value.column in names and key.references:
                    target = next(
                        c for c in self.schema.tables[value.column.table].columns if c.name == key.references[1]
                    )
                    return value, Edge(key, target)
        return None

    def date_column(self, hints: Sequence[Item]) -> Column:
        """Choose the column that a period is about: one that a word of the question points to, else the base's own."""
        dated = [c for item in hints for c in item.columns if c.kind == "date" or c.is_year]
        hinted = [c for c in dated if self.steps(c.table) is not None]
        if hinted:
            return self.column(dict.fromkeys(hinted), "the date")
        if self.dated is not None and self.steps(self.dated.table) is not None:
            return self.dated
        reached = [self.base, *self.schema.neighbours([self.base])]
        for table in reached:
            if self.steps(table) is None:
                continue
            columns = self.schema.tables[table].columns
            dates = _events([c for c in columns if not c.is_of_life and (c.kind == "date" or c.is_year)])
            if len(dates) > 1 and self.schema.tables[table].described:
                dates = _always(dates)
            if len(dates) == 1:
                self.cost += self.steps(table) or 0
                return dates[0]
            if dates:
                names = " or ".join(plain(c.name) for c in dates)
                raise NotUnderstoodError(f"The date could be {names}: please say which.")
        raise NotUnderstoodError(f"{plain(self.base)} holds no dates.")

    def entity(self, tables: Sequence[str], name: str) -> str | None:
        """Choose the table whose rows to group by, of those that each row of the base points to."""
        reached = [(steps, t) for t in tables if (steps := self.steps(t)) is not None]
        if not reached:
            return None
        steps = min(reached)[0]
        table = self.likeliest([t for each, t in reached if each == steps], name)
        # Who spells the table may as well mean a column of that name: neither is further away.
        self.cost += 0 if steps == 1 and table in self.spoken else steps
        return table

    def likeliest(self, tables: Sequence[str], name: str) -> str:
        """Choose one of the tables that a name may mean: of those spoken of, and a table rather than a view of it."""
        spoken = [t for t in tables if t in self.spoken] or tables
        found = [t for t in spoken if not self.schema.tables[t].is_view] or spoken
        if len(found) > 1:
            raise UnclearError(name, found)
        return found[0]

    def no_way(self, tables: Sequence[str], name: str) -> NotUnderstoodError:
        """Say that nothing leads there, or too much: two keys that point to one table."""
        for edge in self.schema.loose(self.base):
            if edge.target.table in tables:
                several = f"Several rows of {plain(edge.target.table)} have the same {plain(edge.target.name)}"
                return AlmostError(f"{several}, so nothing of them can be told for each row of {plain(self.base)}.")
        ways = next((ways for t in tables if len(ways := self.schema.ways(self.base, t)) > 1), [])
        keys = list(dict.fromkeys(plain(edge.source.name) for way in ways for edge in way[-1:]))
        if len(keys) > 1:
            either = " or of ".join(keys)
            return NotUnderstoodError(f"“{name}” may be of {either}: I cannot tell which of them is meant.")
        return NotUnderstoodError(f"I see no way from {plain(self.base)} to “{name}”.")

    def _distance(self, pair: tuple[int, Column]) -> int:
        steps, column = pair
        return 0 if column.table in self.spoken and steps <= 2 and self.base not in {column.table} else steps


def table_of(item: Item, schema: Schema, spoken: Iterable[str] = ()) -> str | None:
    """Return the one table that an item names.

    Raises:
        NotUnderstoodError: It may be more than one.
    """
    tables = [t for t in item.tables if t in schema.tables]
    tables = [t for t in tables if t in {*spoken}] or tables
    tables = [t for t in tables if not schema.tables[t].is_view] or tables
    if len(tables) > 1:
        raise UnclearError(item.text, tables)
    return tables[0] if tables else None


def _clearer(columns: list[Column], name: str) -> list[Column]:
    """Prefer the column whose name is the word alone, and then the one that is no key."""
    exact = [c for c in columns if len(c.words) == 1 and same(c.words[0], name)]
    if len(exact) == 1:
        return exact
    total = [c for c in columns if {"total", "amount"} & set(c.words)]
    if len({c.table for c in columns}) == 1 and len(total) == 1 and same(name, "amount"):
        return total
    return columns


def _always(dates: list[Column]) -> list[Column]:
    """Prefer the one date that every row has to those of what may happen to it later, unless it begins a time."""
    told = [c for c in dates if not c.nullable]
    return dates if len(told) != 1 or _BEGINNING & {*map(stem, told[0].words)} else told


def _events(times: list[Column]) -> list[Column]:
    """Leave out what a table keeps for its own housekeeping where there is more, and years where there are dates."""
    kept = [c for c in times if not _HOUSEKEEPING & {*c.words}]
    return [c for c in kept if c.kind == "date"] or kept or times[:1]
