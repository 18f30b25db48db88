"""Drive operations over a connection pool: the only code that touches a cursor, binds the principal and retries.

A statement that binds the principal itself travels alone; any others go out in one psycopg pipeline with the binding
before them. On an autocommit connection either is one implicit transaction (a pipeline between two syncs), so that no
BEGIN and COMMIT travel, and nothing is fetched before it has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolClosed, PoolTimeout

from checkpointer.answers import Answers
from checkpointer.arrays import Ints, Texts, with_arrays
from checkpointer.attempts import Attempts, unreachable
from checkpointer.calls import Calls, Rows
from checkpointer.errors import NotBelievedError, NotOpenError, NotPermittedError, WrongThreadError
from checkpointer.operations import (
    A_VIEWER,
    IS_SEALED,
    IS_WITHHELD,
    NO_AUDITOR,
    NO_THREAD,
    STALE_LEASE,
    Operation,
    Row,
    Statement,
)
from checkpointer.poolers import Preparing
from checkpointer.queries import queries
from checkpointer.stalls import StallWatch, Watched
from checkpointer.texts import REFUSED, refused_text
from checkpointer.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from checkpointer.principal import Principal

T = TypeVar("T")
Conninfo = str | Callable[[], str]
"""How to connect, or what tells it anew for each connection and may take its time; it is called on any thread."""

# What the functions of the schema raise: a principal that is not believed, and labels that another catalog knows about.
_NOT_BELIEVED, _UNANSWERED = "MRG01", "MRG06"
_EXPLAINED = (STALE_LEASE, A_VIEWER, NO_THREAD, NO_AUDITOR, IS_SEALED, IS_WITHHELD)
# Times that a statement asks about labels; each time it learns of all that there are then.
_QUESTIONS = 3
# Rows and items that are decoded on the event loop; more of them would keep its other tasks waiting.
_MANY_ROWS = 250
# How often it is looked whether a pool that opens was refused.
_LOOK_SECONDS = 0.25

_CONNECTION = {
    "autocommit": True,
    "application_name": "mooring",
    "client_encoding": "utf8",
    "context": with_arrays(),
    # A peer that stopped answering is noticed in seconds, not in the hours of TCP's defaults.
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class _Runner:
    def __init__(self, schema: str, max_size: int, stall_timeout: float) -> None:
        self.queries = queries(schema)
        self.calls = Calls(self.queries)
        # Which schema of which database it is, once that is verified.
        self.place = ""
        self.stalls = StallWatch(stall_timeout)
        self.connecting = Attempts()
        # After a restart every pooled connection is dead, and each is found out by using it.
        self.attempts = max_size + 1 + _QUESTIONS
        self.answers = Answers()
        self._turns = Turns()

    def plan(self, statements: Sequence[Statement], principal: Principal | None) -> list[Statement]:
        """Put the binding of the principal before the statements."""
        if principal is None:
            return list(statements)
        bound = self.binding(principal)
        return [Statement("bind", bound), *(s._replace(params={**s.params, **bound}) for s in statements)]

    def binding(self, principal: Principal) -> dict[str, Any]:
        """Return the parameters that bind the principal."""
        said = self.answers.of(principal)
        return {
            "principal": principal.name,
            "groups": Texts(sorted(principal.groups)),
            "answers": None if said is None else Ints(said),
        }

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

    def passed_on(
        self, error: psycopg.Error | UnicodeEncodeError, principal: Principal | None, statements: Sequence[Statement]
    ) -> psycopg.Error:
        """Return an error that the operation itself knows how to explain; raise any other."""
        if isinstance(error, REFUSED) and (refused := refused_text(error, statements)):
            raise refused from None  # Python's own quotes the text
        if isinstance(error, UnicodeEncodeError):
            raise error
        if error.sqlstate == _NOT_BELIEVED and principal is not None:
            raise NotBelievedError(principal.name) from error
        if isinstance(error, psycopg.IntegrityError) or error.sqlstate in _EXPLAINED:
            return error
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            raise NotPermittedError from error
        raise error


class SyncRunner(_Runner):
    """Runs operations on threads. Any number of threads may share it; each trip takes one pooled connection."""

    def __init__(
        self, conninfo: Conninfo, schema: str, min_size: int, max_size: int, timeout: float, stall_timeout: float
    ) -> None:
        super().__init__(schema, max_size, stall_timeout)
        self.pool = ConnectionPool(
            conninfo if isinstance(conninfo, str) else self.connecting.telling(conninfo),
            connection_class=self.connecting.connection_class(),
            kwargs=dict(_CONNECTION),
            configure=Preparing().configure,
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            max_lifetime=1800,
            max_idle=300,
            name="mooring",
        )

    def open(self) -> None:
        """Open the pool. A server that is away may come back in time; what refuses once refuses again."""
        self.pool.open()
        end = time.monotonic() + self.pool.timeout
        while True:
            try:
                with self.pool.connection(_LOOK_SECONDS):
                    return
            except PoolTimeout as error:
                if self.connecting.refused() or time.monotonic() > end:
                    raise self.connecting.unavailable() from self.connecting.failure or error

    def run(self, operation: Operation[T], principal: Principal | None, thread: Hashable = None) -> T:
        """Drive an operation to its result; of those that store into one `thread`, one at a time."""
        if thread is None:
            return self._drive(operation, principal)
        with self._turns.of(thread):
            return self._drive(operation, principal)

    def _drive(self, operation: Operation[T], principal: Principal | None) -> T:
        try:
            statements = next(operation)
            while True:
                try:
                    results = self._trip(statements, principal)
                except (psycopg.DatabaseError, UnicodeEncodeError) as error:
                    statements = operation.throw(self.passed_on(error, principal, statements))
                else:
                    statements = operation.send(results)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            operation.close()

    def _trip(self, statements: Sequence[Statement], principal: Principal | None) -> list[list[Row]]:
        stalled = False
        for _ in range(self.attempts):
            watched: Watched | None = None
            try:
                with self.pool.connection() as conn, self.stalls.over(conn) as watched:
                    return self._sent(conn, statements, principal)
            except PoolTimeout as error:
                raise self.connecting.unavailable() from self.connecting.failure or error
            except PoolClosed as error:  # while this waited
                raise NotOpenError from error
            except psycopg.DatabaseError as error:
                if question := _question(error, principal):
                    self.answers.ask(*question)
                elif not (isinstance(error, psycopg.OperationalError) and conn.broken):
                    raise
            if watched is not None and watched.cut:
                if stalled:
                    break
                stalled = True
                self.pool.drain()  # the others probably stall as well
        raise unreachable()

    def _sent(
        self, conn: psycopg.Connection[Row], statements: Sequence[Statement], principal: Principal | None
    ) -> list[list[Row]]:
        if statements[0].binds and principal is not None:
            [statement] = statements
            params = {**statement.params, **self.binding(principal)}
            try:
                rows = conn.wait(self.calls.send(conn, statement.name, params))
                return [rows.taken(0, len(rows))]
            except BaseException as error:
                if not isinstance(error, psycopg.Error):
                    conn.close()  # cancelled, perhaps between preparing and executing
                raise
        try:
            with conn.pipeline():
                try:
                    plan = self.plan(statements, principal)
                    cursors = [conn.execute(self.queries[s.name], s.params, binary=True) for s in plan]
                except BaseException:
                    # The end of a pipeline has the server commit as many of them as were sent.
                    if not conn.broken:
                        conn.close()
                    raise
        except BaseException:
            # What would have been prepared after the statement that failed is not there, and psycopg believes it is.
            if not conn.broken:
                conn.close()
            raise
        return self.check([cursor.fetchall() if cursor.description else [] for cursor in cursors], principal)


class AsyncRunner(_Runner):
    """Runs operations on one event loop."""

    def __init__(
        self, conninfo: Conninfo, schema: str, min_size: int, max_size: int, timeout: float, stall_timeout: float
    ) -> None:
        super().__init__(schema, max_size, stall_timeout)
        self.loop = asyncio.get_running_loop()
        self.pool = AsyncConnectionPool(
            conninfo if isinstance(conninfo, str) else partial(asyncio.to_thread, self.connecting.telling(conninfo)),
            connection_class=self.connecting.async_connection_class(),
            kwargs=dict(_CONNECTION),
            configure=Preparing().aconfigure,
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            max_lifetime=1800,
            max_idle=300,
            name="mooring",
        )

    async def open(self) -> None:
        """Open the pool. A server that is away may come back in time; what refuses once refuses again."""
        await self.pool.open()
        end = time.monotonic() + self.pool.timeout
        while True:
            try:
                async with self.pool.connection(_LOOK_SECONDS):
                    return
            except PoolTimeout as error:
                if self.connecting.refused() or time.monotonic() > end:
                    raise self.connecting.unavailable() from self.connecting.failure or error

    async def run(self, operation: Operation[T], principal: Principal | None, thread: Hashable = None) -> T:
        """Drive an operation to its result; of those that store into one `thread`, one at a time."""
        if thread is None:
            return await self._drive(operation, principal)
        async with self._turns.async_of(thread):
            return await self._drive(operation, principal)

    async def _drive(self, operation: Operation[T], principal: Principal | None) -> T:
        try:
            statements = next(operation)
            while True:
                try:
                    results = await self._trip(statements, principal)
                except (psycopg.DatabaseError, UnicodeEncodeError) as error:
                    statements = operation.throw(self.passed_on(error, principal, statements))
                else:
                    if sum(map(len, results)) + sum(s.held for s in statements) < _MANY_ROWS:
                        statements = operation.send(results)
                        continue
                    done, answer = await _resumed_elsewhere(operation, results)
                    if done:
                        break
                    statements = answer
        except StopIteration as stop:
            answer = stop.value
        finally:
            with suppress(ValueError):  # another thread is in it, and closes it
                operation.close()
        result: T = answer
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

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        """Take a connection, and give it back whoever is cancelled meanwhile; the pool's own context would lose it."""
        conn = await self.pool.getconn()
        try:
            async with conn:
                yield conn
        finally:
            await asyncio.shield(self.pool.putconn(conn))

    async def _trip(self, statements: Sequence[Statement], principal: Principal | None) -> list[list[Row]]:
        stalled = False
        for _ in range(self.attempts):
            watched: Watched | None = None
            try:
                async with self._connection() as conn:
                    with self.stalls.over(conn) as watched:
                        return await self._sent(conn, statements, principal)
            except PoolTimeout as error:
                raise self.connecting.unavailable() from self.connecting.failure or error
            except PoolClosed as error:  # while this waited
                raise NotOpenError from error
            except psycopg.DatabaseError as error:
                if question := _question(error, principal):
                    await asyncio.to_thread(self.answers.ask, *question)
                elif not (isinstance(error, psycopg.OperationalError) and conn.broken):
                    raise
            if watched is not None and watched.cut:
                if stalled:
                    break
                stalled = True
                await self.pool.drain()  # the others probably stall as well
        raise unreachable()

    async def _sent(
        self, conn: psycopg.AsyncConnection[Row], statements: Sequence[Statement], principal: Principal | None
    ) -> list[list[Row]]:
        if statements[0].binds and principal is not None:
            [statement] = statements
            params = {**statement.params, **self.binding(principal)}
            try:
                return [await _taken(await conn.wait(self.calls.send(conn, statement.name, params)))]
            except BaseException as error:
                if not isinstance(error, psycopg.Error):
                    await conn.close()  # cancelled, perhaps between preparing and executing
                raise
        try:
            async with conn.pipeline():
                try:
                    plan = self.plan(statements, principal)
                    cursors = [await conn.execute(self.queries[s.name], s.params, binary=True) for s in plan]
                except BaseException:
                    # The end of a pipeline has the server commit as many of them as were sent.
                    if not conn.broken:
                        await conn.close()
                    raise
        except BaseException:
            # What would have been prepared after the statement that failed is not there, and psycopg believes it is.
            if not conn.broken:
                await conn.close()
            raise
        return self.check([await _fetched(cursor) for cursor in cursors], principal)


async def _taken(rows: Rows) -> list[Row]:
    """Take all rows, with a turn for the loop's other tasks now and then."""
    taken = rows.taken(0, min(len(rows), _MANY_ROWS))
    while len(taken) < len(rows):
        await asyncio.sleep(0)
        taken += rows.taken(len(taken), min(len(rows), len(taken) + _MANY_ROWS))
    return taken


async def _fetched(cursor: psycopg.AsyncCursor[Row]) -> list[Row]:
    """Fetch all rows, with a turn for the loop's other tasks now and then."""
    if not cursor.description:
        return []
    rows = await cursor.fetchmany(_MANY_ROWS)
    while len(rows) < cursor.rowcount:
        await asyncio.sleep(0)
        rows += await cursor.fetchmany(_MANY_ROWS)
    return rows


async def _resumed_elsewhere(operation: Operation[Any], results: list[list[Row]]) -> tuple[bool, Any]:
    """Resume an operation on another thread. Who is cancelled does not wait for it; it is closed when it gets there."""
    loop = asyncio.get_running_loop()
    resuming = loop.run_in_executor(None, copy_context().run, _resumed, operation, results)

    def close(done: asyncio.Future[tuple[bool, Any]]) -> None:
        done.exception()  # nobody is there to be told
        operation.close()

    try:
        return await asyncio.shield(resuming)
    except asyncio.CancelledError:
        resuming.add_done_callback(close)
        raise


def _resumed(operation: Operation[Any], results: list[list[Row]]) -> tuple[bool, Any]:
    """Resume an operation on another thread, which StopIteration cannot leave."""
    try:
        return False, operation.send(results)
    except StopIteration as stop:
        return True, stop.value


def _question(error: psycopg.DatabaseError, principal: Principal | None) -> tuple[Principal, str] | None:
    """Return whom to ask about which labels, if that is what the database wants to know."""
    if error.sqlstate != _UNANSWERED or principal is None:
        return None
    return principal, error.diag.message_detail or "[]"
