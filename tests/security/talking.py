"""Turns of an agent whose model quotes every figure that it is sent, and what its messages were derived from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agent.conversation import Conversation
from agent.errors import TurnError
from agent.graph import build_graph
from checkpointer import GovernedPostgresSaver, ThreadNotFoundError, ViewerError
from checkpointer.labels import withheld_in
from tests.security.reference import Told
from tests.security.showing import figures_in

if TYPE_CHECKING:
    from tests.security.estate import Estate
    from tests.security.reference import Thread
    from tests.security.showing import Looking


class Quoter(BaseChatModel):
    """Runs what it is asked as SQL, and answers with every figure that its prompt holds."""

    tells: Any

    @property
    def _llm_type(self) -> str:
        return "quoter"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        last = messages[-1]
        if isinstance(last, HumanMessage) and last.text.startswith("select"):
            call: Any = {"name": "query", "args": {"sql": last.text}, "id": str(uuid4()), "type": "tool_call"}
            answer = AIMessage("", tool_calls=[call], id=str(uuid4()))
        else:
            answer = AIMessage(" ".join(sorted(figures_in(str(messages)))) or "nothing", id=str(uuid4()))
        self.tells(messages, answer)
        return ChatResult(generations=[ChatGeneration(message=answer)])


class Talking:
    """Goes on with threads as somebody, tells the reference what was said, and holds every prompt against it."""

    def __init__(
        self, estate: Estate, savers: list[GovernedPostgresSaver], looking: Looking, counts: Counter[str]
    ) -> None:
        self.estate = estate
        self.reference = estate.reference
        self.looking = looking
        self.counts = counts
        self.graphs = [build_graph(Quoter(tells=self.tells), saver) for saver in savers]
        self.asked: dict[str, str] = {}
        self.acting: tuple[str, Thread] | None = None
        self.found: AssertionError | None = None
        self.turned = 0
        self._savers = savers

    def tells(self, prompt: list[BaseMessage], answer: AIMessage) -> None:
        """Note what an answer was derived from, after holding the prompt against the reference."""
        try:
            self.note(prompt, answer)
        except AssertionError as error:
            # To the agent it is one more model that fails, of which nothing is told.
            self.found = error
            raise

    def note(self, prompt: list[BaseMessage], answer: AIMessage) -> None:
        assert self.acting is not None
        who, thread = self.acting
        told = self.reference.told
        for message in prompt:
            if isinstance(message, ToolMessage) and message.id and message.id not in told:
                told[message.id] = self.came_of(who, message, prompt)
                self.reference.results.setdefault(message.tool_call_id, []).append(told[message.id])
        self.looking.prompt(who, prompt, thread)
        seen = [told[m.id] for m in prompt if m.id in told and withheld_in(m) is None]
        readings = frozenset[Any]().union(*(each.readings for each in seen))
        told[answer.id or ""] = Told(readings, figures_in(answer.text))
        self.asked |= {call["id"] or "": call["args"]["sql"] for call in answer.tool_calls}

    def came_of(self, who: str, result: ToolMessage, prompt: list[BaseMessage]) -> Told:
        """Return what a query gave, which has to be what the reference says."""
        sql = self.asked[result.tool_call_id].split()
        thing = next((t for t in self.estate.things() if self.estate.at(t) == sql[-1]), None)
        assert thing is not None
        expected = self.reference.answer(who, thing, sql[1].split(","))
        assert figures_in(result.text) == (expected or frozenset()), f"the database does not agree: {result.text}"
        asking = [m for m in prompt if isinstance(m, AIMessage) and result.tool_call_id in str(m.tool_calls)]
        readings = self.reference.told[asking[-1].id or ""].readings
        read = self.reference.read(who, thing) if expected is not None else None
        self.counts["queries refused" if read is None else "queries"] += 1
        return Told(readings | {read} if read else readings, expected or frozenset())

    def converse(self, who: str, thread: Thread, do: Callable[[Conversation], Any]) -> bool:
        """Go on with a thread as somebody, and return whether they may."""
        self.acting = (who, thread)
        self.turned += 1
        at = self.turned % len(self._savers)
        owner = self.estate.role(thread.owner)
        chat = Conversation(
            self.graphs[at], self._savers[at], self.estate.caller(who), self.estate.catalogs[who], thread.name, owner
        )
        try:
            do(chat)
        except TurnError as error:
            raise self.found or error from None
        except ViewerError:
            assert self.reference.may_read(who, thread)
            assert not self.reference.may_write(who, thread)
            return False
        except ThreadNotFoundError:
            assert not self.reference.may_read(who, thread)
            return False
        assert self.reference.may_write(who, thread)
        return True
