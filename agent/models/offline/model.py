"""The model without a network: it answers plain questions about any schema with real tool calls, or says it cannot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool

from agent.models.offline.dialects import DATABRICKS, POSTGRES, Dialect
from agent.models.offline.dialogue import Call, Outcome, Result, Turn

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.runnables import Runnable


def _today() -> date:
    return datetime.now(UTC).date()


class OfflineChatModel(BaseChatModel):
    """A deterministic chat model that reads the catalog's live schema.

    Everything is derived from the messages that it is given and from today's date, so it can go on in another process,
    and it never reads an instruction out of a tool's result. It calls list_tables, describe_table and query, if they
    were bound.
    """

    today: Callable[[], date] = _today
    """Where "last month" ends."""

    @property
    def _llm_type(self) -> str:
        return "mooring-offline"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Take tools by their names; those that it does not know are never called."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages, kwargs))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages, kwargs)
        for text in reply.text.splitlines(keepends=True):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
            if run_manager:
                run_manager.on_llm_new_token(text, chunk=chunk)
            yield chunk
        calls = [
            tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=i)
            for i, call in enumerate(reply.tool_calls)
        ]
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=calls, chunk_position="last"))

    def _reply(self, messages: Sequence[BaseMessage], kwargs: dict[str, Any]) -> AIMessage:
        bound = {tool["function"]["name"]: tool["function"]["description"] for tool in kwargs.get("tools", ())}
        dialect = DATABRICKS if "Databricks" in bound.get("query", "") else POSTGRES
        before = Outcome("What would you like to know?")
        found: Outcome | list[Call] = before
        for turn in _turns(messages):
            found, before = _replay(turn, before, self.today(), dialect)
        if isinstance(found, Outcome):
            return AIMessage(found.text)
        if missing := {call.name for call in found} - bound.keys():
            return AIMessage(f"I cannot answer that: I have no tool {sorted(missing)[0]}.")
        calls = [
            {"name": call.name, "args": dict(call.args), "id": f"call_{_place(messages)}_{i}"}
            for i, call in enumerate(found)
        ]
        return AIMessage("", tool_calls=calls)


def _place(messages: Sequence[BaseMessage]) -> str:
    """Say where in a session it is: the number of messages alone does not, once earlier ones are left out."""
    last = messages[-1]
    before = last.tool_call_id if isinstance(last, ToolMessage) else last.id
    return hashlib.sha256(f"{len(messages)} {before}".encode()).hexdigest()[:16]


def _turns(messages: Sequence[BaseMessage]) -> list[list[BaseMessage]]:
    """Split the messages at those of the person."""
    starts = [i for i, message in enumerate(messages) if isinstance(message, HumanMessage)]
    return [list(messages[a:b]) for a, b in zip(starts, [*starts[1:], len(messages)], strict=True)]


def _replay(
    turn: list[BaseMessage], before: Outcome, today: date, dialect: Dialect
) -> tuple[Outcome | list[Call], Outcome]:
    """Run a turn with the results that it has; return its outcome, or the calls whose results are still to come.

    The second outcome is what the next turn may lean on.
    """
    results = _results(turn)
    asked = Turn(turn[0].text, before, today, dialect)
    steps = asked.steps()
    try:
        calls = next(steps)
        while all(_key(call) in results for call in calls):
            calls = steps.send([results[_key(call)] for call in calls])
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome, outcome
    # Where it was interrupted before it was understood, the next one cannot lean on the one before it instead.
    return calls, Outcome("", asked.queries or before.queries, unanswered=not asked.queries)


def _key(call: Call) -> tuple[str, str]:
    return call.name, json.dumps(dict(call.args), sort_keys=True)


def _results(turn: Sequence[BaseMessage]) -> dict[tuple[str, str], Result]:
    results: dict[tuple[str, str], Result] = {}
    calls: dict[str | None, Call] = {}
    for message in turn:
        if isinstance(message, AIMessage):
            calls.update({call["id"]: Call(call["name"], call["args"]) for call in message.tool_calls})
        elif isinstance(message, ToolMessage) and message.tool_call_id in calls:
            results[_key(calls[message.tool_call_id])] = _result(message)
    return results


def _result(message: ToolMessage) -> Result:
    if message.status == "error":
        return Result(None, message.text)
    try:
        content = json.loads(message.text)
    except ValueError:
        content = None
    return Result(content, "") if isinstance(content, dict) else Result(None, message.text)
