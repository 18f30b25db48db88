"""A program that asks one question of a model which answers every question with two queries, then counts its calls.

Usage: two_calls.py SESSION QUESTION [SQL SQL]. It opens everything as `mooring ask` does; only the model is scripted.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from itertools import chain
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agent.catalogs import catalog_of
from agent.cli.runtime import open_memory
from agent.conversation import Answered, Conversation
from agent.graph import build_graph
from agent.identity import Caller
from agent.settings import Settings


class TwoCalls(BaseChatModel):
    """Asks for two queries after a question, and says done after their results."""

    queries: list[str]

    @property
    def _llm_type(self) -> str:
        return "two-calls"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        print("model called", flush=True)
        if isinstance(messages[-1], HumanMessage):
            calls = [{"name": "query", "args": {"sql": sql}, "id": f"c{len(messages)}-{sql}"} for sql in self.queries]
            answer = AIMessage("", tool_calls=calls)
        else:
            answer = AIMessage("done")
        return ChatResult(generations=[ChatGeneration(message=answer)])


def main(session: str, question: str, *queries: str) -> None:
    with ExitStack() as stack:
        memory = stack.enter_context(open_memory("alice"))
        assert isinstance(memory.caller, Caller)
        catalog = stack.enter_context(catalog_of(Settings(), memory.caller))
        graph = build_graph(TwoCalls(queries=list(queries)), memory.saver)
        conversation = Conversation(graph, memory.saver, memory.caller, catalog, session)
        try:
            for event in chain(conversation.finish(), conversation.ask(question)):
                if isinstance(event, Answered):
                    print("answered", event.answer.answer, flush=True)
        except KeyboardInterrupt:
            conversation.stop()
            print("stopped", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
