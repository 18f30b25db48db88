"""What the tasks of a run wrote is stored together, and with the checkpoint after it; nobody's fault is another's."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from checkpointer import GovernedPostgresSaver, Principal, StaleLeaseError, UnserializableError, acting_as
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from agent.database import Database
    from tests.integration.proxy import CountingProxy

TASKS = ["t1", "t2", "t3"]


class Unlisted:
    """No allow-list has it."""


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for company for so long that there is no doubt about who came in time."""
    monkeypatch.setattr("checkpointer.contract.MOMENT", 1.0)


@pytest.fixture
def counted(lakehouse: Database, proxy: CountingProxy, person: Principal) -> Iterator[GovernedPostgresSaver]:
    with saver_of(lakehouse, person, port=proxy.port) as saver:
        yield saver


@pytest.fixture
def run() -> Any:
    """The config of a run in a new thread, as LangGraph makes it: the runtime in it is the run's own."""
    return {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": "", "__pregel_runtime": object()}}


def at(config: Any, stored: Any) -> Any:
    """Return the run's config at a checkpoint."""
    return {"configurable": {**config["configurable"], "checkpoint_id": stored["configurable"]["checkpoint_id"]}}


def checkpoint(value: Any) -> Any:
    made = {**empty_checkpoint(), "id": str(uuid6())}
    return {**made, "channel_values": {"a": value}, "channel_versions": {"a": made["id"]}}


def begun(saver: GovernedPostgresSaver, run: Any) -> Any:
    """Begin the run with a checkpoint, and return the config at it."""
    assert saver.get_tuple(run) is None
    first = checkpoint("first")
    return at(run, saver.put(run, first, {"source": "input", "step": -1, "parents": {}}, first["channel_versions"]))


def stored_by(saver: GovernedPostgresSaver, here: Any) -> CheckpointTuple:
    found = saver.get_tuple({"configurable": {k: v for k, v in here["configurable"].items() if k[0] != "_"}})
    assert found is not None
    return found


def put_next(saver: GovernedPostgresSaver, here: Any, value: Any = "next") -> Any:
    made = checkpoint(value)
    return saver.put(here, made, {"source": "loop", "step": 0, "parents": {}}, made["channel_versions"])


def writes(saver: GovernedPostgresSaver, here: Any, task: str, value: Any = None) -> None:
    saver.put_writes(here, [("a", value or f"{task} wrote {'much ' * 20}")], task, f"path of {task}")


def waiting(saver: GovernedPostgresSaver) -> int:
    return sum(map(len, saver._company._waiting.values()))


def started(pool: ThreadPoolExecutor, saver: GovernedPostgresSaver, here: Any, *tasks: str) -> list[Any]:
    """Let tasks save what they wrote, each on a thread of its own, until all wait for company."""
    futures = [pool.submit(writes, saver, here, task) for task in tasks]
    while waiting(saver) < len(tasks):
        pass
    return futures


def test_a_checkpoint_takes_along_what_the_tasks_before_it_wrote(
    counted: GovernedPostgresSaver, proxy: CountingProxy, run: Any, lakehouse: Database, person: Principal
) -> None:
    here = begun(counted, run)
    before = proxy.round_trips
    with ThreadPoolExecutor() as pool:
        futures = started(pool, counted, here, *TASKS)
        after = put_next(counted, here)
        for future in futures:
            future.result()
    assert proxy.round_trips - before == 1
    with saver_of(lakehouse, person) as saver:
        written = stored_by(saver, here).pending_writes
        assert written == [(task, "a", f"{task} wrote {'much ' * 20}") for task in TASKS]
        assert stored_by(saver, after).checkpoint["channel_values"] == {"a": "next"}
        assert stored_by(saver, after).parent_config == stored_by(saver, here).config


def test_tasks_take_one_another_along(
    counted: GovernedPostgresSaver, proxy: CountingProxy, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = begun(counted, run)
    before = proxy.round_trips
    monkeypatch.setattr("checkpointer.contract.MOMENT", 0.2)
    with ThreadPoolExecutor() as pool:
        for future in started(pool, counted, here, *TASKS):
            future.result()
    assert proxy.round_trips - before == 1
    assert {task for task, _, _ in stored_by(counted, here).pending_writes or []} == set(TASKS)
    assert waiting(counted) == 0


def test_whoever_has_no_company_is_stored_alone(
    counted: GovernedPostgresSaver, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = begun(counted, run)
    monkeypatch.setattr("checkpointer.contract.MOMENT", 0.01)
    writes(counted, here, "t1")
    assert len(stored_by(counted, here).pending_writes or []) == 1


def test_what_cannot_be_stored_is_its_own_tasks_error(counted: GovernedPostgresSaver, run: Any) -> None:
    here = begun(counted, run)
    with ThreadPoolExecutor() as pool:
        futures = started(pool, counted, here, "t1")
        unlisted = pool.submit(writes, counted, here, "t2", Unlisted())
        while waiting(counted) < 2:
            pass
        after = put_next(counted, here)
        futures[0].result()
        with pytest.raises(UnserializableError, match="Unlisted"):
            unlisted.result()
    assert [task for task, _, _ in stored_by(counted, here).pending_writes or []] == ["t1"]
    assert stored_by(counted, after).checkpoint["channel_values"] == {"a": "next"}


def test_a_checkpoint_that_cannot_be_stored_loses_nothing_of_its_company(
    counted: GovernedPostgresSaver, run: Any
) -> None:
    here = begun(counted, run)
    with ThreadPoolExecutor() as pool:
        futures = started(pool, counted, here, *TASKS)
        with pytest.raises(UnserializableError):
            put_next(counted, here, Unlisted())
        for future in futures:
            future.result()
    assert [task for task, _, _ in stored_by(counted, here).pending_writes or []] == TASKS
    assert waiting(counted) == 0


def test_a_lost_lease_is_lost_for_all(counted: GovernedPostgresSaver, run: Any, admin: psycopg.Connection[Any]) -> None:
    with counted.run(run):
        here = begun(counted, run)
        taken = "update mooring.threads set fence = fence + 1 where thread_id = %s"
        admin.execute(taken, [run["configurable"]["thread_id"]])
        with ThreadPoolExecutor() as pool:
            futures = started(pool, counted, here, *TASKS)
            with pytest.raises(StaleLeaseError):
                put_next(counted, here)
            for future in futures:
                with pytest.raises(StaleLeaseError):
                    future.result()
    assert not stored_by(counted, here).pending_writes


def test_nobody_is_taken_along_by_another_run_person_or_checkpoint(
    lakehouse: Database, run: Any, person: Principal
) -> None:
    bob = Principal(f"{person.name}-bob")
    other_run: Any = {"configurable": {**run["configurable"], "__pregel_runtime": object()}}
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver:
        with acting_as(bob):
            theirs = begun(saver, run)
        with acting_as(person), ThreadPoolExecutor() as pool:
            here = begun(saver, run)
            saver.get_tuple(other_run)
            future = pool.submit(lambda: acting(person, writes, saver, here, "t1"))
            while waiting(saver) < 1:
                pass
            put_next(saver, at(other_run, here), "of another run")
            further = at(run, put_next(saver, {"configurable": {**run["configurable"]}}, "another checkpoint"))
            put_next(saver, further, "after it")
            with acting_as(bob):
                put_next(saver, theirs, "bob's")
            assert waiting(saver) == 1
            put_next(saver, here, "the one after it")
            future.result()
        with acting_as(person):
            assert [task for task, _, _ in stored_by(saver, here).pending_writes or []] == ["t1"]
        with acting_as(bob):
            assert stored_by(saver, theirs).pending_writes == []


def acting(who: Principal, call: Any, *args: Any) -> Any:
    with acting_as(who):
        return call(*args)


async def test_the_same_for_async_callers(
    lakehouse: Database, proxy: CountingProxy, run: Any, person: Principal
) -> None:
    async with saver_of(lakehouse, person, port=proxy.port) as saver:
        here = await asyncio.to_thread(begun, saver, run)
        before = proxy.round_trips
        tasks = [asyncio.create_task(saver.aput_writes(here, [("a", task)], task)) for task in TASKS]
        await asyncio.sleep(0)
        assert waiting(saver) == 3
        tasks[0].cancel()
        await asyncio.sleep(0)
        assert waiting(saver) == 2
        made = checkpoint("next")
        await saver.aput(here, made, {"source": "loop", "step": 0, "parents": {}}, made["channel_versions"])
        await asyncio.gather(*tasks[1:])
        assert proxy.round_trips - before == 1
        found = await asyncio.to_thread(stored_by, saver, here)
        assert found.pending_writes == [("t2", "a", "t2"), ("t3", "a", "t3")]


async def test_a_cancelled_checkpoint_leaves_its_company_to_themselves(
    lakehouse: Database, run: Any, person: Principal
) -> None:
    async with saver_of(lakehouse, person) as saver:
        here = await asyncio.to_thread(begun, saver, run)
        tasks = [asyncio.create_task(saver.aput_writes(here, [("a", task)], task)) for task in TASKS]
        await asyncio.sleep(0)
        made = checkpoint("next")
        put = asyncio.create_task(
            saver.aput(here, made, {"source": "loop", "step": 0, "parents": {}}, made["channel_versions"])
        )
        for _ in range(100):
            if waiting(saver):
                await asyncio.sleep(0)
        put.cancel()
        await asyncio.gather(*tasks)
        with pytest.raises(asyncio.CancelledError):
            await put
        found = await asyncio.to_thread(stored_by, saver, here)
        assert [task for task, _, _ in found.pending_writes or []] == TASKS
