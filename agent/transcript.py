"""A stored session as a transcript."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agent.answers import tool_uses, waiting_in
from agent.approvals import calls_in
from agent.provenance import sources_of, withholding_of
from agent.schemas import Message, Opinion, SessionInfo, ShareInfo, Transcript
from checkpointer import ThreadNotFoundError

if TYPE_CHECKING:
    from checkpointer import GovernedPostgresSaver, Session
    from checkpointer.sharing import Share

_ROLES: dict[str, Literal["user", "assistant", "tool", "system"]] = {
    "human": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "tool": "tool",
    "function": "tool",
    "system": "system",
}


def transcript_of(
    saver: GovernedPostgresSaver,
    session: str,
    owner: str | None = None,
    *,
    exports: bool = False,
    break_glass: str | None = None,
) -> Transcript:
    """Return a session with all of its messages, oldest first: the bound principal's, or one that an owner shares.

    Args:
        saver: An open saver.
        session: Its thread id.
        owner: Whose it is, if somebody else's.
        exports: The audit tells that it was taken out.
        break_glass: Why an auditor has to read it whole, shared or not.

    Raises:
        ThreadNotFoundError: There is no such session, or none that they may read.
        NotAuditorError: Only auditors break the glass.
    """
    if break_glass is not None:
        found = [saver.break_glass(owner or "", session, reason=break_glass)]
    else:
        found = list(saver.sessions(thread_id=session, owner=owner))
    config: Any = {"configurable": {"thread_id": session, "thread_owner": owner}}
    latest = saver.export(config) if exports else saver.get_tuple(config)
    if not found or latest is None:
        raise ThreadNotFoundError(session, owner)
    messages: list[AnyMessage] = latest.checkpoint["channel_values"].get("messages", [])
    waiting = calls_in(latest.pending_writes or ())
    given = [] if break_glass is not None else saver.ratings(latest.config)
    opinions = {each.number: Opinion(rating=each.rating, comment=each.comment) for each in given if each.own}
    return Transcript(
        session=session,
        owner=owner,
        title=found[0].title,
        created_at=found[0].created_at,
        updated_at=found[0].updated_at,
        unfinished=_unfinished(messages),
        messages=messages_of(messages, waiting, opinions),
    )


def messages_of(
    messages: list[AnyMessage], waiting: Collection[str] = (), opinions: Mapping[int, Opinion] = MappingProxyType({})
) -> list[Message]:
    """Return messages as a transcript shows them.

    Args:
        messages: All of them, as tool calls have their results in others.
        waiting: The ids of calls that wait for approval.
        opinions: What the reader thinks of messages, by their number.
    """
    asked = set(waiting)
    return [_message(message, messages, asked, opinions.get(number)) for number, message in enumerate(messages)]


def info_of(session: Session) -> SessionInfo:
    """Return a session as listings show it."""
    return SessionInfo(
        session=session.thread_id,
        title=session.title,
        created_at=session.created_at,
        updated_at=session.updated_at,
        checkpoints=session.checkpoints,
    )


def share_of(share: Share) -> ShareInfo:
    """Return whom a session is shared with, as listings show it."""
    return ShareInfo(
        session=share.thread_id,
        owner=share.owner,
        shared_with=share.shared_with,
        role=share.role,
        shared_at=share.shared_at,
    )


def _unfinished(messages: list[AnyMessage]) -> bool:
    last = messages[-1] if messages else None
    return not isinstance(last, AIMessage) or bool(last.tool_calls)


def _message(message: AnyMessage, messages: list[AnyMessage], waiting: set[str], opinion: Opinion | None) -> Message:
    withheld = withholding_of(message)
    uses = tool_uses([message, *(m for m in messages if isinstance(m, ToolMessage))])
    asked = {use.id: use for use in waiting_in([message], waiting)}
    return Message(
        id=message.id,
        role=_ROLES.get(message.type, "system"),
        content=None if withheld else message.text,
        withheld=withheld,
        name=message.name,
        tool_calls=[asked.get(use.id, use) if use.status == "pending" else use for use in uses],
        tool_call_id=message.tool_call_id if isinstance(message, ToolMessage) else None,
        sources=sources_of([message]),
        feedback=opinion,
    )
