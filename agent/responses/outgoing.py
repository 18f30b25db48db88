"""What happens in a turn, as events of the Responses protocol.

Ids are those of the stored messages, so that an item that is read again later, in another process, is known again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from mlflow.types.responses import (
    create_function_call_item,
    create_function_call_output_item,
    create_mcp_approval_request_item,
    create_reasoning_item,
    create_text_output_item,
)

from agent.conversation import Answered, GivenUp, Resumed, Said, Token, ToolFinished, Waiting
from agent.provenance import sources_of, withholding_of
from agent.responses.incoming import APPROVAL

if TYPE_CHECKING:
    from agent.conversation import Event
    from agent.responses.failures import Failure
    from agent.schemas import Answer, ToolUse

Dict = dict[str, Any]


class Outgoing:
    """Turns events of a conversation into those of one response. Made for one turn.

    Args:
        response_id: The response's.
        session: The thread's id, which the client passes to go on.
        model: What the response says that answered.
        begun: When it was asked for, in seconds since 1970; now where that is not given.
    """

    def __init__(self, response_id: str, session: str, model: str, begun: int | None = None) -> None:
        self.output: list[Dict] = []
        at = int(time.time()) if begun is None else begun
        self._base = {"id": response_id, "object": "response", "created_at": at, "model": model}
        self._custom: Dict = {"thread_id": session}
        self._sequence = 0
        self._open: Dict | None = None
        # An interrupted turn that is finished first has an answer too.
        self._answer: Answer | None = None
        self._usage = [0, 0]

    def begin(self) -> Iterator[Dict]:
        """Say that the response has begun."""
        for kind in ("response.created", "response.in_progress"):
            yield self._event(kind, response=self.response("in_progress"))

    def event(self, event: Event) -> Iterator[Dict]:
        """Say what one event of the conversation means to the client."""
        if isinstance(event, Token):
            yield from self._token(event)
        elif isinstance(event, Said):
            yield from self._said(event.message)
        elif isinstance(event, ToolFinished):
            yield from self._item(_output_item(event.message))
        elif isinstance(event, Waiting):
            yield from self._item(_approval_item(event.use))
        elif isinstance(event, Resumed):
            self._custom["resumed"] = True
        elif isinstance(event, GivenUp):
            self._custom["given_up"] = event.error.problem
        elif isinstance(event, Answered):
            self._answer = event.answer

    @property
    def answered(self) -> bool:
        """Whether there was an answer."""
        return self._answer is not None

    def message(self, message: AnyMessage) -> Iterator[Dict]:
        """Say a stored message."""
        if isinstance(message, ToolMessage):
            yield from self._item(_output_item(message))
        elif isinstance(message, AIMessage):
            yield from self._said(message)

    def completed(self, answer: Answer | None = None, trace_id: str | None = None) -> Iterator[Dict]:
        """Say that the answer is stored: the last one that was told, where none is given."""
        if trace_id is not None:
            self._base["metadata"] = {"trace_id": trace_id}
        answer = answer or self._answer
        assert answer is not None
        self._custom |= {"sources": answer.sources}
        if answer.withheld is not None:
            self._custom["withheld"] = answer.withheld.model_dump()
        yield self._event("response.completed", response=self.response("completed"), custom_outputs=self._custom)

    def stopped(self) -> Iterator[Dict]:
        """Say that somebody has stopped the turn."""
        self._custom["stopped"] = True
        yield self._event("response.incomplete", response=self.response("cancelled"))

    def left(self) -> Iterator[Dict]:
        """Say that the turn was left for later: it is finished when its session is next asked."""
        self._custom["unfinished"] = True
        yield self._event("response.incomplete", response=self.response("incomplete"))

    def failed(self, failure: Failure) -> Iterator[Dict]:
        """Say that the turn failed."""
        error = {"code": failure.code, "message": failure.message}
        yield self._event("error", **error, param=None, custom_outputs=self._custom)
        yield self._event("response.failed", response=self._response("failed") | {"error": error})

    def response(self, status: str) -> Dict:
        """Return the whole response, as far as it got."""
        return self._response(status) | {"custom_outputs": self._custom}

    def _response(self, status: str) -> Dict:
        whole = {"status": status, "output": list(self.output), "parallel_tool_calls": True, "tools": []}
        if status == "completed":
            whole["usage"] = _usage(*self._usage)
        return self._base | whole

    def _event(self, kind: str, **fields: Any) -> Dict:
        self._sequence += 1
        return {"type": kind, "sequence_number": self._sequence - 1, **fields}

    def _token(self, token: Token) -> Iterator[Dict]:
        if self._open is None:
            self._open = {"id": token.message_id or f"msg_{len(self.output)}", "text": ""}
            item = create_text_output_item("", self._open["id"]) | {"status": "in_progress", "content": []}
            yield self._event("response.output_item.added", output_index=len(self.output), item=item)
            part = {"type": "output_text", "text": "", "annotations": []}
            yield self._event("response.content_part.added", **self._place(), part=part)
        self._open["text"] += token.text
        yield self._event("response.output_text.delta", **self._place(), delta=token.text, logprobs=[])

    def _said(self, message: AIMessage) -> Iterator[Dict]:
        used: Any = message.usage_metadata or {}
        self._usage[0] += used.get("input_tokens", 0)
        self._usage[1] += used.get("output_tokens", 0)
        reasoning = "".join(
            str(block.get("reasoning") or "") for block in message.content_blocks if block["type"] == "reasoning"
        )
        if reasoning:
            yield from self._item(create_reasoning_item(f"rs_{message.id}", reasoning))
        if message.text:
            yield from self._text(message)
        if not withholding_of(message):
            for call in message.tool_calls:
                arguments = json.dumps(call["args"])
                yield from self._item(
                    create_function_call_item(f"fc_{call['id']}", call["id"] or "", call["name"], arguments)
                )

    def _text(self, message: AIMessage) -> Iterator[Dict]:
        if self._open is None:
            yield from self._token(_whole(message))
        assert self._open is not None
        place = self._place()
        part = {"type": "output_text", "text": message.text, "annotations": []}
        yield self._event("response.output_text.done", **place, text=message.text, logprobs=[])
        yield self._event("response.content_part.done", **place, part=part)
        item = create_text_output_item(message.text, self._open["id"]) | {"status": "completed"}
        self._open = None
        yield from self._done(item)

    def _item(self, item: Dict) -> Iterator[Dict]:
        yield self._event("response.output_item.added", output_index=len(self.output), item=item)
        yield from self._done(item)

    def _done(self, item: Dict) -> Iterator[Dict]:
        index = len(self.output)
        self.output.append(item)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _place(self) -> Dict:
        assert self._open is not None
        return {"item_id": self._open["id"], "output_index": len(self.output), "content_index": 0}


def _whole(message: AIMessage) -> Token:
    return Token(message.text, message.id)


def _output_item(message: ToolMessage) -> Dict:
    item = create_function_call_output_item(message.tool_call_id, message.text)
    item |= {"id": f"fco_{message.tool_call_id}", "status": "completed"}
    sources = sources_of([message])
    return item | {"sources": sources} if sources else item


def _approval_item(use: ToolUse) -> Dict:
    return create_mcp_approval_request_item(f"{APPROVAL}{use.id}", json.dumps(use.args), use.name, "mooring")


def _usage(given: int, answered: int) -> Dict:
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + answered,
    }
