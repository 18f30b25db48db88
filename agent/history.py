"""The checkpoints of a session: what ran, what runs next, and where another session may begin."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage

from agent.graph import build_graph
from agent.models import OfflineChatModel
from agent.schemas import CheckpointInfo
from checkpointer import ThreadNotFoundError

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage

    from checkpointer import GovernedPostgresSaver

_LONGEST = 60


def history_of(saver: GovernedPostgresSaver, session: str, owner: str | None = None) -> list[CheckpointInfo]:
    """Return the checkpoints of the bound principal's session, or of one that an owner shares, the latest first.

    Raises:
        ThreadNotFoundError: There is no such session, or none that they may read.
    """
    named: Any = {"thread_id": session} if owner is None else {"thread_id": session, "thread_owner": owner}
    states = list(build_graph(OfflineChatModel(), saver).get_state_history({"configurable": named}))
    if not states:
        raise ThreadNotFoundError(session, owner)
    return [
        CheckpointInfo(
            checkpoint=state.config["configurable"]["checkpoint_id"],
            step=(state.metadata or {}).get("step", -1),
            source=(state.metadata or {}).get("source", ""),
            next=list(state.next),
            messages=len(messages := state.values.get("messages", [])),
            last=_said(messages[-1]) if messages else "",
            created_at=None if state.created_at is None else datetime.fromisoformat(state.created_at),
        )
        for state in states
    ]


def _said(message: AnyMessage) -> str:
    if isinstance(message, AIMessage) and message.tool_calls:
        return f"asks for {', '.join(call['name'] for call in message.tool_calls)}"
    return f"{message.type}: {' '.join(message.text.split())[:_LONGEST]}"
