"""Explain in words why the messages of a session are shown or withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import MooringError
from agent.schemas import ExplainedMessage, Explanation, Reason

if TYPE_CHECKING:
    from checkpointer import GovernedPostgresSaver, LabelReason, MessageReasons

_RULES = {
    "held": "You may read it now as it was read then.",
    "unknown": "It was not recorded how it was read, so nobody is shown what came of it.",
    "elsewhere": "It is in another catalog, which has to say that you may read it.",
    "gone": "It is not there any more, or another table has its name.",
    "nobody": "You have no role in its database.",
    "privileged": "Your role reads past row-level security; nothing is shown to such a role.",
    "not granted": "You may not read it now.",
    "beneath": "It is a view, and you may not read what is under it.",
    "changed": "You may read another part of it now than was read then: policies, columns, groups or a view changed.",
    "ran out": "What may be read of it hangs on more than its rules, so it was good for a limited time.",
}
_LIMITS = {"columns": "some columns", "rows": "some rows", "view": "what a view shows"}


def explanation_of(saver: GovernedPostgresSaver, session: str, number: int | None) -> Explanation:
    """Explain one message of the bound principal's session, or all.

    Raises:
        ThreadNotFoundError: They have no such session.
        MooringError: It has no such message.
    """
    messages = saver.why(session)
    if number is not None and not 0 <= number < len(messages):
        has = f"it has messages 0 to {len(messages) - 1}" if messages else "it has none"
        problem = f"The session {session!r} has no message {number}"
        raise MooringError(problem, f"choose another; {has}")
    chosen = messages if number is None else [messages[number]]
    return Explanation(session=session, messages=[_message(message) for message in chosen])


def _message(message: MessageReasons) -> ExplainedMessage:
    return ExplainedMessage(
        number=message.position,
        id=message.message_id,
        role=message.role,
        withheld=message.withheld,
        reasons=[_reason(label) for label in message.labels],
    )


def _reason(label: LabelReason) -> Reason:
    return Reason(
        source=label.source,
        seen=_seen(label),
        expires_at=label.expires_at,
        held=label.held,
        rule=_RULES[label.verdict],
        missing=list(label.missing),
        grantors=list(dict.fromkeys(label.grantors)),
    )


def _seen(label: LabelReason) -> str:
    if label.verdict in ("unknown", "elsewhere"):
        return "as its reader could"
    if not label.partial:
        return "whole"
    # What limits its reader now is what limited them then only while nothing changed.
    limits = [_LIMITS[limit] for limit in label.limits] if label.held else list(_LIMITS.values())
    return f"in part: {(' and ' if label.held else ' or ').join(limits)}"
