"""Poolers between us and Postgres that hand each transaction another connection, as PgBouncer does by default.

Statements that psycopg prepared on one connection are unknown, or known already, on the next. A pooler answers for a
connection with a process number of its own making, which tells it from Postgres itself; there nothing is prepared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

_BACKEND = "select pg_catalog.pg_backend_pid()"


class Preparing:
    """Configures the connections of one pool. The first one is asked; the others lead to the same place."""

    def __init__(self) -> None:
        self._pooled: bool | None = None

    def configure(self, conn: Connection[Any]) -> None:
        """Prepare nothing on a connection that leads to a pooler."""
        if self._pooled is None:
            self._pooled = conn.execute(_BACKEND).fetchall() != [(conn.info.backend_pid,)]
        if self._pooled:
            conn.prepare_threshold = None

    async def aconfigure(self, conn: AsyncConnection[Any]) -> None:
        """Async version of `configure`."""
        if self._pooled is None:
            cursor = await conn.execute(_BACKEND)
            self._pooled = await cursor.fetchall() != [(conn.info.backend_pid,)]
        if self._pooled:
            conn.prepare_threshold = None
