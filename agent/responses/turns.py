"""One turn of a session, asked for and answered in the Responses protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import HumanMessage
from mlflow.types.responses import ResponsesAgentResponse

from agent.conversation import answer_of
from agent.responses.failures import FailureError, failure_of
from agent.responses.incoming import stored_answer, unanswered
from agent.responses.outgoing import Outgoing
from agent.steps import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.conversation import Conversation, Event
    from agent.responses.incoming import Asked

NEW_SESSION = 12


def new_session() -> str:
    """Return the name of a session that nobody named."""
    return uuid4().hex[:NEW_SESSION]


def events_of(conversation: Conversation, asked: Asked, model: str) -> Iterator[dict[str, Any]]:
    """Run the turn that is asked for, and say what happens; what goes wrong after the first event is an event too.

    Raises:
        FailureError: `conflict`, before the first event.
    """
    messages = conversation.messages() if asked.before else []
    repeated = stored_answer(asked, messages)
    going_on = repeated is None and unanswered(asked, messages)
    out = Outgoing(f"resp_{uuid4().hex}", conversation.session, model)
    yield from out.begin()
    if repeated is not None:
        start = max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
        for message in messages[start + 1 :]:
            yield from out.message(message)
        yield from out.completed(answer_of(conversation.session, messages, conversation.owner))
        return
    try:
        for event in _run(conversation, asked, going_on):
            yield from out.event(event)
        yield from out.completed()
    except StoppedError:
        yield from out.stopped()
    except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
        yield from out.failed(failure_of(error))


def _run(conversation: Conversation, asked: Asked, going_on: bool) -> Iterator[Event]:
    if asked.decisions:
        return conversation.decide(asked.decisions)
    return conversation.finish() if going_on else conversation.ask(asked.question)


def response_of(events: Iterable[dict[str, Any]]) -> ResponsesAgentResponse:
    """Run a turn to its end and return the whole response.

    Raises:
        FailureError: It failed.
    """
    for event in events:
        if event["type"] == "error":
            raise FailureError(event["code"], event["message"])
        if event["type"] == "response.completed":
            return ResponsesAgentResponse(**event["response"])
    raise FailureError("internal", "The turn ended without an answer: ask again, and it is finished first")
