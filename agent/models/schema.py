"""What the tools told about the schema: tables, columns, and how tables hang together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agent.models.words import spells, words_of

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double", "money")
_TEXTS = ("text", "character", "citext", "name", "public.citext")
_OTHERS = ("json", "bytea", "interval", "time ", "xml", "tsvector", "point", "bit", "vector")
# Names that Postgres or a parser of SQL may not read as a column where they are written bare.
_RESERVED = frozenset(
    [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "between",
        "binary",
        "bit",
        "both",
        "case",
        "cast",
        "check",
        "collate",
        "column",
        "constraint",
        "create",
        "cross",
        "default",
        "deferrable",
        "desc",
        "describe",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "exists",
        "false",
        "fetch",
        "filter",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "group",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "intersect",
        "interval",
        "into",
        "is",
        "isnull",
        "join",
        "kill",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "natural",
        "not",
        "notnull",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "outer",
        "over",
        "overlaps",
        "partition",
        "placing",
        "primary",
        "references",
        "replace",
        "returning",
        "right",
        "row",
        "rows",
        "select",
        "set",
        "show",
        "similar",
        "some",
        "symmetric",
        "table",
        "tablesample",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "unnest",
        "update",
        "use",
        "user",
        "using",
        "values",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
    ]
)


@dataclass(frozen=True)
class Column:
    """A column; `references` is the table and column that it points to."""

    table: str
    name: str
    type: str
    comment: str | None = None
    primary: bool = False
    references: tuple[str, str] | None = None

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its name."""
        return words_of(self.name)

    @cached_property
    def kind(self) -> str:
        """One of number, text, date, bool, other."""
        low = self.type.casefold()
        if low.endswith("]") or low.startswith(_OTHERS):
            return "other"
        if low.startswith(_NUMBERS):
            return "number"
        if low.startswith("bool"):
            return "bool"
        return "date" if low.startswith(("date", "timestamp")) else "text"

    @property
    def is_key(self) -> bool:
        """Whether it identifies rows rather than saying anything about them."""
        return self.primary or self.references is not None or self.words[-1:] in {("id",), ("key",), ("uuid",)}

    @property
    def measures(self) -> bool:
        """Whether it makes sense to compute with it."""
        return self.kind == "number" and not self.is_key and self.words[-1:] not in {("year",), ("month",)}

    @property
    def as_text(self) -> str:
        """Its value as text in SQL, to be put behind a table's alias and a dot."""
        return quoted(self.name) + ("" if self.type.casefold().startswith(_TEXTS) else "::text")


@dataclass(frozen=True)
class Table:
    """A table or view; `name` can be pasted into SQL."""

    name: str
    kind: str
    comment: str | None
    columns: tuple[Column, ...]
    described: bool = False

    @property
    def short(self) -> str:
        """Its name without schema and quotes."""
        return _parts(self.name)[-1]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its name, without the schema."""
        return words_of(self.short)

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
        named = [c for c in texts if c.words[-1] in {"name", "title"} and c.words[0] not in {"first", "last", "user"}]
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

    def edges(self, table: str) -> list[Edge]:
        """Return the steps from this table to the one row that each of its rows points to."""
        pairs = [(column, self._target(column)) for column in self.tables[table].columns]
        return [Edge(source, target) for source, target in pairs if target and target.table != table]

    def path(self, start: str, end: str) -> list[Edge] | None:
        """Return the one shortest way from many to one, of three steps at most.

        None when there is no way, or more than one of the shortest length.
        """
        ways: list[tuple[str, list[Edge]]] = [(start, [])]
        for _ in range(4):
            arrived = [way for table, way in ways if table == end]
            if arrived:
                return arrived[0] if len(arrived) == 1 else None
            ways = [(e.target.table, [*way, e]) for table, way in ways for e in self.edges(table)]
        return None

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
        found = [t for t in found if _parts(t.name)[0] == _parts(column.table)[0]] or found
        if len(found) != 1 or found[0].name == column.table:
            return None
        for words in (column.words, column.words[-1:]):
            if keys := [c for c in found[0].columns if c.words == words]:
                return keys[0] if keys[0].kind == column.kind else None
        return None


def schema_of(listed: Mapping[str, Any], described: Iterable[Mapping[str, Any]] = ()) -> Schema:
    """Put together what list_tables and describe_table returned."""
    tables = {told["table"]: _listed(told) for told in listed["tables"]}
    tables.update((told["table"], _described(told)) for told in described)
    return Schema(tables)


def quoted(name: str) -> str:
    """Return a column's name as SQL spells it."""
    if _PLAIN.match(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def unquoted(name: str) -> str:
    """Return a table's name as a person reads it, such as `sales.Order Lines`."""
    return ".".join(_parts(name))


def _parts(name: str) -> list[str]:
    found = re.findall(r'"((?:[^"]|"")*)"|([^".]+)', name)
    return [a.replace('""', '"') or b for a, b in found] or [name]


def _listed(told: Mapping[str, Any]) -> Table:
    columns = tuple(Column(told["table"], name, kind) for name, kind in told["columns"].items())
    return Table(told["table"], told["kind"], told["comment"], columns)


def _described(told: Mapping[str, Any]) -> Table:
    name = told["table"]
    columns = tuple(
        Column(name, c["name"], c["type"], c["comment"], bool(c["primary_key"]), _reference(c["references"]))
        for c in told["columns"]
    )
    return Table(name, told["kind"], told["comment"], columns, described=True)


def _reference(references: str | None) -> tuple[str, str] | None:
    if not references:
        return None
    if references.endswith('"'):
        table, column = references[:-1].rsplit('."', 1)
        return table, column.replace('""', '"')
    table, _, column = references.rpartition(".")
    return table, column
