"""One thread of each peer grows to its size; then bytes, turns and reads are compared.

Bytes: each peer's turns run in one go on fresh tables, right after a CHECKPOINT, and WAL is what the server's insert
position moved by. Size is that of all tables with indexes and TOAST, before any vacuum.

Times: afterwards everybody's tables are vacuumed and analysed, and the peers take turns on the threads that they grew.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tests.benchmarks.bench import Bench, Curve
from tests.benchmarks.rows import OURS, compared
from tests.benchmarks.stores import Clear, Encrypting, Governed, fresh
from tests.benchmarks.timing import interleaved, medians

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.benchmarks.rows import Row
    from tests.benchmarks.stores import Store
    from tests.benchmarks.workloads import Workload

SIZES_TAKEN = 20
CALLS_IN_A_ROW = 5


@dataclass
class Growing:
    """A peer's thread."""

    store: Store
    workload: Workload
    graph: Any
    turns: int = 0
    thread_id: str = "growing"

    @property
    def config(self) -> Any:
        """Its address."""
        return {"configurable": {"thread_id": self.thread_id}}

    def turn(self) -> None:
        """Run the next turn, every checkpoint of it stored before it goes on."""
        self.graph.invoke(self.workload.question(self.turns), self.config, durability="sync")
        self.turns += 1

    def state(self) -> None:
        """Read the latest state."""
        assert self.graph.get_state(self.config).values

    def history(self) -> None:
        """Read the state after every step there was."""
        assert sum(1 for _ in self.graph.get_state_history(self.config)) > self.turns


@contextmanager
def growing(bench: Bench, workload: Workload, *kinds: type[Store]) -> Iterator[dict[str, Growing]]:
    """Open a saver of each peer on a fresh store, with an empty thread."""
    with fresh(bench.server, bench.folder, *kinds) as stores, ExitStack() as stack:
        yield {
            store.name: Growing(
                store, workload, workload.build(store.delta).compile(checkpointer=stack.enter_context(store.open()))
            )
            for store in stores
        }


def measure(bench: Bench, workload: Workload, *kinds: type[Store], name: str | None = None) -> Iterator[Row]:
    """Compare these peers on one workload, or all under the workload's own name."""
    turns = min(workload.turns, bench.scale.most_turns)
    name = name or workload.name
    with growing(bench, workload, *kinds) as threads:
        sizes, wal = {}, {}
        for peer, thread in threads.items():
            curve, wal[peer] = _grow(bench, thread, turns)
            sizes[peer] = curve.sizes[-1][1] / 1e6
            if name == "A":
                bench.curves.append(curve)
        yield from compared(name, f"size after {turns} turns, MB", sizes)
        networked = {peer: wal[peer] / 1e6 for peer, thread in threads.items() if thread.store.networked}
        yield from compared(name, f"WAL of {turns} turns, MB", networked)
        for thread in threads.values():
            thread.store.settle()
        yield from times(bench, name, threads)


def encryption(bench: Bench, workload: Workload) -> Iterator[Row]:
    """Compare a thread that is encrypted with one that is not."""
    yield from measure(bench, workload, Encrypting, Clear, name="encryption")


def times(bench: Bench, name: str, threads: Mapping[str, Growing]) -> Iterator[Row]:
    """Compare turns and reads of threads that have grown to the same size."""
    turns = next(iter(threads.values())).turns
    for metric, rounds, in_a_row in (
        ("turn", bench.scale.turn_rounds, CALLS_IN_A_ROW),
        ("get_state", bench.scale.state_rounds, CALLS_IN_A_ROW),
        ("get_state_history", bench.scale.history_rounds, 1),
    ):
        method = metric.removeprefix("get_state_").removeprefix("get_")
        calls = {peer: getattr(thread, method) for peer, thread in threads.items()}
        figures = medians(interleaved(calls, rounds, in_a_row=in_a_row, warm_up=min(3, rounds)))
        yield from compared(name, f"{metric} at {turns} turns, ms", figures)


def early_turn(bench: Bench, workload: Workload) -> Iterator[Row]:
    """Compare turns of threads that are still short, the last three of each."""
    turns = bench.scale.early_turns
    figures: dict[str, list[float]] = {}
    with growing(bench, workload) as threads:
        for number in range(bench.scale.early_threads + 1):
            for thread in threads.values():
                thread.turns, thread.thread_id = 0, f"short-{number}"
            calls = {name: thread.turn for name, thread in threads.items()}
            samples = interleaved(calls, 1, in_a_row=3, warm_up=max(turns - 2, 0))
            for name, values in samples.items():
                if number:  # the first thread warms up connections and prepared statements
                    figures.setdefault(name, []).extend(values)
    yield from compared(workload.name, f"turn at {turns} turns, ms", medians(figures))


def long_run(bench: Bench, workload: Workload) -> Iterator[Row]:
    """Let a thread of ours grow on, to see that it grows in a straight line."""
    first, last = max(1, bench.scale.long_run // 5), bench.scale.long_run
    with growing(bench, workload, Governed) as threads:
        thread = threads[OURS]
        _grow(bench, thread, first)
        small = thread.store.size()
        _grow(bench, thread, last - first)
        metric = f"size after {last:,} turns, in sizes after {first}"
        yield from compared(workload.name, metric, {OURS: thread.store.size() / small})


def _grow(bench: Bench, thread: Growing, turns: int) -> tuple[Curve, int]:
    curve = Curve(thread.store.name)
    bench.server.checkpoint()
    before = bench.server.wal()
    for number in range(1, turns + 1):
        start = perf_counter()
        thread.turn()
        curve.milliseconds.append((perf_counter() - start) * 1000)
        if number % max(1, turns // SIZES_TAKEN) == 0 and number < turns:
            curve.sizes.append((number, thread.store.size()))
    wal = bench.server.wal() - before
    curve.sizes.append((turns, thread.store.size()))
    return curve, wal
