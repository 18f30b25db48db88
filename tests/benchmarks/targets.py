"""What must hold, against LangGraph's own Postgres saver unless a figure is ours alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.benchmarks.rows import Target
from tests.benchmarks.workloads import AGENT, CROWD, EDITOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.benchmarks.rows import Row

PEERS = ("upstream", None)
AHEAD = Target("ratio", at_most=1.0)
ONE_TRIP = Target("ours", at_most=1)

TARGETS = {
    ("A", "size after 200 turns, MB"): Target("ours", at_most=1.5),
    ("A", "size after 1,000 turns, in sizes after 200"): Target("ours", at_most=5.2),
    ("A", "WAL of 200 turns, MB"): Target("ours", at_most=5.0),
    ("A", "turn at 10 turns, ms"): Target("ratio", at_most=1.0),
    ("A", "turn at 200 turns, ms"): Target("ratio", at_most=0.33),
    ("A", "get_state at 200 turns, ms"): Target("ratio", at_most=0.7),
    ("A", "get_state_history at 200 turns, ms"): Target("ratio", at_most=0.15),
    ("32 threads", "turns/s, no delay"): Target("ratio", at_least=2.5),
    ("32 threads", "turns/s, 2 ms of delay"): Target("ratio", at_least=4.0),
    ("20 MB state", "event loop stall of aget_tuple, messages of 1 kB, ms"): Target("ours", at_most=20),
    ("20 MB state", "event loop stall of aget_tuple, messages of 20 kB, ms"): Target("ours", at_most=20),
    ("sessions", "1,000 of one person among 100,000, ms"): Target("ours", at_most=20),
    **{
        (workload.name, f"{metric}{workload.turns} turns, {unit}"): AHEAD
        for workload in (AGENT, EDITOR, CROWD)
        for metric, unit in (
            ("size after ", "MB"),
            ("WAL of ", "MB"),
            ("turn at ", "ms"),
            ("get_state at ", "ms"),
            ("get_state_history at ", "ms"),
        )
    },
    **{
        ("trips", operation): ONE_TRIP
        for operation in ("get_tuple", "get_tuple by id", "put", "put_writes", "a page of list", "delete_thread")
    },
}


def with_targets(rows: Iterable[Row]) -> list[Row]:
    """Give each row its target, if it has one."""
    return [replace(row, target=TARGETS.get((row.workload, row.metric))) if row.peer in PEERS else row for row in rows]
