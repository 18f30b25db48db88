"""What people think of messages: up or down, and why.

Everybody who may read a message may say so, and change it; nobody speaks for anybody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from checkpointer.errors import EncryptedRowError, FeedbackError, MessageNotFoundError
from checkpointer.operations import Operation, Statement
from checkpointer.principal import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkpointer.addresses import Address

Rating = Literal["up", "down"]
LONGEST_COMMENT = 2000


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thinks of a message.

    Attributes:
        number: The message's in the checkpoint's `messages`, from 0.
        own: Whether the principal said it.
    """

    number: int
    rater: str
    own: bool
    rating: Rating
    comment: str | None
    rated_at: datetime


def rate(rater: str, where: Address, number: int, rating: Rating, comment: str | None) -> Operation[Feedback]:
    """Store what somebody thinks of a message, instead of what they thought before."""
    if rating not in ("up", "down"):
        msg = f"A rating is 'up' or 'down', not {rating!r:.80}."
        raise FeedbackError(msg)
    comment = comment or None
    if comment is not None and (len(comment) > LONGEST_COMMENT or not storable(comment)):
        msg = f"A comment has at most {LONGEST_COMMENT} characters, without NUL and lone surrogates."
        raise FeedbackError(msg)
    if not 0 <= number < 2**31:
        raise MessageNotFoundError(where.thread_id, where.foreign)
    params = {**_params(where), "number": number, "rater": rater, "rating": rating}
    [[(rated_at,)]] = yield [Statement("rate", {**params, "comment": comment, "sealed_comment": None})]
    if rated_at is None:
        raise MessageNotFoundError(where.thread_id, where.foreign)
    return Feedback(number, rater, True, rating, comment, rated_at)


def ratings(where: Address) -> Operation[Sequence[Feedback]]:
    """Return what the principal may see of what people think of the messages of a checkpoint, in their order.

    Raises:
        EncryptedRowError: A comment is encrypted.
    """
    [rows] = yield [Statement("ratings", _params(where))]
    if any(row[4] is not None for row in rows):
        raise EncryptedRowError
    return [
        Feedback(number, rater, rater == where.reader, rating, comment, rated_at)
        for number, rater, rating, comment, _, rated_at, _ in rows
    ]


def _params(where: Address) -> dict[str, str | None]:
    return {"owner": where.owner, "thread_id": where.thread_id, "checkpoint_id": where.checkpoint_id}
