"""Network round trips of each operation, counted by a proxy. Ours bind the principal inside the same trip.

Every operation runs once for nothing before it is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint

from tests.benchmarks.rows import compared
from tests.benchmarks.stores import Governed, Upstream, fresh
from tests.integration.proxy import CountingProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.rows import Row

CONFIG: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


def measure(bench: Bench) -> Iterator[Row]:
    """Count the trips of both Postgres savers."""
    trips: dict[str, dict[str, float]] = {}
    with fresh(bench.server, bench.folder, Governed, Upstream) as stores:
        for store in stores:
            with CountingProxy(bench.server.host, bench.server.port) as proxy, store.open(proxy.port) as saver:
                for name, operation in _operations(saver).items():
                    operation()
                    before = proxy.round_trips
                    operation()
                    trips.setdefault(name, {})[store.name] = proxy.round_trips - before
    for name, figures in trips.items():
        yield from compared("trips", name, figures)


def _operations(saver: Any) -> dict[str, Callable[[], object]]:
    stored = saver.put(CONFIG, _checkpoint([HumanMessage("hello", id="1")]), {}, {"messages": 1})
    answer = [AIMessage("hi", id="2")]
    return {
        "put": lambda: saver.put(stored, _checkpoint(answer), {}, {"messages": 1}),
        "put_writes": lambda: saver.put_writes(stored, [("messages", answer)], "task"),
        "get_tuple": lambda: saver.get_tuple(CONFIG),
        "get_tuple by id": lambda: saver.get_tuple(stored),
        "a page of list": lambda: list(saver.list(CONFIG, limit=10)),
        "delete_thread": lambda: saver.delete_thread("t"),
    }


def _checkpoint(messages: list[Any]) -> Any:
    return {**empty_checkpoint(), "channel_values": {"messages": messages}, "channel_versions": {"messages": 1}}
