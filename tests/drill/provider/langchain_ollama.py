"""A chat model that takes its time: `MOORING_MODEL=ollama:drill`, with this folder on the path.

"cargo 7" is looked up with one query, and its figure is the answer. Each call takes DRILL_SECONDS.
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

_CARGO = re.compile(r"cargo (\d+)")


class ChatOllama(BaseChatModel):
    """The model."""

    model: str = ""

    @property
    def _llm_type(self) -> str:
        return "drill"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        time.sleep(float(os.environ.get("DRILL_SECONDS", "0.5")))
        last = messages[-1]
        if isinstance(last, ToolMessage) and last.status == "success":
            answer = AIMessage(f"The figure is {json.loads(last.text)['rows'][0][0]}.")
        elif isinstance(last, HumanMessage) and (asked := _CARGO.search(last.text)):
            sql = f"select figure from quay.cargo where cargo_id = {asked[1]}"
            answer = AIMessage("", tool_calls=[{"name": "query", "args": {"sql": sql}, "id": f"c{len(messages)}"}])
        else:
            answer = AIMessage("I do not know.")
        return ChatResult(generations=[ChatGeneration(message=answer)])
