"""Operations that are cancelled or fail half-way leave the pool clean, and nobody bound."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from checkpointer import (
    BlockedTypeError,
    GovernedPostgresSaver,
    NotOpenError,
    Principal,
    ThreadExistsError,
    UnstorableTextError,
    acting_as,
)
from tests.chaos.operations import CALLS, FIRST, THREAD, async_call, checkpoint, holds, sync_call, undisturbed
from tests.chaos.watching import count, held_up, locked, until
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

SOMEBODY = Principal("somebody else")


@pytest.fixture
def person() -> Principal:
    return Principal(f"person-{uuid4()}")


@pytest.fixture(scope="module")
def expected(lakehouse: Database) -> Iterator[dict[str, Any]]:
    """What each operation leaves behind when nothing goes wrong."""
    with psycopg.connect(lakehouse.superuser or "", autocommit=True) as conn:
        yield undisturbed(lakehouse, Principal(f"undisturbed-{uuid4()}"), conn)


async def clean(saver: GovernedPostgresSaver) -> None:
    """The pool of one has its connection back, outside of any transaction, with nobody bound to it."""
    pool: Any = saver._runner().pool
    async with asyncio.timeout(10):
        async with pool.connection() as conn:
            assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            bound = await (await conn.execute("select current_setting('mooring.principal', true)")).fetchone()
            assert bound[0] in (None, "")
        with acting_as(SOMEBODY):
            assert await saver.asessions() == []


async def cancelled(call: Any, turns: int) -> bool:
    """Cancel an operation after so many turns of the event loop; False when it had ended before."""
    task = asyncio.ensure_future(call())
    for _ in range(turns):
        await asyncio.sleep(0)
    on_its_way = task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    except ThreadExistsError:  # the copy that was cancelled had been made
        return False
    assert not on_its_way, "the cancellation was swallowed"
    return False


@pytest.mark.parametrize("name", CALLS)
async def test_an_async_operation_may_be_cancelled_at_any_point(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any], name: str
) -> None:
    async with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as saver:
        with acting_as(person):
            for before in list(CALLS)[: list(CALLS).index(name)]:
                await async_call(saver, before)()
            turns = 0
            while await cancelled(async_call(saver, name), turns):
                await clean(saver)
                turns += 1 + turns // 4
            await clean(saver)
            assert turns > 0
            assert holds(admin, person) == expected[name]


async def test_what_a_cancelled_pipeline_did_not_get_to_is_prepared_anew(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal
) -> None:
    waiting = "select count(*) from pg_stat_activity where application_name = 'mooring' and wait_event_type = 'Lock'"
    async with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as saver:
        with acting_as(person):
            await async_call(saver, "put of a new thread")()
            for _ in range(7):  # psycopg prepares what it has executed five times
                with locked(lakehouse, "mooring.threads"):
                    task = asyncio.ensure_future(async_call(saver, "delete_for_runs")())
                    await asyncio.to_thread(until, lambda: count(admin, waiting) > 0)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                await async_call(saver, "delete_for_runs")()


class Slow:
    """LangGraph's serializer, which takes its time over a value when it is told to."""

    def __init__(self) -> None:
        self.inner = JsonPlusSerializer()
        self.begun, self.ends = threading.Event(), threading.Event()
        self.ends.set()

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return self.inner.dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        self.begun.set()
        assert self.ends.wait(10)
        return self.inner.loads_typed(data)


async def test_a_large_state_may_be_cancelled_while_a_thread_decodes_it(lakehouse: Database, person: Principal) -> None:
    slow = Slow()
    values = {"texts": [f"{number} {'long ' * 20}" for number in range(400)]}
    with saver_of(lakehouse, person, serde=slow) as other:
        other.put(THREAD, checkpoint("1", values, 1), {}, {"texts": 1})
    async with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, serde=slow, max_size=1) as saver:
        with acting_as(person):
            slow.begun.clear()
            slow.ends.clear()
            task = asyncio.ensure_future(saver.aget_tuple(THREAD))
            assert await asyncio.to_thread(slow.begun.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            slow.ends.set()
            await clean(saver)
            found = await saver.aget_tuple(THREAD)
            assert found is not None
            assert len(found.checkpoint["channel_values"]["texts"]) == 400


async def test_a_saver_on_threads_lets_async_callers_be_cancelled(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any]
) -> None:
    """The thread goes on by itself; whoever was cancelled does not wait for it."""
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as saver, acting_as(person):
        for turns in (0, 1, 2, 5, 20):
            await cancelled(async_call(saver, "put of a new thread"), turns)
        await async_call(saver, "put of a new thread")()
        with acting_as(SOMEBODY):
            assert await saver.asessions() == []
        assert holds(admin, person) == expected["put of a new thread"]


async def test_many_cancelled_at_once_leave_the_pool_whole(lakehouse: Database, person: Principal) -> None:
    async with saver_of(lakehouse, person, max_size=3) as saver:
        with acting_as(person):
            await async_call(saver, "put of a new thread")()
            for _ in range(5):
                tasks = [asyncio.ensure_future(async_call(saver, "get_tuple")()) for _ in range(20)]
                await asyncio.sleep(0.002)
                for task in tasks[::2]:
                    task.cancel()
                done = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(found.checkpoint["id"] == "1" for found in done[1::2])  # type: ignore[union-attr]
            stats = saver._runner().pool.get_stats()
            assert stats["pool_size"] <= 3
            assert await saver.aget_tuple(FIRST) is not None


async def test_a_connection_on_its_way_back_is_not_lost(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal
) -> None:
    async with saver_of(lakehouse, person, max_size=1) as saver:
        pool: Any = saver._runner().pool
        with locked(lakehouse, "mooring.threads") as lock:
            task = asyncio.ensure_future(saver.asessions())
            await asyncio.to_thread(until, lambda: held_up(admin, lock) != [])
            await pool._lock.acquire()
        # then the answer comes, and the connection has to wait until it is taken back
        await asyncio.to_thread(until, lambda: bool(pool._lock._waiters))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        pool._lock.release()
        async with asyncio.timeout(10):
            assert await saver.asessions() == []


async def test_whoever_waits_for_a_connection_of_a_saver_that_is_left_is_told(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal
) -> None:
    with locked(lakehouse, "mooring.threads") as lock:
        async with saver_of(lakehouse, person, max_size=1) as saver:
            busy = asyncio.ensure_future(saver.asessions())
            await asyncio.to_thread(until, lambda: held_up(admin, lock) != [])
            waiting = asyncio.ensure_future(saver.asessions())
            await asyncio.to_thread(until, lambda: saver._runner().pool.get_stats()["requests_waiting"] > 0)
        with pytest.raises(NotOpenError):
            await waiting
    assert await busy == []


def test_ctrl_c_in_the_middle_of_a_sync_operation_leaves_the_pool_clean(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as saver, acting_as(person):
            for name in ("put of a new thread", "sessions", "get_tuple", "rename"):
                with locked(lakehouse, "mooring.threads"):
                    signal.setitimer(signal.ITIMER_REAL, 0.2)
                    with pytest.raises(KeyboardInterrupt):
                        sync_call(saver, name)()
                with acting_as(SOMEBODY):
                    assert saver.sessions() == []
                sync_call(saver, name)()
            sync_call(saver, "put")()
    finally:
        signal.signal(signal.SIGALRM, previous)
    stored = holds(admin, person)[0]
    assert stored[2:] == expected["put"][0][2:]


class Unlisted(BaseModel):
    secret: str


def test_an_operation_that_fails_leaves_the_pool_clean(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any]
) -> None:
    odd: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "a\x00b"}}
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1, timeout=2) as saver:
        failures: list[tuple[type[Exception], Any]] = [
            (UnstorableTextError, lambda: saver.get_tuple(odd)),
            (UnstorableTextError, lambda: list(saver.list(odd))),
            (UnstorableTextError, lambda: saver.put(odd, checkpoint("1", {}, 1), {}, {})),
            (BlockedTypeError, lambda: saver.put(THREAD, checkpoint("1", {"a": Unlisted(secret="s")}, 1), {}, {})),
            (BlockedTypeError, lambda: saver.put_writes(FIRST, [("a", Unlisted(secret="s"))], "task")),
            (ThreadExistsError, lambda: saver.copy_thread("t", "t")),
            (ValueError, lambda: saver.prune(["t"], strategy="all")),
        ]
        with acting_as(person):
            sync_call(saver, "put of a new thread")()
            for error, call in failures:
                for _ in range(3):
                    with pytest.raises(error):
                        call()
                with acting_as(SOMEBODY):
                    assert saver.sessions() == []
            assert holds(admin, person) == expected["put of a new thread"]
