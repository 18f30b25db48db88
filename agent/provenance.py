"""Which tables a message was derived from.

A tool result names the tables it was read from. An answer is derived from everything in its prompt, and so is what it
asks a tool for, and what that tool answers: information-flow tracking, conservative on purpose. What people say carries
nothing.

Sources are for people: `response_metadata["sources"]`, names of tables. Labels are for the store, which withholds what
their reader may not read any more: `checkpointer.labels`. A placeholder of something withheld carries neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from agent.errors import TurnError
from agent.schemas import Withholding
from checkpointer.labels import KEY, Labels, labelled, labels_of, withheld_in

if TYPE_CHECKING:
    from langchain_core.messages import ToolCall
    from langgraph.prebuilt.tool_node import ToolCallRequest

M = TypeVar("M", bound=BaseMessage)

TRACE = "trace"
"""The key of an answer's metadata that names the trace of its turn."""


def sources_of(messages: Iterable[BaseMessage]) -> list[str]:
    """Return the tables that the messages were derived from, sorted, as `catalog.schema.table`."""
    derived = (m for m in messages if isinstance(m, AIMessage | ToolMessage))
    return sorted({source for message in derived for source in message.response_metadata.get("sources", ())})


def withholding_of(message: BaseMessage | None) -> Withholding | None:
    """Return what is missing to read a message, None where it can be read."""
    withheld = None if message is None else withheld_in(message)
    return None if withheld is None else Withholding(sources=list(withheld.sources), reason=withheld.reason)


def derived_from(answer: M, prompt: Sequence[BaseMessage], trace_id: str | None = None) -> M:
    """Return the answer with the sources and labels of its prompt, whatever the model claimed itself."""
    metadata = {**answer.response_metadata, "sources": sources_of(prompt)}
    metadata.pop(TRACE, None)
    if trace_id is not None:
        metadata[TRACE] = trace_id
    return _with(answer, metadata, labels_of([m for m in prompt if isinstance(m, AIMessage | ToolMessage)]))


def labelled_calls(answer: AIMessage) -> list[ToolCall]:
    """Return the tool calls of an answer, each with the answer's labels."""
    marks: Any = {KEY: labelled(labels_of(answer))}
    return [{**call, **marks} for call in answer.tool_calls]


def run_labelled(
    request: ToolCallRequest, execute: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
) -> ToolMessage | Command[Any]:
    """Run a tool call; its result carries the labels of the call besides its own.

    Raises:
        TurnError: The tool failed in a way that it does not explain itself. What it read until then is not known.
    """
    asked = labels_of(request.tool_call)
    try:
        result = execute(request)
    except GraphBubbleUp:
        raise
    except Exception as error:
        problem = f"The tool {request.tool_call['name']} failed ({type(error).__name__})"
        raise TurnError(problem, "ask again, perhaps in other words; MOORING_DEBUG=1 shows what happened") from error
    if isinstance(result, ToolMessage):
        return _with(result, result.response_metadata, labels_of(result) | asked)
    update = result.update
    if isinstance(update, dict) and isinstance(update.get("messages"), list):
        messages = [
            _with(m, m.response_metadata, labels_of(m) | asked) if isinstance(m, BaseMessage) else m
            for m in update["messages"]
        ]
        return Command(result.graph, {**update, "messages": messages}, result.resume, result.goto)
    return result


def _with(message: M, metadata: dict[str, Any], labels: Labels) -> M:
    return message.model_copy(update={"response_metadata": {**metadata, KEY: labelled(labels)}})
