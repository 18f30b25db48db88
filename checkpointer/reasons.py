"""Why what a person was told is shown to them, or not: the database explains each of its decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from checkpointer.errors import ThreadNotFoundError
from checkpointer.operations import Operation, Row, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict = Literal[
    "held", "unknown", "elsewhere", "gone", "nobody", "privileged", "not granted", "beneath", "changed", "ran out"
]
Limit = Literal["columns", "rows", "view"]
Role = Literal["user", "assistant", "tool", "system"]


@dataclass(frozen=True, slots=True)
class LabelReason:
    """One table that a message was derived from, and whether its reader may read it now as it was read then.

    Attributes:
        source: `catalog.schema.table`.
        partial: Only a part of it was read: some columns or rows, or what a view shows.
        expires_at: When the label runs out, with a time zone; None for one that does not.
        verdict: "held", or what is in the way.
        limits: What limits the reader to a part of it now.
        missing: Statements that would mend it; empty where no grant would.
        grantors: Roles that could give those grants, or that made the rules which are in the way.
    """

    source: str
    partial: bool
    expires_at: datetime | None
    verdict: Verdict
    limits: Sequence[Limit]
    missing: Sequence[str]
    grantors: Sequence[str]

    @property
    def held(self) -> bool:
        """Whether this label lets its reader see the message."""
        return self.verdict == "held"


@dataclass(frozen=True, slots=True)
class MessageReasons:
    """A message of the latest checkpoint, by its position in the conversation from 0, and its labels by source."""

    position: int
    message_id: str | None
    role: Role | None
    withheld: bool
    labels: Sequence[LabelReason]


def why(owner: str, thread_id: str) -> Operation[list[MessageReasons]]:
    """Return the reasons for every message of a thread, in order.

    Raises:
        ThreadNotFoundError: The principal sees no such thread.
    """
    params = {"owner": owner, "thread_id": thread_id, "limit": 1}
    known, rows = yield [Statement("sessions", params), Statement("why", params)]
    if not known:
        raise ThreadNotFoundError(thread_id)
    return [_message(message, list(labels)) for message, labels in groupby(rows, key=lambda row: row[:4])]


def _message(message: Row, rows: list[Row]) -> MessageReasons:
    position, message_id, role, withheld = message
    return MessageReasons(
        position, message_id, role, withheld, [LabelReason(*row[4:]) for row in rows if row[4] is not None]
    )
