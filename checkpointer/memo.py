"""What one process remembers of threads it has touched, so that content is neither stored nor fetched again.

Only an optimisation. Every write says which thread incarnation and epoch it remembers, and the database does nothing
when that is out of date; the operation then runs again without memory. Every read says which items are held here, and
the database, which decides what the reader may see, leaves them out of its answer: an item never changes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from checkpointer.encoding import FIRST_VALUE, Node, Open

_MAX_THREADS = 256
_MAX_CHECKPOINTS = 16
_MAX_FORGOTTEN = 4096

ThreadKey = tuple[str, ...]  # owner, thread_id, and the reader where that is another
CheckpointKey = tuple[str, str]  # ns, checkpoint_id


class Held(NamedTuple):
    """Items of one thread that a reader has, by position."""

    thread: int | None
    items: dict[int, Open]
    ranges: str
    """Their positions, as Postgres writes an int4multirange."""

    @property
    def params(self) -> dict[str, Any]:
        """What a statement is told of them."""
        return {"held_of": self.thread, "held": self.ranges}


NOTHING_HELD = Held(None, {}, "{}")


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel as a checkpoint stores it."""

    version: str | int | float
    node: Node
    refs: tuple[int, ...]


@dataclass(slots=True)
class ThreadMemo:
    """Positions of a thread's items by digest, and the channels of the checkpoints seen last."""

    thread: int
    epoch: int
    next_positions: tuple[int, int] = (0, FIRST_VALUE)
    positions: dict[bytes, int] = field(default_factory=dict)
    digests: dict[tuple[Any, ...] | None, bytes] = field(default_factory=dict)
    marked: set[int] = field(default_factory=set)
    withheld: set[int] = field(default_factory=set)
    """Items that placeholders were handed out for."""
    checkpoints: OrderedDict[CheckpointKey, dict[str, StoredChannel]] = field(default_factory=OrderedDict)
    items: dict[int, Open] = field(default_factory=dict)
    size: int = 0
    """Bytes of the items."""

    def remember(self, key: CheckpointKey, channels: dict[str, StoredChannel]) -> None:
        """Keep the channels of a checkpoint, forgetting those of the oldest."""
        self.checkpoints[key] = channels
        self.checkpoints.move_to_end(key)
        while len(self.checkpoints) > _MAX_CHECKPOINTS:
            self.checkpoints.popitem(last=False)


class Memory:
    """Thread memos, least recently used forgotten first. Safe to share between threads and tasks."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._memos: OrderedDict[ThreadKey, ThreadMemo] = OrderedDict()
        # Which thread the checkpoints of forgotten memos were in, so that a late write is known for one.
        self._forgotten: OrderedDict[tuple[ThreadKey, CheckpointKey], int] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: ThreadKey, thread: int | None = None) -> ThreadMemo | None:
        """Return what is remembered of a thread; with a number, of this incarnation of it only."""
        with self._lock:
            memo = self._memos.get(key)
            if memo is None or thread not in (None, memo.thread):
                return None
            self._memos.move_to_end(key)
            return memo

    def learn(
        self, key: ThreadKey, thread: int, epoch: int, next_positions: tuple[int, int], positions: dict[bytes, int]
    ) -> ThreadMemo:
        """Add to what is remembered; anything of another incarnation or epoch is forgotten."""
        with self._lock:
            memo = self._memos.get(key)
            if memo is None or (memo.thread, memo.epoch) != (thread, epoch):
                self._drop(key)
                memo = self._memos[key] = ThreadMemo(thread, epoch)
            self._memos.move_to_end(key)
            while len(self._memos) > _MAX_THREADS:
                self._drop(next(iter(self._memos)))
            (a, b), (c, d) = memo.next_positions, next_positions
            memo.next_positions = max(a, c), max(b, d)
            memo.positions.update(positions)
            return memo

    def held(self, key: ThreadKey) -> Held:
        """Return the items of a thread that are held here; they stay with the caller, whatever is forgotten."""
        memo = self.get(key)
        if memo is None or not memo.items:
            return NOTHING_HELD
        with self._lock:
            return Held(memo.thread, memo.items, _ranges(sorted(memo.items)))

    def hold(self, key: ThreadKey, thread: int, items: dict[int, Open]) -> dict[int, Open]:
        """Keep items of a thread, and those of the threads used last, as far as there is room.

        Returns them where they are kept, for a reader who makes them ready for the next.
        """
        with self._lock:
            memo = self._memos.get(key)
            if memo is None or memo.thread != thread:
                return items
            size = sum(items[position].size for position in items.keys() - memo.items.keys())
            kept = memo.items
            kept.update(items)
            memo.size += size
            self._bytes += size
            for other in self._memos.values():
                if self._bytes <= self._most_bytes:
                    break
                self._let_go(other)
            return kept

    def withhold(self, key: ThreadKey, thread: int, items: Iterable[int]) -> None:
        """Note that placeholders for these items of a thread were handed out."""
        with self._lock:
            memo = self._memos.get(key)
            if memo is not None and memo.thread == thread:
                memo.withheld.update(items)

    def remember(self, memo: ThreadMemo, key: CheckpointKey, channels: dict[str, StoredChannel]) -> None:
        """Keep the channels of a checkpoint."""
        with self._lock:
            memo.remember(key, channels)

    def forget(self, key: ThreadKey) -> None:
        """Drop what is remembered of a thread, except which thread its checkpoints were in."""
        with self._lock:
            self._drop(key)

    def thread_of(self, key: ThreadKey, checkpoint: CheckpointKey) -> int | None:
        """Return the thread that a checkpoint was seen in; it may have been deleted since."""
        with self._lock:
            memo = self._memos.get(key)
            if memo is not None and checkpoint in memo.checkpoints:
                return memo.thread
            return self._forgotten.get((key, checkpoint))

    def _drop(self, key: ThreadKey) -> None:
        memo = self._memos.pop(key, None)
        if memo is None:
            return
        self._let_go(memo)
        for checkpoint in memo.checkpoints:
            self._forgotten[key, checkpoint] = memo.thread
            self._forgotten.move_to_end((key, checkpoint))
        while len(self._forgotten) > _MAX_FORGOTTEN:
            self._forgotten.popitem(last=False)

    def _let_go(self, memo: ThreadMemo) -> None:
        self._bytes -= memo.size
        memo.items, memo.size = {}, 0


def _ranges(positions: list[int]) -> str:
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][1] == position:
            runs[-1][1] += 1
        else:
            runs.append([position, position + 1])
    return f"{{{','.join(f'[{first},{end})' for first, end in runs)}}}"
