"""Connections cut, servers restarted, answers lost: the next call succeeds, and nothing is stored twice."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agent import local
from checkpointer import DatabaseUnavailableError, GovernedPostgresSaver, Principal, ThreadBusyError, acting_as
from tests.chaos.faulty_proxy import FaultyProxy
from tests.chaos.operations import CALLS, FIRST, THREAD, VALUES, async_call, checkpoint, holds, sync_call, undisturbed
from tests.chaos.watching import count, until
from tests.embedded import descendants, servers
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.database import Database


@pytest.fixture
def proxy(lakehouse: Database) -> Iterator[FaultyProxy]:
    server = conninfo_to_dict(lakehouse.runtime)
    with FaultyProxy(str(server["host"]), int(str(server["port"]))) as faulty:
        yield faulty


@pytest.fixture
def person() -> Principal:
    return Principal(f"person-{uuid4()}")


@pytest.fixture
def expected(lakehouse: Database, admin: psycopg.Connection[Any]) -> dict[str, Any]:
    """What each operation leaves behind when nothing goes wrong."""
    return undisturbed(lakehouse, Principal(f"undisturbed-{uuid4()}"), admin)


def terminate_all(admin: psycopg.Connection[Any], at_least: int) -> None:
    """End every connection of the saver, once its pool has opened so many."""
    of_savers = "from pg_stat_activity where application_name = 'mooring'"
    until(lambda: count(admin, f"select count(*) {of_savers}") >= at_least)
    admin.execute(f"select pg_terminate_backend(pid, 5000) {of_savers}".encode())


def test_every_operation_survives_the_end_of_every_connection(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any]
) -> None:
    with saver_of(lakehouse, person, min_size=4, max_size=4) as saver, acting_as(person):
        for name in CALLS:
            terminate_all(admin, 4)
            sync_call(saver, name)()
            assert holds(admin, person) == expected[name], name


async def test_every_async_operation_survives_the_end_of_every_connection(
    lakehouse: Database, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any]
) -> None:
    async with saver_of(lakehouse, person, min_size=2, max_size=4) as saver:
        with acting_as(person):
            for name in CALLS:
                # The pool reconnects on this event loop.
                await asyncio.to_thread(terminate_all, admin, 2)
                await async_call(saver, name)()
                assert holds(admin, person) == expected[name], name


@pytest.mark.parametrize("times", [1, 2])
def test_an_operation_whose_answer_is_lost_is_not_done_twice(
    lakehouse: Database,
    proxy: FaultyProxy,
    admin: psycopg.Connection[Any],
    person: Principal,
    expected: dict[str, Any],
    times: int,
) -> None:
    """The server has committed, and the connection is cut before the client hears of it."""
    with saver_of(lakehouse, person, port=proxy.port, max_size=2) as saver, acting_as(person):
        for name in CALLS:
            saver.sessions()  # connected: the answer that gets lost is the operation's
            proxy.lose_answers(times)
            sync_call(saver, name)()
            assert holds(admin, person) == expected[name], name


@pytest.mark.embedded
def test_a_restart_is_waited_for(
    lakehouse: Database, admin: psycopg.Connection[Any], home: Path, person: Principal, expected: dict[str, Any]
) -> None:
    with saver_of(lakehouse, person, max_size=3) as saver, acting_as(person):
        sync_call(saver, "put of a new thread")()
        local.stop(home)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lambda: acting(person, saver, "put"))
            local.start(home, keep=False)
            waiting.result()
        with psycopg.connect(lakehouse.superuser or "") as conn:
            assert holds(conn, person) == expected["put"]


def acting(person: Principal, saver: GovernedPostgresSaver, name: str) -> Any:
    with acting_as(person):
        return sync_call(saver, name)()


@contextmanager
def suspended(home: Path) -> Iterator[None]:
    """Stop every process of the server in its tracks, as a suspended machine is."""
    pids = [pid for server in servers(home) for pid in [server, *descendants(server)]]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.embedded
def test_a_short_suspend_is_waited_for(
    lakehouse: Database, admin: psycopg.Connection[Any], home: Path, person: Principal, expected: dict[str, Any]
) -> None:
    with saver_of(lakehouse, person, max_size=2) as saver, ThreadPoolExecutor(1) as pool:
        acting(person, saver, "put of a new thread")
        with suspended(home):
            waiting = pool.submit(acting, person, saver, "put")
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
        waiting.result()
        assert holds(admin, person) == expected["put"]


@pytest.mark.embedded
def test_a_suspended_server_is_given_up_in_bounded_time_and_used_again_later(
    lakehouse: Database, admin: psycopg.Connection[Any], home: Path, person: Principal, expected: dict[str, Any]
) -> None:
    saver = saver_of(lakehouse, person, max_size=2, timeout=1.0, stall_timeout=0.5)
    with saver:
        acting(person, saver, "put of a new thread")
        with suspended(home):
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
                acting(person, saver, "put")
            assert time.monotonic() - started < 5
        eventually(lambda: acting(person, saver, "put"))
        assert holds(admin, person) == expected["put"]


def eventually(call: Any) -> None:
    """Call until the pool has found the server again."""

    def succeeds() -> bool:
        try:
            call()
        except DatabaseUnavailableError:
            return False
        return True

    until(succeeds)


def test_a_connection_that_stalls_without_closing_is_noticed(
    lakehouse: Database, proxy: FaultyProxy, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any]
) -> None:
    with saver_of(lakehouse, person, port=proxy.port, max_size=2, timeout=1.0, stall_timeout=0.5) as saver:
        acting(person, saver, "put of a new thread")
        proxy.stall()
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            acting(person, saver, "put")
        assert time.monotonic() - started < 5
        proxy.flow()
        proxy.cut()
        eventually(lambda: acting(person, saver, "put"))
        assert holds(admin, person) == expected["put"]


async def test_a_stalled_connection_is_noticed_by_async_callers_and_the_loop_goes_on(
    lakehouse: Database, proxy: FaultyProxy, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any]
) -> None:
    saver = saver_of(lakehouse, person, port=proxy.port, max_size=2, timeout=1.0, stall_timeout=0.5)
    async with saver:
        with acting_as(person):
            await async_call(saver, "put of a new thread")()
            proxy.stall()
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailableError):
                await async_call(saver, "put")()
            assert time.monotonic() - started < 5
            proxy.flow()
            proxy.cut()
            for _ in range(100):
                try:
                    await async_call(saver, "put")()
                    break
                except DatabaseUnavailableError:
                    await asyncio.sleep(0.05)
            assert holds(admin, person) == expected["put"]


def test_one_stalled_connection_among_good_ones_costs_a_moment(
    lakehouse: Database, proxy: FaultyProxy, admin: psycopg.Connection[Any], person: Principal, expected: dict[str, Any]
) -> None:
    with saver_of(lakehouse, person, port=proxy.port, max_size=2, timeout=5.0, stall_timeout=0.5) as saver:
        acting(person, saver, "put of a new thread")
        proxy.stall()
        recovery = threading.Timer(0.3, proxy.cut)
        recovery.start()
        threading.Timer(0.8, proxy.flow).start()

        acting(person, saver, "put")

        assert holds(admin, person) == expected["put"]


def test_a_dead_server_is_said_to_be_in_bounded_time(
    lakehouse: Database, proxy: FaultyProxy, person: Principal
) -> None:
    with saver_of(lakehouse, person, port=proxy.port, max_size=2, timeout=0.5) as saver:
        proxy.__exit__()
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            acting(person, saver, "get_tuple")
        assert time.monotonic() - started < 5


def test_a_failed_run_of_somebody_leaves_nobody_bound(
    lakehouse: Database, proxy: FaultyProxy, person: Principal
) -> None:
    other = Principal(f"other-{uuid4()}")
    through = make_conninfo(lakehouse.runtime, host="127.0.0.1", port=proxy.port)
    with GovernedPostgresSaver.from_conn_string(through, max_size=1) as saver:
        acting(person, saver, "put of a new thread")
        for _ in range(3):
            proxy.lose_answers()
            acting(person, saver, "get_tuple")
            with acting_as(other):
                assert saver.get_tuple(FIRST) is None
                assert saver.sessions() == []


def test_a_first_put_whose_answer_is_lost_stores_its_items_once(
    lakehouse: Database, proxy: FaultyProxy, admin: psycopg.Connection[Any], person: Principal
) -> None:
    values = {"list": [f"item {n} " * 20 for n in range(50)], **VALUES}
    with saver_of(lakehouse, person, port=proxy.port, max_size=1) as saver, acting_as(person):
        saver.sessions()
        proxy.lose_answers()
        stored = saver.put(THREAD, checkpoint("1", values, 1), {}, dict.fromkeys(values, 1))
        found = saver.get_tuple(stored)

    assert found is not None
    assert found.checkpoint["channel_values"] == values
    counts = admin.execute(
        "select count(*), count(distinct digest) from mooring.items where owner = %s", [person.name]
    ).fetchone()
    assert counts is not None
    assert counts[0] == counts[1] > 50


@pytest.mark.parametrize("on_busy", ["reject", "wait"])
def test_a_lease_whose_answer_is_lost_is_taken_all_the_same(
    lakehouse: Database, proxy: FaultyProxy, person: Principal, on_busy: Any
) -> None:
    with saver_of(lakehouse, person, port=proxy.port, max_size=2) as saver, acting_as(person):
        saver.sessions()
        started = time.monotonic()
        for _ in range(3):
            proxy.lose_answers()
            with saver.run(THREAD, on_busy=on_busy):
                proxy.lose_answers()
                sync_call(saver, "put of a new thread")()
                with pytest.raises(ThreadBusyError):
                    elsewhere(saver, person)
                proxy.lose_answers()
        assert time.monotonic() - started < 5


def elsewhere(saver: GovernedPostgresSaver, person: Principal) -> None:
    """Take the lease outside of the run."""

    def run() -> None:
        with acting_as(person), saver.run(THREAD):
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
