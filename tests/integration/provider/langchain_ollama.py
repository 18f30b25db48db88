"""A chat model that fails when it is told to, found by its provider's name: `--model ollama:any` with this on the path.

It does what the words of the question say: "query" asks for a tool first ("query: select ..." with that SQL),
"unreachable" fails, "tireless" asks for a tool each time, "silent" says nothing, "garbled" asks in no JSON, "slow"
takes longer than anybody waits for it, and fails where the environment has HURRY.
"""

from __future__ import annotations

import os
import time
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult

SQL = "select count(*) from bakehouse.suppliers"
SECRET = "sk-secret"


class ChatOllama(BaseChatModel):
    """The model."""

    model: str

    @property
    def _llm_type(self) -> str:
        return "failing"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        questions = [message.text for message in messages if isinstance(message, HumanMessage)]
        if "silent" in questions[-1]:
            return _said(AIMessage(""))
        if "garbled" in questions[-1]:
            return _said(
                AIMessage("", invalid_tool_calls=[{"name": "query", "args": "{sql", "id": "c0", "error": None}])
            )
        if "tireless" in questions[-1] or ("query" in questions[-1] and isinstance(messages[-1], HumanMessage)):
            sql = questions[-1].partition("query:")[2] or SQL
            call = {"name": "query", "args": {"sql": sql}, "id": f"c{len(messages)}"}
            return _said(AIMessage("", tool_calls=[call]))
        if "slow" in questions[-1] and "HURRY" not in os.environ:
            time.sleep(600)
        if "unreachable" in questions[-1] or "slow" in questions[-1]:
            raise ConnectionError(f"{SECRET} was refused for {messages}")
        return _said(AIMessage(f"Answer to question {len(questions)}"))


def _said(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])
