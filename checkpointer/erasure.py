"""Remove everything of a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkpointer.errors import ErasureHeldError
from checkpointer.operations import Operation, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES = ("threads", "checkpoints", "items", "writes", "feedback", "shares", "label_sets", "labels")


@dataclass(frozen=True, slots=True)
class Erased:
    """What went of a person, or would go.

    Attributes:
        rows: How many rows by table: of their threads in every namespace, what they said of others' messages, what
            others share with them, and labels that no other thread has.
        held: Their threads under legal hold, and others' in which they said what they think, which stay.
    """

    owner: str
    rows: Mapping[str, int]
    held: tuple[str, ...]


def erase(owner: str, *, dry_run: bool, except_held: bool) -> Operation[Erased]:
    """Delete all of a person in one transaction, and then labels that are left without a thread.

    That is their threads, their feedback, and the shares of others' threads with them.

    Raises:
        ErasureHeldError: Some of the threads are under legal hold, and `except_held` does not pass over them.
    """
    params = {"owner": owner, "except_held": except_held}
    _, held, [counts] = yield [Statement(name, params) for name in ("lock_threads_of", "held_of", "erasing")]
    found = Erased(owner, dict(zip(_TABLES, counts, strict=True)), tuple(thread_id for (thread_id,) in held))
    if found.held and not except_held:
        raise ErasureHeldError(owner, found.held)
    if dry_run:
        return found
    names = ("lock_threads_of", "erasing", "erase", "erase_feedback", "erase_shares")
    _, [counts], *_ = yield [Statement(name, params) for name in names]
    # A lock at a time: whoever stores labels has one table before the other, and may wait for a thread.
    yield [Statement("lock_label_sets", {}), Statement("erase_label_sets", {})]
    yield [Statement("lock_labels", {}), Statement("erase_labels", {})]
    return Erased(owner, dict(zip(_TABLES, counts, strict=True)), found.held)
