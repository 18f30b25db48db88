"""What is evaluated: the agent as it is deployed, each question in a session of its own."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately

from agent.conversation import Said, ToolFinished
from agent.evaluation.interrupted import kill_in_the_middle
from agent.evaluation.judging import Queried, Turn
from agent.tracing import Tracer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlflow.entities import LiveSpan

    from agent.callers import Callers
    from agent.conversation import Conversation, Event
    from agent.host import Host
    from agent.identity import Caller
    from agent.workspace import WorkspaceCaller

SESSIONS = "evaluation-"
"""What the names of its sessions begin with."""


class Bot:
    """Answers the questions of a dataset, from any number of threads.

    Args:
        host: Where sessions are kept.
        callers: Who asks.
        model: Name of the chat model.
        profile: The login to Databricks that proves who asks.
    """

    def __init__(self, host: Host, callers: Callers, model: str, profile: str | None = None) -> None:
        self.host = host
        self.callers = callers
        self.model = model
        self._profile = profile

    def reply(
        self, user: str | None, turns: list[str], kill_after: int | None, span: LiveSpan | None
    ) -> dict[str, Any]:
        """Ask all turns, and return as JSON what came of the last one.

        Args:
            user: Who asks.
            turns: What they ask, in one session, which is deleted afterwards.
            kill_after: Kill the last turn's process when so many tools have answered, and finish it in this one.
            span: Is the parent of the turns' spans.
        """
        caller = self.callers(user)
        session = f"{SESSIONS}{uuid4().hex[:12]}"
        tracer = Tracer(session, caller.principal.name, full=True, sampling=1.0, parent=span)
        try:
            with self.open(caller, session, tracer) as conversation:
                for question in turns[:-1]:
                    _heard(conversation.ask(question))
                if kill_after is None:
                    started = time.perf_counter()
                    heard = _heard(conversation.ask(turns[-1]))
                    return _reply(session, turns, heard, time.perf_counter() - started)
            given = {"user": user, "profile": self._profile, "session": session, "model": self.model}
            stored = kill_in_the_middle({**given, "question": turns[-1]}, kill_after)
            with self.open(caller, session, tracer) as conversation:
                before, unfinished = conversation.messages(), conversation.unfinished()
                started = time.perf_counter()
                heard = _heard(conversation.finish())
                seconds = time.perf_counter() - started
                after = conversation.messages()
            # What was stored without its step's checkpoint is in both, or not: that hangs on the moment of the kill.
            turn = {_id(message): message for message in (*_last_turn(before), *heard)}
            reply = _reply(session, turns, list(turn.values()), seconds)
            resumed = {
                "killed": stored is not None and unfinished,
                "before": _told(before),
                "after": _told(after),
                "lost": sorted(set(stored or ()).difference(map(_id, after))),
            }
            return {**reply, "resumed": resumed}
        finally:
            with self.host.memory(caller) as saver:
                saver.delete_thread(session)

    @contextmanager
    def open(self, caller: Caller | WorkspaceCaller, session: str, tracer: Tracer) -> Iterator[Conversation]:
        """Open a session."""
        with self.host.conversation(caller, session, model=self.model, tracer=tracer) as conversation:
            yield conversation


def turn_of(questions: list[str], outputs: dict[str, Any]) -> Turn:
    """Return the last turn of a reply."""
    results = tuple(Queried(**each) for each in outputs["results"])
    return Turn(tuple(questions), outputs["answer"], tuple(outputs["statements"]), results, tuple(outputs["refusals"]))


def _heard(events: Iterable[Event]) -> list[AnyMessage]:
    """Return what went out while a turn was run: what is stored of it may be withheld by now."""
    return [event.message for event in events if isinstance(event, Said | ToolFinished)]


def _last_turn(messages: list[AnyMessage]) -> list[AnyMessage]:
    start = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
    return messages[start:]


def _reply(session: str, turns: list[str], messages: list[AnyMessage], seconds: float) -> dict[str, Any]:
    said = next((m.text for m in reversed(messages) if isinstance(m, AIMessage)), "")
    turn = Turn.of(turns, said, messages)
    return {
        "answer": said,
        "session": session,
        "statements": list(turn.statements),
        "results": [{"columns": each.columns, "rows": each.rows, "sources": each.sources} for each in turn.results],
        "refusals": list(turn.refusals),
        "seconds": round(seconds, 4),
        "tokens": _tokens(messages),
    }


def _tokens(messages: list[AnyMessage]) -> int:
    """What the provider counted for a turn; where it did not, about what its messages have."""
    used = [m.usage_metadata["total_tokens"] for m in messages if isinstance(m, AIMessage) and m.usage_metadata]
    return sum(used) if used else count_tokens_approximately(messages)


def _told(messages: list[AnyMessage]) -> list[list[str]]:
    return [[message.id or "", message.type, message.text] for message in messages]


def _id(message: AnyMessage) -> str:
    return message.tool_call_id if isinstance(message, ToolMessage) else message.id or ""
