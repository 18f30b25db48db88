"""Poolers between us and Postgres that hand each transaction another connection, as PgBouncer does by default.

Statements that psycopg prepared on one connection are unknown, or known already, on the next. A pooler answers for a
connection with a process number of its own making, which tells it from Postgres itself; there nothing is prepared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

_BACKEND = "select pg_catalog.pg_backend_pid()"


def prepare_nothing_behind_a_pooler(conn: Connection[Any]) -> None:
    """Configure a new connection."""
    cursor = conn.execute(_BACKEND)
    if cursor.fetchall() != [(conn.info.backend_pid,)]:
        conn.prepare_threshold = None


async def aprepare_nothing_behind_a_pooler(conn: AsyncConnection[Any]) -> None:
    """Async version."""
    cursor = await conn.execute(_BACKEND)
    if await cursor.fetchall() != [(conn.info.backend_pid,)]:
        conn.prepare_threshold = None
