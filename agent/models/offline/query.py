"""What a question asks for, apart from its words and from SQL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from agent.models.offline.language.dates import Period
from agent.models.offline.schema import Column, Edge


@dataclass(frozen=True, slots=True)
class Measure:
    """What to compute: `agg` is count, distinct, sum, avg, median, min or max; without a column rows are counted."""

    agg: str
    column: Column | None = None
    counted: str | None = None
    """The table whose rows are counted, where it is not the base."""


@dataclass(frozen=True, slots=True)
class Group:
    """What to compute it for each of: a column, a unit of time of a column, or the rows of a table."""

    column: Column | None = None
    unit: str | None = None
    entity: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a column.

    `op` is one of =, <>, in, not in, >, >=, <, <=, between, true, false, period, null, told (not empty), none (empty or
    0).
    """

    column: Column
    op: str
    values: tuple[str, ...] = ()
    """Texts as they are stored, or numbers as SQL spells them."""
    period: Period | None = None
    through: Edge | None = None
    """The step over which it chooses rows, where several of the column's table belong to one of the base."""


@dataclass(frozen=True, slots=True)
class Having:
    """A condition on the first measure."""

    op: str
    values: tuple[str, ...]

    def holds(self, figure: int) -> bool:
        """Tell whether a figure meets it."""
        values = {Decimal(value) for value in self.values}
        first, last = min(values), max(values)
        return {
            "=": figure == first,
            "<>": figure != first,
            "in": figure in values,
            "not in": figure not in values,
            "<": figure < first,
            "<=": figure <= first,
            ">": figure > first,
            ">=": figure >= first,
            "between": first <= figure <= last,
        }[self.op]


@dataclass(frozen=True, slots=True)
class Missing:
    """Only rows of `entity` to which no row of `table` points, or none of those that meet the conditions."""

    entity: str
    table: str
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """One question to the data. Without measures its rows are listed."""

    base: str
    """The table whose rows are computed with or listed; everything else is reached from it, many to one."""
    measures: tuple[Measure, ...] = ()
    groups: tuple[Group, ...] = ()
    shown: tuple[Column, ...] = ()
    """Columns to list; empty for those that a person knows a row by."""
    subject: str | None = None
    """The table whose rows are listed, each once, where it is reached from the base."""
    filters: tuple[Filter, ...] = ()
    having: Having | None = None
    missing: Missing | None = None
    order: str | None = None
    """desc or asc: by the first measure, or by `ordered`."""
    ordered: Column | None = None
    limit: int | None = None
    keyed: bool = False
    """Whether rows are shown with their keys, as they cannot be told apart without."""
    folded: str = ""
    """What is computed from the figures of the groups: count (how many groups there are), avg, or nothing."""

    @property
    def columns(self) -> list[Column]:
        """Every column that it looks at."""
        filtered = [f.through.source if f.through else f.column for f in self.filters]
        found = [m.column for m in self.measures] + [g.column for g in self.groups] + filtered
        return [c for c in (*found, *self.shown, self.ordered) if c is not None]

    @property
    def tables(self) -> list[str]:
        """The tables that it names, the base first."""
        others = [g.entity for g in self.groups] + [c.table for c in self.columns] + [self.subject]
        others += [self.missing.table] if self.missing else []
        return list(dict.fromkeys(t for t in (self.base, *others) if t))

    @property
    def ranked(self) -> bool:
        """Whether it asks for the first rows of an order."""
        return self.limit is not None and self.order is not None and bool(self.ordered or self.measures)

    @property
    def counts_none(self) -> bool:
        """Whether a group of which there are no rows at all may be among those asked for: "fewer than 3 sales"."""
        counting = all(m.column is None or m.counted for m in self.measures[:1])
        if not self.measures or not self.groups or not counting:
            return False
        return (
            self.folded == "avg"
            or (self.ranked and self.order == "asc")
            or (self.having is not None and self.having.holds(0))
        )

    def filtered(self, more: tuple[Filter, ...]) -> Query:
        """Add conditions; a new one takes the place of those on the same column."""
        columns = {f.column for f in more}
        return replace(self, filters=(*(f for f in self.filters if f.column not in columns), *more))
