"""The stand-in's serving endpoint: chat completions, whole or streamed, that say what a test wants said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.databricks.workspace import RefusedError, Streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.databricks.workspace import Call, Workspace

ENDPOINT = "chat"


def tool_call(name: str, **arguments: Any) -> dict[str, Any]:
    """A message that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", "function": function}]}


class Serving:
    """Adds its route to a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.replies: list[dict[str, Any]] = []
        """What the model says next, in turn; after that it greets the user."""
        self.rule: Callable[[list[dict[str, Any]]], dict[str, Any]] | None = None
        """What it says to the messages that it is sent, where nothing is to be said in turn."""
        self.breaks: list[str] | None = None
        """What follows the first words of a streamed answer in place of the rest; after nothing the connection ends."""
        workspace.route("POST", "/serving-endpoints/chat/completions", self._complete)

    def _complete(self, call: Call) -> Any:
        body = call.request.body
        if body["model"] != ENDPOINT:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"Endpoint with name '{body['model']}' does not exist.")
        greeting = {"role": "assistant", "content": f"Hello {call.user.name}"}
        if self.replies:
            message = self.replies.pop(0)
        else:
            message = greeting if self.rule is None else self.rule(body["messages"])
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        base = {"id": "c1", "object": "chat.completion", "created": 1, "model": ENDPOINT}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        if not body.get("stream"):
            return base | {"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage}
        base["object"] = "chat.completion.chunk"
        deltas: list[dict[str, Any]] = [
            {"index": 0, "delta": delta, "finish_reason": None} for delta in _deltas(message)
        ]
        deltas[-1]["finish_reason"] = reason
        events = [json.dumps(base | {"choices": [delta]}) for delta in deltas]
        if self.breaks is not None:
            return Streamed([events[0], *self.breaks], cut=not self.breaks)
        return Streamed([*events, "[DONE]"])


def _deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    words = message["content"].split(" ")
    for i, word in enumerate(words):
        yield {"role": "assistant", "content": word if i == len(words) - 1 else f"{word} "}
    for i, call in enumerate(message.get("tool_calls", [])):
        yield {"role": "assistant", "content": "", "tool_calls": [{"index": i, **call}]}
