"""A stored session as a transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agent.conversation import tool_uses
from agent.provenance import sources_of, withholding_of
from agent.schemas import Message, Transcript
from checkpointer import ThreadNotFoundError

if TYPE_CHECKING:
    from checkpointer import GovernedPostgresSaver

_ROLES: dict[str, Literal["user", "assistant", "tool", "system"]] = {
    "human": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "tool": "tool",
    "function": "tool",
    "system": "system",
}


def transcript_of(saver: GovernedPostgresSaver, session: str) -> Transcript:
    """Return the bound principal's session with all of its messages, oldest first.

    Raises:
        ThreadNotFoundError: They have no such session.
    """
    found = saver.sessions(thread_id=session)
    config: Any = {"configurable": {"thread_id": session}}
    latest = saver.get_tuple(config)
    if not found or latest is None:
        raise ThreadNotFoundError(session)
    messages: list[AnyMessage] = latest.checkpoint["channel_values"].get("messages", [])
    return Transcript(
        session=session,
        title=found[0].title,
        created_at=found[0].created_at,
        updated_at=found[0].updated_at,
        unfinished=_unfinished(messages),
        messages=[_message(message, messages) for message in messages],
    )


def _unfinished(messages: list[AnyMessage]) -> bool:
    last = messages[-1] if messages else None
    return not isinstance(last, AIMessage) or bool(last.tool_calls)


def _message(message: AnyMessage, messages: list[AnyMessage]) -> Message:
    withheld = withholding_of(message)
    return Message(
        id=message.id,
        role=_ROLES.get(message.type, "system"),
        content=None if withheld else message.text,
        withheld=withheld,
        name=message.name,
        tool_calls=tool_uses([message, *(m for m in messages if isinstance(m, ToolMessage))]),
        tool_call_id=message.tool_call_id if isinstance(message, ToolMessage) else None,
        sources=sources_of([message]),
    )
