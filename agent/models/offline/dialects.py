"""What one kind of SQL spells in another way than the other."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_FORMATS = {
    "quarter": "'YYYY-\"Q\"Q'",
    "month": "'YYYY-MM'",
    "week": "'IYYY-\"W\"IW'",
    "day": "'YYYY-MM-DD'",
}


class Dialect:
    """SQL of Postgres."""

    quote = '"'

    def literal(self, text: str) -> str:
        """Return a text as SQL spells it; backslashes are plain with standard_conforming_strings."""
        return "'" + text.replace("\0", "").replace("'", "''") + "'"

    def name(self, name: str) -> str:
        """Return the name of a column of the result, quoted where that is needed."""
        return name if _PLAIN.fullmatch(name) else self.quote + name.replace(self.quote, "") + self.quote

    def as_text(self, value: str) -> str:
        """Return a value of another type as text."""
        return f"{value}::text"

    def unit(self, time: str, unit: str) -> str:
        """Return the year, quarter, month, week or day of a time; but for years as text that sorts."""
        return f"extract(year from {time})::int" if unit == "year" else f"to_char({time}, {_FORMATS[unit]})"

    def values(self, table: str, columns: Sequence[tuple[str, str]]) -> str:
        """Return what rows v of name and value come from: one for each of these columns, of each row t of a table."""
        pairs = ", ".join(f"({self.literal(name)}, {value})" for name, value in columns)
        return f"{table} as t cross join lateral (values {pairs}) as v (name, value)"

    def first(self, select: str, rest: str, order: str, by: str, count: int) -> str:
        """Return the first rows of an order, and those that are tied with the last one, to tell of them.

        The order is told twice: as it may name what is selected, and as it may not.
        """
        return f"select {select} {rest} order by {order} fetch first {count} rows with ties"


class _Databricks(Dialect):
    """SQL of Databricks. A backslash escapes, and there are no rows with ties."""

    quote = "`"

    def literal(self, text: str) -> str:
        return "'" + text.replace("\0", "").replace("\\", "\\\\").replace("'", "\\'") + "'"

    def as_text(self, value: str) -> str:
        return f"cast({value} as string)"

    def unit(self, time: str, unit: str) -> str:
        year = f"extract(year from {time})"
        if unit == "year":
            return year
        if unit == "quarter":
            return f"{year} || '-Q' || extract(quarter from {time})"
        if unit == "week":
            week = f"lpad(cast(extract(week from {time}) as string), 2, '0')"
            return f"extract(yearofweek from {time}) || '-W' || {week}"
        return f"date_format({time}, '{'yyyy-MM' if unit == 'month' else 'yyyy-MM-dd'}')"

    def values(self, table: str, columns: Sequence[tuple[str, str]]) -> str:
        rows = (f"select {self.literal(name)} as name, {value} as value from {table} as t" for name, value in columns)  # noqa: S608 - names from the catalog
        return f"({' union all '.join(rows)}) as v"

    def first(self, select: str, rest: str, order: str, by: str, count: int) -> str:
        ranked = f"select {select}, rank() over (order by {by}) as its_rank {rest}"
        return f"select * except (its_rank) from ({ranked}) as r where its_rank <= {count} order by its_rank"  # noqa: S608 - names from the catalog, texts quoted


POSTGRES = Dialect()
DATABRICKS = _Databricks()
