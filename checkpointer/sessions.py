"""What a person sees of a thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from checkpointer.errors import EncryptedRowError, ThreadNotFoundError, UnstorableTextError
from checkpointer.operations import Operation, Row, Statement
from checkpointer.principal import storable

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Session:
    """A thread with an owner and a title. Times carry a time zone; `checkpoints` counts all namespaces."""

    thread_id: str
    owner: str
    title: str | None
    created_at: datetime
    updated_at: datetime
    checkpoints: int


def list_sessions(owner: str, thread_id: str | None, limit: int) -> Operation[Sequence[Session]]:
    """Return the owner's sessions, the one used last first."""
    params = {"owner": owner, "thread_id": thread_id, "limit": limit}
    [rows] = yield [Statement("sessions", params)]
    return [session_of(row) for row in rows]


def session_of(row: Row) -> Session:
    """Return a row of the query `sessions`.

    Raises:
        EncryptedRowError: Its title is encrypted.
    """
    *known, sealed_title, _ = row
    if sealed_title is not None:
        raise EncryptedRowError
    return Session(*known)


def rename(owner: str, thread_id: str, title: str | None, *, if_untitled: bool = False) -> Operation[None]:
    """Change the title only."""
    if title is not None and not storable(title):
        raise UnstorableTextError("title", "holds a NUL character or a lone surrogate")
    params = {"owner": owner, "thread_id": thread_id, "title": title, "sealed_title": None, "if_untitled": if_untitled}
    [rows] = yield [Statement("rename", params)]
    if not rows:
        raise ThreadNotFoundError(thread_id)
