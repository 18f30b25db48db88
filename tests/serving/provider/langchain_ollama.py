"""A chat model that takes its time, found by its provider's name: `MOORING_MODEL=ollama:any` with this on the path.

It does what the words of the question say: "query: select ..." asks for that SQL first and says what came of it,
"wait 5" takes so many seconds for each of its calls, "words 40" says so many, one each 20 ms, "unreachable" fails with
a text that holds a secret.

PROVIDER names a folder: each call adds a line to `calls` there; while there is a file `down` every call fails, and
while there is one `slow` it takes the seconds that are in it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

SECRET = "sk-secret"
PAUSE_SECONDS = 0.02


class ChatOllama(BaseChatModel):
    """The model."""

    model: str

    @property
    def _llm_type(self) -> str:
        return "patient"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages))])

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        answer = self._answer(messages)
        if answer.tool_calls:
            calls: Any = [
                {"name": call["name"], "args": f'{{"sql": "{call["args"]["sql"]}"}}', "id": call["id"], "index": 0}
                for call in answer.tool_calls
            ]
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=calls))
            return
        words = [f"{word} " for word in answer.text.split()]
        words[-1] = words[-1].rstrip()
        for word in words:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
            time.sleep(PAUSE_SECONDS)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=_USAGE))

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        _count()
        questions = [message.text for message in messages if isinstance(message, HumanMessage)]
        question = questions[-1]
        if waits := re.search(r"wait ([0-9.]+)", question):
            time.sleep(float(waits[1]))
        if "unreachable" in question:
            raise ConnectionError(f"{SECRET} was refused for {messages}")
        if "query:" in question and isinstance(messages[-1], HumanMessage):
            call = {
                "name": "query",
                "args": {"sql": question.partition("query:")[2].strip()},
                "id": f"c{len(messages)}",
            }
            return AIMessage("", tool_calls=[call])
        if words := re.search(r"words ([0-9]+)", question):
            return AIMessage(" ".join(f"w{i}" for i in range(int(words[1]))))
        found = f": {messages[-1].text}" if isinstance(messages[-1], ToolMessage) else ""
        return AIMessage(f"Answer {len(questions)} to {question!r}{found}", usage_metadata=_USAGE)


def _count() -> None:
    if "PROVIDER" in os.environ:
        folder = Path(os.environ["PROVIDER"])
        with (folder / "calls").open("a") as calls:
            calls.write("call\n")
        if (folder / "slow").exists():
            time.sleep(float((folder / "slow").read_text()))
        if (folder / "down").exists():
            raise ConnectionError(f"{SECRET} was refused")


_USAGE: Any = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
