"""How long one `aget_tuple` of a large state keeps everybody else on the event loop waiting.

The state is a chat, once of messages of 1 kB and once of 20 kB. (One value of 20 MB is one call into C, which nobody
can interrupt.) A second task wakes up every millisecond and notes how late it is; the figure is the median, over
several calls, of the latest it was during one call.
"""

from __future__ import annotations

import asyncio
import gc
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import empty_checkpoint

from tests.benchmarks.rows import compared
from tests.benchmarks.stores import Governed, Sqlite, Upstream, fresh
from tests.benchmarks.words import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.rows import Row
    from tests.benchmarks.stores import Store

CONFIG: Any = {"configurable": {"thread_id": "large", "checkpoint_ns": ""}}
MESSAGES = (1000, 20_000)
TICK = 0.001


def measure(bench: Bench) -> Iterator[Row]:
    """Compare the stalls of the async savers."""
    size = bench.scale.state_bytes
    for each in MESSAGES:
        messages = [HumanMessage(text(f"large {n % 100}", each), id=f"{n}") for n in range(size // each)]
        with fresh(bench.server, bench.folder, Governed, Upstream, Sqlite) as stores:
            figures = {store.name: asyncio.run(_stall(store, messages, bench.scale.stall_samples)) for store in stores}
        metric = f"event loop stall of aget_tuple, messages of {each // 1000} kB, ms"
        yield from compared(f"{size / 1e6:g} MB state", metric, figures)


async def _stall(store: Store, messages: list[HumanMessage], samples: int) -> float:
    checkpoint: Any = {
        **empty_checkpoint(),
        "channel_values": {"messages": messages},
        "channel_versions": {"messages": 1},
    }
    async with store.aopen(1) as saver:
        await saver.aput(CONFIG, checkpoint, {}, {"messages": 1})
    found = []
    for _ in range(samples + 1):
        async with store.aopen(1) as saver:  # one that has seen nothing of it
            found.append(await _latest(saver, len(messages)))
    return median(found[1:])


async def _latest(saver: Any, expected: int) -> float:
    late = [0.0]

    async def tick() -> None:
        while True:
            before = perf_counter()
            await asyncio.sleep(TICK)
            late.append(perf_counter() - before - TICK)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(10 * TICK)
    gc.collect()
    await asyncio.sleep(0)
    late.clear()
    stored = await saver.aget_tuple(CONFIG)
    await asyncio.sleep(2 * TICK)
    ticking.cancel()
    assert len(stored.checkpoint["channel_values"]["messages"]) == expected
    return max(late) * 1000
