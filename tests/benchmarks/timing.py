"""Fair timing on a noisy machine: peers take turns, and the order changes from round to round.

What one peer left is collected before the next one's clock starts; the garbage collector then runs as it would in
production, for everybody alike. A peer's turn is a few calls in a row: with a collection before every call, each would
be measured with cold caches.
"""

from __future__ import annotations

import gc
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Samples = dict[str, list[float]]


def timed(call: Callable[[], object]) -> float:
    """Return the milliseconds that a call takes."""
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1000


def interleaved(
    calls: Mapping[str, Callable[[], object]], rounds: int, *, in_a_row: int = 1, warm_up: int = 1
) -> Samples:
    """Time every call so many times a round, after `warm_up` rounds of one call that do not count."""
    names = list(calls)
    samples: Samples = {name: [] for name in names}
    for number in range(-warm_up, rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            gc.collect()
            if number < 0:
                calls[name]()
            else:
                samples[name] += [timed(calls[name]) for _ in range(in_a_row)]
    return samples


def medians(samples: Samples) -> dict[str, float]:
    """Return the median of each."""
    return {name: median(values) for name, values in samples.items()}
