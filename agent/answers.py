"""The messages of a turn as an answer: what was said, and what came of the tools that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.approvals import calls_waiting
from agent.provenance import sources_of, withholding_of
from agent.schemas import Answer, ToolUse

if TYPE_CHECKING:
    from langchain_core.messages import ToolCall
    from langgraph.types import StateSnapshot

_TITLE = 60


def answer_of(
    session: str, messages: list[AnyMessage], owner: str | None = None, waiting: Sequence[ToolUse] = ()
) -> Answer:
    """Return the last turn of a session as an answer; it may wait for the approval of calls."""
    start = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
    turn = messages[start:]
    final = next((m for m in reversed(turn) if isinstance(m, AIMessage)), AIMessage(""))
    asked = {use.id: use for use in waiting}
    return Answer(
        session=session,
        owner=owner,
        answer=final.text or " ".join(f"The call {use.id} of {use.name} waits for approval." for use in waiting),
        withheld=withholding_of(final),
        tools=[asked.get(use.id, use) for use in tool_uses(turn)],
        sources=sources_of([final]),
    )


def tool_uses(messages: list[AnyMessage]) -> list[ToolUse]:
    """Return the tool calls of messages, each with what came of it."""
    results = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}
    calls = [(m, call) for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    return [_tool_use(message, call, results.get(call["id"] or "")) for message, call in calls]


def waiting_in(messages: list[AnyMessage], calls: set[str]) -> list[ToolUse]:
    """Return the uses of tools that wait, of the calls with these ids."""
    return [use.model_copy(update={"status": "waiting"}) for use in tool_uses(messages) if use.id in calls]


def messages_in(state: StateSnapshot) -> list[AnyMessage]:
    """Return the messages of a session's state, oldest first."""
    return list(state.values.get("messages", []))


def waiting_at(state: StateSnapshot) -> list[ToolUse]:
    """Return the uses of tools that wait for approval in a session's state."""
    return waiting_in(messages_in(state), set(calls_waiting(state)))


def is_answered(messages: Sequence[AnyMessage]) -> bool:
    """Tell whether the last turn has come to its end, as its last message tells."""
    return bool(messages) and isinstance(messages[-1], AIMessage) and not messages[-1].tool_calls


def title_of(question: str) -> str:
    """Return a title made of the person's own words, which carry no sources."""
    line = " ".join(question.replace("\x00", " ").encode("utf-8", "replace").decode().split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"


def _tool_use(asked: AIMessage, call: ToolCall, result: ToolMessage | None) -> ToolUse:
    withheld = withholding_of(asked) or withholding_of(result)
    asked_for: Any = {"id": call["id"], "name": call["name"], "args": call["args"], "withheld": withheld}
    if result is None:
        return ToolUse(**asked_for, status="pending")
    rows = result.response_metadata.get("rows")
    return ToolUse(**asked_for, rows=rows, sources=sources_of([result]), status=result.status)
