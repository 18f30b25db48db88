"""How long threads and their older checkpoints are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

# What the columns hold.
_MOST_CHECKPOINTS, _LONGEST = 2**31 - 1, timedelta(days=36_525)


@dataclass(frozen=True, slots=True)
class Retention:
    """A policy. What is None is kept for ever.

    Args:
        keep_last: Checkpoints kept in every namespace, 1 to 2**31 - 1: the latest, with their pending writes and the
            older ones that their DeltaChannels are rebuilt from. Calls of a subgraph go with the checkpoint that made
            them.
        ttl: How long after its last use a thread is deleted whole; at most 100 years (36,525 days).
        refresh_on_read: Whether reading a thread is a use of it; writing always is. Reads then write, at most once a
            minute (or a tenth of `ttl`, where that is shorter).

    Raises:
        ValueError: `keep_last` or `ttl` is no such number or time, or out of these bounds.
    """

    keep_last: int | None = None
    ttl: timedelta | None = None
    refresh_on_read: bool = False

    def __post_init__(self) -> None:
        last: object = self.keep_last
        ttl: object = self.ttl
        if last is not None and (type(last) is not int or not 1 <= last <= _MOST_CHECKPOINTS):
            msg = f"keep_last is an int from 1 to 2**31 - 1, not {last!r:.80}: to delete whole threads, give a ttl."
            raise ValueError(msg)
        if ttl is not None and (not isinstance(ttl, timedelta) or not timedelta(0) < ttl <= _LONGEST):
            msg = f"ttl is a positive timedelta of at most {_LONGEST.days:,} days, not {ttl!s:.80}."
            raise ValueError(msg)


FOREVER = Retention()
