"""What every catalog offers: tables, always seen with one caller's credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

# What a value was read from, and how its reader saw it: a source, `catalog.schema.table`, and a fingerprint of what the
# catalog let them see of it, None where nobody took one.
Labels = frozenset[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may cost."""

    rows: int = 200
    """Most rows returned."""
    bytes: int = 50_000
    """Most bytes of values returned, as JSON."""
    seconds: float = 30.0
    """Longest time for each statement that the database runs for it."""
    waiting: float = 300.0
    """Longest time that it waits for others of the same catalog, as only a few run at once."""
    tables: int = 200
    """Most tables in one listing."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    """As SQL spells it: quoted where that is needed."""
    type: str
    nullable: bool
    comment: str | None
    primary_key: bool
    references: str | None
    """What a foreign key points to, as SQL spells `schema.table.column`; None if the caller may not read it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in a listing."""

    table: str
    """As SQL spells it: `schema.table`, or `catalog.schema.table` where there are several catalogs."""
    kind: str
    """table, view, materialized view or foreign table."""
    comment: str | None
    columns: dict[str, str]
    """Type by column name as SQL spells it, without the columns that the caller may not read."""


@dataclass(frozen=True, slots=True)
class TableList:
    """The tables that the caller may read."""

    tables: list[Table]
    truncated: bool


@dataclass(frozen=True, slots=True)
class TableDescription:
    """A table with its columns."""

    table: str
    kind: str
    comment: str | None
    estimated_rows: int | None
    """The planner's estimate; None where it is unknown or where the caller sees part of the rows only."""
    columns: list[Column]
    sources: frozenset[str]
    labels: Labels


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query returned: JSON values, at most as much as the limits allow."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool
    """Whether there was more."""
    too_large: bool
    """Whether more was left out for its bytes, and not for the number of rows."""
    sources: frozenset[str]
    """The tables that it was read from, as `database.schema.table`."""
    labels: Labels
    """Those of them that the caller must be able to read to see it again: what stands behind a view is the view's."""
    statement: str | None = None
    """Its id in the history of queries, where there is one."""


class Catalog(Protocol):
    """Tables as one caller sees them. Every method may raise CatalogError."""

    def list_tables(self) -> TableList:
        """List the tables that the caller may read."""
        ...

    def describe_table(self, table: str) -> TableDescription:
        """Describe one table, named as in SQL."""
        ...

    def query(self, sql: str) -> QueryResult:
        """Run one read-only query."""
        ...

    def cancel(self) -> None:
        """Cancel what the database does for the caller now; whoever waits for it gets QueryCancelledError.

        It may come from any thread, and with nothing to cancel it does nothing.
        """
        ...
