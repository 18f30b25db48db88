"""What a run yields: rows that compare ours with a peer, or stand alone, and may have a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS = "ours"


@dataclass(frozen=True)
class Target:
    """A bound on our own figure or on the ratio of ours to theirs."""

    of: Literal["ours", "ratio"]
    at_most: float | None = None
    at_least: float | None = None

    def __str__(self) -> str:
        return f"{self.of} <= {self.at_most:g}" if self.at_most is not None else f"{self.of} >= {self.at_least:g}"

    def met(self, figure: float) -> bool:
        """Tell whether a figure is within the bound."""
        if self.at_most is not None and figure > self.at_most:
            return False
        return self.at_least is None or figure >= self.at_least


@dataclass(frozen=True)
class Row:
    """One figure of ours, with a peer's where there is one. The metric names its unit."""

    workload: str
    metric: str
    peer: str | None
    ours: float
    theirs: float | None
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """Ours in terms of theirs."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool:
        """True as well where there is no target."""
        if self.target is None:
            return True
        figure = self.ours if self.target.of == "ours" else self.ratio
        return figure is not None and self.target.met(figure)

    def as_json(self) -> dict[str, object]:
        """Return the row as plain data, the target as text such as `ratio <= 0.33`."""
        return {
            "workload": self.workload,
            "metric": self.metric,
            "peer": self.peer,
            "ours": self.ours,
            "theirs": self.theirs,
            "ratio": self.ratio,
            "target": None if self.target is None else str(self.target),
            "met": self.met,
        }


def compared(workload: str, metric: str, figures: Mapping[str, float]) -> list[Row]:
    """Make a row for each peer of ours, one row where there is none."""
    ours = figures[OURS]
    peers = [(name, figure) for name, figure in figures.items() if name != OURS]
    if not peers:
        return [Row(workload, metric, None, ours, None)]
    return [Row(workload, metric, name, ours, figure) for name, figure in peers]
