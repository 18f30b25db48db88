"""A response that another process runs, or has run: what the session and its lease tell of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AnyMessage

from agent.answers import answer_of, waiting_in
from agent.approvals import calls_in
from agent.conversation import ENDED, NOTES, Waiting
from agent.responses.failures import Failure
from agent.responses.incoming import turn_at
from agent.responses.outgoing import Outgoing
from checkpointer.labels import withheld_in

if TYPE_CHECKING:
    from agent.responses.locator import Locator
    from checkpointer import GovernedPostgresSaver

# How long a turn may wait for another one of its session, and finish one that was interrupted, before its question is
# stored, and be believed to come.
_SECONDS_ALONE, _SECONDS_BEHIND = 40.0, 400.0
_GONE = "The process that was asked is gone, and stored nothing of it: ask again"
_UNANSWERED = "This was not answered: ask again"


@dataclass(slots=True)
class Stored:
    """What is known of a response.

    Attributes:
        events: All that can be told of it now, in the Responses protocol: whole items, from the first one on.
        ended: Whether nothing will be added while nobody asks.
        stoppable: Whether a turn of it can be stopped.
        whole: Whether its question is stored, and nothing is withheld of what was said until its end.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = True
    stoppable: bool = False
    whole: bool = False

    @property
    def response(self) -> dict[str, Any]:
        """The whole response, as far as it got."""
        response: dict[str, Any] = {}
        output: list[Any] = []
        for event in self.events:
            if event["type"] == "response.output_item.done":
                output.append(event["item"])
            response = event.get("response", response)
        return {**response, "output": response.get("output") or output}


def stored_response(saver: GovernedPostgresSaver, given: str, where: Locator, model: str) -> Stored | None:
    """Return a response as the bound principal may read it; None where they see no such session.

    Args:
        saver: An open saver.
        given: The response's id.
        where: What that says.
        model: What the response says that answered.
    """
    config: Any = {"configurable": {"thread_id": where.session, "thread_owner": where.owner}}
    # In this order: a turn that ends between the two has stored its answer.
    running = saver.is_running(config)
    latest = saver.get_tuple(config)
    messages: list[AnyMessage] = [] if latest is None else latest.checkpoint["channel_values"].get("messages", [])
    asked = [number for number, message in enumerate(messages) if message.id == where.question]
    out = Outgoing(given, where.session, model, where.begun)
    told = Stored(list(out.begin()))
    if not asked:
        return _not_begun(told, out, where, running=running, known=latest is not None)
    turn = list(turn_at(messages, asked[0]))
    told.whole = not any(withheld_in(message) for message in messages[: asked[0] + len(turn)])
    for message in turn[1:]:
        if not _is_note(message):
            told.events += out.message(message)
    last, is_latest = turn[-1], turn[-1] is messages[-1]
    assert latest is not None
    waiting = waiting_in(turn, calls_in(latest.pending_writes or ())) if is_latest else []
    if _is_note(last):
        told.events += out.stopped() if last.text in ENDED else out.failed(Failure("upstream", _UNANSWERED))
    elif waiting or not is_latest or (isinstance(last, AIMessage) and not last.tool_calls):
        for use in waiting:
            told.events += out.event(Waiting(use))
        told.events += out.completed(answer_of(where.session, turn, where.owner, waiting))
    else:
        told.ended, told.stoppable = not running, True
        told.events += [] if running else out.left()
    return told


def _not_begun(told: Stored, out: Outgoing, where: Locator, *, running: bool, known: bool) -> Stored | None:
    if not known and where.owner is not None:
        return None  # what is shared has been stored
    if time.time() < where.begun + (_SECONDS_BEHIND if running else _SECONDS_ALONE):
        told.ended = False
        return told
    if not known:
        return None
    told.events += out.failed(Failure("stale", _GONE))
    return told


def _is_note(message: AnyMessage) -> bool:
    return isinstance(message, AIMessage) and message.text in NOTES
