"""Chance that falls alike on every machine and Python version."""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")
Row = tuple[Any, ...]


class Dice:
    """Draws from `random.random()` only: of the module's methods, it alone is promised to stay the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - sample data, not secrets

    def chance(self, probability: float) -> bool:
        """Come out true with this probability."""
        return self._random.random() < probability

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number between both, inclusive."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, items: Sequence[Item], weights: Sequence[int] | None = None) -> Item:
        """Draw one item, in proportion to whole-number weights if given."""
        if weights is None:
            return items[int(self._random.random() * len(items))]
        ticket = int(self._random.random() * sum(weights))
        return next(item for item, end in zip(items, accumulate(weights), strict=True) if ticket < end)

    def day(self, first: date, last: date) -> date:
        """Draw a day between both, inclusive."""
        return first + timedelta(days=self.whole(0, (last - first).days))


def tickets(items: Sequence[Item], weights: Sequence[int]) -> list[Item]:
    """Repeat each item as often as its weight says: a faster `pick` for those who pick often."""
    return [item for item, weight in zip(items, weights, strict=True) for _ in range(weight)]
