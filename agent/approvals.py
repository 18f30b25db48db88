"""Calls that a person has to approve before they run: MOORING_APPROVE says which.

A call that waits is an interrupt of LangGraph's in the checkpoint. It names the call alone; what the call asks for is
read from the session's messages, under the rights of whoever decides. The decision may come in another process, days
later: from the session's owner, or from an editor, whose own credentials the call then runs with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import ToolMessage
from langgraph.checkpoint.serde.types import INTERRUPT
from langgraph.types import interrupt

from agent.errors import MooringError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import PendingWrite
    from langgraph.prebuilt.tool_node import ToolCallRequest
    from langgraph.types import Command, StateSnapshot

Approve = Literal["never", "query", "all"]

# Tools that only tell which tables there are; `query` is every other one.
_DESCRIBING = {"list_tables", "describe_table"}
_REFUSED = "The person did not approve this call, and it was not run. Do not ask for it again."


class ApprovalError(MooringError):
    """There is no such call to decide about, or not for this person."""


def run_approved(
    approve: Approve,
    request: ToolCallRequest,
    execute: Callable[[ToolCallRequest], ToolMessage | Command[Any]],
) -> ToolMessage | Command[Any]:
    """Run a tool call once it is approved; one that needs no approval at once."""
    call = request.tool_call
    if approve == "never" or (approve == "query" and call["name"] in _DESCRIBING):
        return execute(request)
    if interrupt({"call": call["id"]}) is not True:
        return ToolMessage(_REFUSED, tool_call_id=call["id"] or "", name=call["name"], status="error")
    return execute(request)


def calls_waiting(state: StateSnapshot) -> dict[str, str]:
    """Return the ids of the interrupts of calls that wait, by the calls' ids."""
    interrupts = [each for task in state.tasks if task.result is None for each in task.interrupts]
    return {each.value["call"]: each.id for each in interrupts if isinstance(each.value, dict) and "call" in each.value}


def calls_in(writes: Iterable[PendingWrite]) -> set[str]:
    """Return the same calls, as a checkpoint's pending writes tell them."""
    stored = list(writes)
    done = {task for task, channel, _ in stored if channel != INTERRUPT}
    asked = [value for task, channel, value in stored if channel == INTERRUPT and task not in done]
    return {each.value["call"] for value in asked for each in value if isinstance(each.value, dict)}
