"""Turns per second of one process that serves 32 threads at once over 16 connections, with and without a slow network.

Every thread has 50 turns behind it: one was run, the others are copies. All threads run a turn at the same time,
twice a round; the peers take rounds in turn, and the figure is that of all rounds together.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tests.benchmarks.delay import delayed
from tests.benchmarks.rows import compared
from tests.benchmarks.stores import Governed, Sqlite, Upstream, fresh
from tests.benchmarks.workloads import CHAT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.rows import Row
    from tests.benchmarks.stores import Store

CONNECTIONS = 16
TURNS_A_ROUND = 2
DELAY_MS = 2


def measure(bench: Bench) -> Iterator[Row]:
    """Compare throughput without and with delay."""
    users = bench.scale.users
    with fresh(bench.server, bench.folder, Governed, Upstream, Sqlite) as stores:
        for store in stores:
            _seed(store, users, bench.scale.users_history)
        yield from compared(f"{users} threads", "turns/s, no delay", _throughput(bench, stores, None))
    with fresh(bench.server, bench.folder, Governed, Upstream) as stores:
        for store in stores:
            _seed(store, users, bench.scale.users_history)
        with delayed(bench.server.host, bench.server.port, DELAY_MS) as port:
            figures = _throughput(bench, stores, port)
        yield from compared(f"{users} threads", f"turns/s, {DELAY_MS} ms of delay", figures)


def _seed(store: Store, users: int, turns: int) -> None:
    with store.open() as saver:
        graph = CHAT.build(False).compile(checkpointer=saver)
        for turn in range(turns):
            graph.invoke(CHAT.question(turn), _config(0), durability="sync")
    store.multiply("user-0", [f"user-{number}" for number in range(1, users)])
    store.settle()


def _throughput(bench: Bench, stores: list[Store], port: int | None) -> dict[str, float]:
    rounds, users, history = bench.scale.users_rounds, bench.scale.users, bench.scale.users_history

    async def turns(graph: Any, user: int, first: int, count: int) -> None:
        for turn in range(first, first + count):
            await graph.ainvoke(CHAT.question(turn), _config(user), durability="sync")

    async def everybody(graph: Any, first: int, count: int) -> float:
        start = perf_counter()
        await asyncio.gather(*(turns(graph, user, first, count) for user in range(users)))
        return perf_counter() - start

    async def run() -> dict[str, float]:
        seconds = dict.fromkeys((store.name for store in stores), 0.0)
        async with AsyncExitStack() as stack:
            graphs: dict[str, Any] = {}
            for store in stores:
                saver = await stack.enter_async_context(store.aopen(CONNECTIONS, port))
                graphs[store.name] = CHAT.build(False).compile(checkpointer=saver)
                await everybody(graphs[store.name], history, 1)
            for number in range(rounds):
                for name in sorted(graphs, reverse=number % 2 == 1):
                    gc.collect()
                    first = history + 1 + number * TURNS_A_ROUND
                    seconds[name] += await everybody(graphs[name], first, TURNS_A_ROUND)
        return {name: rounds * TURNS_A_ROUND * users / took for name, took in seconds.items()}

    return asyncio.run(run())


def _config(user: int) -> Any:
    return {"configurable": {"thread_id": f"user-{user}"}}
