"""A picture of one thread growing: bytes and time of a turn, peer by peer."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.bench import Curve

WINDOW = 10


def plot(curves: Sequence[Curve], path: Path) -> None:
    """Draw the curves as a PNG. Times are medians of ten turns."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    size, time = figure.subplots(1, 2)
    for curve in curves:
        turns, sizes = zip(*curve.sizes, strict=True)
        size.plot(turns, [each / 1e6 for each in sizes], label=curve.peer)
        smooth = [median(curve.milliseconds[max(0, n - WINDOW) : n + 1]) for n in range(len(curve.milliseconds))]
        time.plot(range(1, len(smooth) + 1), smooth, label=curve.peer)
    for axes, title in ((size, "Stored, MB"), (time, "One turn, ms")):
        axes.set_title(title, loc="left")
        axes.set_xlabel("turns of one thread")
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
    size.legend()
    figure.savefig(path, format="png", dpi=120)
