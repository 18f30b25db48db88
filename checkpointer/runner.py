"""Drive operations over a connection pool: the only code that touches a cursor, binds the principal and retries.

All statements of a round trip go out in one psycopg pipeline on an autocommit connection. Between two syncs a pipeline
is one implicit transaction, so no BEGIN and COMMIT travel, and nothing is fetched before the sync that ends it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from checkpointer.errors import DatabaseUnavailableError, NotBelievedError, WrongThreadError
from checkpointer.operations import Operation, Row, Statement
from checkpointer.queries import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkpointer.principal import Principal

T = TypeVar("T")

_CONNECTION = {
    "autocommit": True,
    "application_name": "mooring",
    # A peer that stopped answering is noticed in seconds, not in the hours of TCP's defaults.
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class _Runner:
    def __init__(self, schema: str, max_size: int) -> None:
        self.queries = queries(schema)
        # After a restart every pooled connection is dead, and each is found out by using it.
        self.attempts = max_size + 1

    def plan(self, statements: Sequence[Statement], principal: Principal | None) -> list[Statement]:
        """Put the binding of the principal before the statements."""
        if principal is None:
            return list(statements)
        return [Statement("bind", {"principal": principal.name}), *statements]

    def check(self, results: list[list[Row]], principal: Principal | None) -> list[list[Row]]:
        """Take the binding's answer off the results.

        Raises:
            NotBelievedError: The database does not believe this connection about the principal.
        """
        if principal is None:
            return results
        bound, *rest = results
        if bound[0][1] is not True:
            raise NotBelievedError(principal.name)
        return rest


class SyncRunner(_Runner):
    """Runs operations on threads. Any number of threads may share it; each trip takes one pooled connection."""

    def __init__(self, conninfo: str, schema: str, min_size: int, max_size: int, timeout: float) -> None:
        super().__init__(schema, max_size)
        self.pool = ConnectionPool(
            conninfo,
            kwargs=dict(_CONNECTION),
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            max_lifetime=1800,
            max_idle=300,
            name="mooring",
        )

    def run(self, operation: Operation[T], principal: Principal | None) -> T:
        """Drive an operation to its result."""
        try:
            statements = next(operation)
            while True:
                try:
                    results = self._trip(statements, principal)
                except psycopg.IntegrityError as error:
                    statements = operation.throw(error)
                else:
                    statements = operation.send(results)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _trip(self, statements: Sequence[Statement], principal: Principal | None) -> list[list[Row]]:
        plan = self.plan(statements, principal)
        for attempt in range(1, self.attempts + 1):
            try:
                with self.pool.connection() as conn:
                    with conn.pipeline():
                        cursors = [conn.execute(self.queries[s.name], s.params, binary=True) for s in plan]
                    results = [cursor.fetchall() if cursor.description else [] for cursor in cursors]
                return self.check(results, principal)
            except PoolTimeout as error:
                raise _unavailable() from error
            except psycopg.OperationalError as error:
                if not conn.broken:
                    raise
                if attempt == self.attempts:
                    raise _unavailable() from error
        raise AssertionError


class AsyncRunner(_Runner):
    """Runs operations on one event loop."""

    def __init__(self, conninfo: str, schema: str, min_size: int, max_size: int, timeout: float) -> None:
        super().__init__(schema, max_size)
        self.loop = asyncio.get_running_loop()
        self.pool = AsyncConnectionPool(
            conninfo,
            kwargs=dict(_CONNECTION),
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            max_lifetime=1800,
            max_idle=300,
            name="mooring",
        )

    async def run(self, operation: Operation[T], principal: Principal | None) -> T:
        """Drive an operation to its result."""
        try:
            statements = next(operation)
            while True:
                try:
                    results = await self._trip(statements, principal)
                except psycopg.IntegrityError as error:
                    statements = operation.throw(error)
                else:
                    statements = operation.send(results)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def other_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop, for a caller on another thread.

        Raises:
            WrongThreadError: The caller is the loop itself, and would wait for itself.
        """
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            return self.loop
        if here is self.loop:
            raise WrongThreadError
        return self.loop

    async def _trip(self, statements: Sequence[Statement], principal: Principal | None) -> list[list[Row]]:
        plan = self.plan(statements, principal)
        for attempt in range(1, self.attempts + 1):
            try:
                async with self.pool.connection() as conn:
                    async with conn.pipeline():
                        cursors = [await conn.execute(self.queries[s.name], s.params, binary=True) for s in plan]
                    results = [await cursor.fetchall() if cursor.description else [] for cursor in cursors]
                return self.check(results, principal)
            except PoolTimeout as error:
                raise _unavailable() from error
            except psycopg.OperationalError as error:
                if not conn.broken:
                    raise
                if attempt == self.attempts:
                    raise _unavailable() from error
        raise AssertionError


def _unavailable() -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        "The sessions' database cannot be reached. Nothing that was acknowledged is lost; try again when it is back."
    )
