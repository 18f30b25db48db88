"""What every measurement gets: the server, a folder, how much to do, and a place for curves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.server import BenchServer


@dataclass(frozen=True)
class Scale:
    """How much to do. Targets hold for the full scale only."""

    most_turns: int
    turn_rounds: int
    state_rounds: int
    history_rounds: int
    early_threads: int
    early_turns: int
    long_run: int
    users: int
    users_history: int
    users_rounds: int
    state_bytes: int
    stall_samples: int
    sessions: int
    other_sessions: int


FULL = Scale(
    most_turns=1000,
    turn_rounds=10,
    state_rounds=10,
    history_rounds=3,
    early_threads=12,
    early_turns=10,
    long_run=1000,
    users=32,
    users_history=50,
    users_rounds=4,
    state_bytes=20_000_000,
    stall_samples=3,
    sessions=1000,
    other_sessions=100_000,
)
QUICK = Scale(
    most_turns=2,
    turn_rounds=1,
    state_rounds=1,
    history_rounds=1,
    early_threads=1,
    early_turns=2,
    long_run=3,
    users=2,
    users_history=1,
    users_rounds=1,
    state_bytes=100_000,
    stall_samples=1,
    sessions=5,
    other_sessions=10,
)


@dataclass(frozen=True)
class Curve:
    """How one peer fared while a thread grew: milliseconds of each turn, and bytes after some."""

    peer: str
    milliseconds: list[float] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Bench:
    """A run."""

    server: BenchServer
    folder: Path
    scale: Scale
    curves: list[Curve] = field(default_factory=list)
