"""The rows of a query, as many as the limits allow, of which none is larger than they allow either.

A driver holds a row whole before anybody can look at it, so the server leaves out the values of one that is too large.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg import sql

from tools.values import size, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from tools.catalog import Limits

_BATCH, _GROWTH = 100, 8
# A value is shorter as JSON than as text at times.
_SLACK = 2


@contextmanager
def declared(conn: psycopg.Connection[Any], name: str, query: bytes) -> Iterator[psycopg.ServerCursor[Any]]:
    """Plan a query. A cursor stops the work at the limit, and runs the text as it is.

    The extended protocol, by which psycopg declares it, takes one statement only.
    """
    with conn.cursor(name=name) as cursor:
        cursor.execute(query)
        yield cursor


def fetch(
    conn: psycopg.Connection[Any], planned: psycopg.ServerCursor[Any], query: str, limits: Limits
) -> tuple[list[str], list[list[Any]], bool]:
    """Return columns and rows of a planned query, and whether there was more.

    Args:
        query: Its text, without a semicolon.
    """
    described = planned.description or ()
    columns = [column.name for column in described]
    wide = [number for number, column in enumerate(described) if column.internal_size is None]
    if not wide:
        return columns, *_rows(planned, limits, bounded=False)
    with declared(conn, "mooring_rows", _bounded(conn, query, len(columns), wide, limits.bytes)) as cursor:
        return columns, *_rows(cursor, limits, bounded=True)


def _bounded(conn: psycopg.Connection[Any], query: str, columns: int, wide: Sequence[int], most: int) -> bytes:
    """Return the query with a column at the end that tells that a row is too large; its values are null then."""
    names = [sql.Identifier(f"c{number}") for number in range(columns)]
    sizes = [sql.SQL("coalesce(octet_length({}::text), 0)::bigint").format(names[number]) for number in wide]
    text = sql.SQL(
        "select {values}, large"
        " from (select *, {sizes} > {most} as large from (\n{query}\n) as q ({names}) offset 0) as w"
    ).format(
        values=sql.SQL(", ").join(sql.SQL("case when not large then {0} end as {0}").format(name) for name in names),
        sizes=sql.SQL(" + ").join(sizes),
        most=sql.Literal(_SLACK * most),
        query=sql.SQL(query),
        names=sql.SQL(", ").join(names),
    )
    return text.as_bytes(conn)


def _rows(cursor: psycopg.ServerCursor[Any], limits: Limits, *, bounded: bool) -> tuple[list[list[Any]], bool]:
    rows: list[list[Any]] = []
    used = 0
    # Rows are fetched by the size of those before them, so that wide ones do not fill the memory.
    while batch := cursor.fetchmany(_batch(len(rows), used, limits)):
        for row in batch:
            *values, large = map(to_json, row) if bounded else (*map(to_json, row), False)
            used += size(values)
            if large or len(rows) == limits.rows or used > limits.bytes:
                return rows, True
            rows.append(values)
    return rows, False


def _batch(rows: int, used: int, limits: Limits) -> int:
    room = (limits.bytes - used) * rows // used if used else 0
    return max(1, min(room, _GROWTH * rows, _BATCH, limits.rows + 1 - rows))
