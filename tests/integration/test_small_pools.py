"""A pool of one is enough for any number of callers, and nobody holds its connection while working."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from checkpointer import GovernedPostgresSaver, acting_as
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from checkpointer import Principal

MORE_THAN_A_PAGE = 120


@pytest.fixture
def one(lakehouse: Database, person: Principal) -> Iterator[GovernedPostgresSaver]:
    with saver_of(lakehouse, person, max_size=1, timeout=10) as opened:
        yield opened


def filled(saver: GovernedPostgresSaver) -> Any:
    config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    for n in range(MORE_THAN_A_PAGE):
        values = {"a": [n]}
        checkpoint: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": {"a": n}}
        saver.put(config, checkpoint, {"step": n}, {"a": n})
    return config


def test_a_listing_reads_and_writes_in_its_loop_and_may_be_left(one: GovernedPostgresSaver) -> None:
    config = filled(one)
    for found in one.list(config):
        again = one.get_tuple(found.config)
        assert again is not None
        assert again.checkpoint == found.checkpoint
        one.put_writes(found.config, [("a", 1)], "task")
        inner = next(iter(one.list(config, limit=1)))
        assert inner.metadata["step"] == MORE_THAN_A_PAGE - 1
        if found.metadata["step"] % 50 == 0:
            break
    left = one.list(config)
    next(left)

    assert len(list(one.list(config))) == MORE_THAN_A_PAGE


def test_no_connection_is_held_while_the_caller_works(one: GovernedPostgresSaver) -> None:
    config = filled(one)
    pool = one._runner().pool
    for _ in one.list(config):
        assert pool.get_stats()["pool_available"] == 1


async def test_the_same_for_async_callers(lakehouse: Database, person: Principal, one: GovernedPostgresSaver) -> None:
    config = filled(one)
    async with saver_of(lakehouse, person, max_size=1, timeout=10) as saver:
        pool = saver._runner().pool
        steps = []
        async for found in saver.alist(config):
            assert pool.get_stats()["pool_available"] == 1
            again = await saver.aget_tuple(found.config)
            assert again is not None
            steps.append(again.metadata["step"])
    assert steps == list(range(MORE_THAN_A_PAGE - 1, -1, -1))


def test_twenty_threads_get_on_with_one_connection(one: GovernedPostgresSaver) -> None:
    def work(n: int) -> list[int]:
        config: Any = {"configurable": {"thread_id": f"thread {n % 5}", "checkpoint_ns": ""}}
        for m in range(10):
            checkpoint: Any = {**empty_checkpoint(), "channel_values": {"n": [n]}, "channel_versions": {"n": m}}
            stored = one.put(config, checkpoint, {"step": n}, {"n": m})
            one.put_writes(stored, [("n", [n])], "task")
            found = one.get_tuple(stored)
            assert found is not None
            assert found.checkpoint["channel_values"] == {"n": [n]}
        return [found.metadata["step"] for found in one.list(config)]

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))

    for n in range(5):
        listed = [found.metadata["step"] for found in one.list({"configurable": {"thread_id": f"thread {n}"}})]
        assert sorted(listed) == sorted([n, n + 5, n + 10, n + 15] * 10)


async def test_two_hundred_tasks_get_on_with_one_connection(lakehouse: Database, person: Principal) -> None:
    async with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1, timeout=20) as saver:

        async def work(n: int) -> None:
            config: Any = {"configurable": {"thread_id": f"thread {n % 7}", "checkpoint_ns": ""}}
            with acting_as(person):
                stored = await saver.aput(config, empty_checkpoint(), {"step": n}, {})
                found = await saver.aget_tuple(stored)
            assert found is not None
            assert found.metadata["step"] == n

        await asyncio.gather(*map(work, range(200)))
