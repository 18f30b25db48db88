"""Fair timing on a noisy machine: peers take turns, and the order changes from round to round.

Whatever was alive before is frozen out of the garbage collector's sight, and what the last sample left is collected
before the next one's clock starts; the collector then runs as it would in production, for everybody alike.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Samples = dict[str, list[float]]


@contextmanager
def steady() -> Iterator[None]:
    """Freeze everything alive out of garbage collection."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def timed(call: Callable[[], object]) -> float:
    """Return the milliseconds that a call takes."""
    gc.collect()
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1000


def interleaved(calls: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> Samples:
    """Time every call once a round, first those of `warm_up` rounds that do not count."""
    names = list(calls)
    samples: Samples = {name: [] for name in names}
    with steady():
        for number in range(-warm_up, rounds):
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                took = timed(calls[name])
                if number >= 0:
                    samples[name].append(took)
    return samples


def medians(samples: Samples) -> dict[str, float]:
    """Return the median of each."""
    return {name: median(values) for name, values in samples.items()}
