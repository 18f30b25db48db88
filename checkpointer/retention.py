"""What goes of threads that are kept no longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from checkpointer.errors import ThreadNotFoundError
from checkpointer.operations import Operation, Statement
from checkpointer.policy import Retention

if TYPE_CHECKING:
    from checkpointer.memo import Memory

# Threads looked at in one round trip, and threads pruned in one transaction.
_PAGE, _BATCH = 500, 50

Blocked = Literal["legal hold", "a run is going"]


@dataclass(frozen=True, slots=True)
class Expired:
    """What went of one thread, or would go, or would if nothing blocked it.

    Attributes:
        used_at: When the thread was last used, with a time zone.
        whole: The thread goes, and not only older checkpoints.
        checkpoints: How many checkpoints go, of all namespaces.
        rows: How many rows go, checkpoints included.
        bytes: The size of what they hold, compressed as it is stored, without row headers and indexes.
        blocked: Why it stays: a legal hold, or a run that holds the thread's lease; None when it goes.
    """

    owner: str
    thread_id: str
    used_at: datetime
    whole: bool
    checkpoints: int
    rows: int
    bytes: int
    blocked: Blocked | None


class _Found(NamedTuple):
    """A row of the query `expiring`."""

    owner: str
    thread_id: str
    thread: int
    used_at: datetime
    whole: bool
    checkpoints: int
    rows: int
    bytes: int
    blocked: Blocked | None


class Expiry:
    """One pass over the threads of an owner, or of everybody for an administrator, page by page.

    Every page looks in one transaction and prunes in others, of a few threads each. A thread that was used since it was
    looked at is passed over. A thread's own policy goes before `default`.
    """

    def __init__(
        self, owner: str | None, default: Retention, *, thread_ids: Sequence[str] | None = None, dry_run: bool = False
    ) -> None:
        self._dry_run = dry_run
        self._params: dict[str, Any] = {
            "owner": owner,
            "thread_ids": None if thread_ids is None else list(thread_ids),
            "keep_last": default.keep_last,
            "ttl": default.ttl,
            "after_owner": None,
            "after_thread": None,
            "limit": _PAGE,
        }
        self.done = False

    def page(self, memory: Memory | None = None) -> Operation[list[Expired]]:
        """Return what went of the next threads, or would go; sets `done` after the last."""
        rows, place = yield [Statement("expiring", self._params), Statement("expiring_page_end", self._params)]
        self.done = not place
        if place:
            self._params["after_owner"], self._params["after_thread"] = place[0]
        found = [_Found(*row) for row in rows]
        going = [each for each in found if each.blocked is None]
        if self._dry_run:
            gone = {each.thread for each in going}
        else:
            gone = set()
            for start in range(0, len(going), _BATCH):
                gone |= yield from self._prune(going[start : start + _BATCH])
        if memory is not None and not self._dry_run:
            for each in going:
                memory.forget((each.owner, each.thread_id))
        return [
            Expired(f.owner, f.thread_id, f.used_at, f.whole, f.checkpoints, f.rows, f.bytes, f.blocked)
            for f in found
            if f.blocked is not None or f.thread in gone
        ]

    def _prune(self, going: Sequence[_Found]) -> Operation[set[int]]:
        whole, older = ([f for f in going if f.whole is kind] for kind in (True, False))
        _, deleted, pruned, *_ = yield [
            Statement("lock_expiring", _named(going)),
            Statement("delete_expired", {**self._params, **_named(whole)}),
            Statement("prune_expired", {**self._params, **_named(older)}),
            Statement("cut_expired_parents", _named(older)),
            Statement("delete_expired_items", _named(older)),
        ]
        return {thread for (thread,) in (*deleted, *pruned)}


def _named(found: Sequence[_Found]) -> dict[str, Any]:
    return {"owners": [f.owner for f in found], "threads": [f.thread for f in found]}


def set_retention(owner: str, thread_id: str, retention: Retention | None) -> Operation[None]:
    """Give a thread a policy of its own; None takes it away."""
    params = {
        "owner": owner,
        "thread_id": thread_id,
        "keep_last": retention.keep_last if retention else None,
        "ttl": retention.ttl if retention else None,
        "refresh_on_read": retention.refresh_on_read if retention else None,
    }
    [rows] = yield [Statement("set_retention", params)]
    if not rows:
        raise ThreadNotFoundError(thread_id)


def get_retention(owner: str, thread_id: str) -> Operation[Retention | None]:
    """Return a thread's own policy."""
    [rows] = yield [Statement("get_retention", {"owner": owner, "thread_id": thread_id})]
    if not rows:
        raise ThreadNotFoundError(thread_id)
    keep_last, ttl, refresh_on_read = rows[0]
    return None if refresh_on_read is None else Retention(keep_last, ttl, refresh_on_read)
