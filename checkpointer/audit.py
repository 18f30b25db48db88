"""What the audit tells: who did what with which thread, and what was withheld from whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from checkpointer.errors import ThreadNotFoundError
from checkpointer.operations import Operation, Statement
from checkpointer.principal import storable
from checkpointer.sessions import Session, session_of
from checkpointer.sharing import ShareRole

if TYPE_CHECKING:
    from collections.abc import Sequence

Act = Literal[
    "opened",
    "wrote",
    "read",
    "withheld",
    "shared",
    "unshared",
    "transferred",
    "exported",
    "deleted",
    "break glass",
    "rated",
]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One act of a person's. Owner and thread id are those of its time, which carries a time zone.

    Attributes:
        counterpart: Whom it was shared with or given to; a group as `group:` and its name.
        role: What it was shared as.
        reason: Why something was withheld, or the glass broken.
        statement: The id of the query that read the tables.
        tables: Those that were read, or that the reader misses, as `catalog.schema.table`.
    """

    at: datetime
    actor: str
    act: Act
    owner: str
    thread_id: str
    counterpart: str | None
    role: ShareRole | None
    reason: str | None
    statement: str | None
    tables: list[str]


def lines(
    thread_id: str | None, user: str | None, table: str | None, since: timedelta | None, limit: int
) -> Operation[Sequence[AuditLine]]:
    """Return the lines that the principal may see, newest first."""
    params = {"thread_id": thread_id, "user": user, "table": table, "since": since, "limit": limit}
    [rows] = yield [Statement("audit", params)]
    return [AuditLine(*row) for row in rows]


def break_glass(owner: str, thread_id: str, reason: str) -> Operation[Session]:
    """Note why, and then let the principal read a thread of anybody's; two trips, as the first has to be committed."""
    reason = reason.strip()
    if not reason or not storable(reason):
        msg = "Say why, in a text without NUL characters and lone surrogates."
        raise ValueError(msg)
    params = {"owner": owner, "thread_id": thread_id, "reason": reason}
    yield [Statement("break_glass", params)]
    [rows] = yield [Statement("broken_session", params)]
    if not rows:
        raise ThreadNotFoundError(thread_id, owner)
    return session_of(rows[0])
