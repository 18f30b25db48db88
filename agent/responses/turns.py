"""One turn of a session, asked for and answered in the Responses protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import AnyMessage
from mlflow.types.responses import ResponsesAgentResponse

from agent.answers import answer_of
from agent.responses.failures import FailureError, failure_of
from agent.responses.incoming import stored_turn, turn_of_last, unanswered
from agent.responses.locator import response_id
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


def events_of(
    conversation: Conversation, asked: Asked, model: str, *, tells_trace: bool = False
) -> Iterator[dict[str, Any]]:
    """Run the turn that is asked for, and say what happens; what goes wrong after the first event is an event too.

    Args:
        conversation: Whose session, and which.
        asked: What is asked there.
        model: What the response says that answered.
        tells_trace: The whole response says in its metadata where the turn is traced.

    Raises:
        FailureError: `conflict`, before the first event.
    """
    messages = conversation.messages()
    going_on = unanswered(asked, messages)
    repeated = None if going_on else stored_turn(asked, messages)
    message_id = asked.message_id or str(uuid4())
    turn = turn_of_last(messages) if going_on or asked.decisions else repeated
    name = response_id(
        conversation.reader, conversation.owner, conversation.session, (turn and turn[0].id) or message_id
    )
    out = Outgoing(name, conversation.session, model)
    yield from out.begin()
    if repeated is not None:
        yield from _again(out, conversation, repeated)
        return

    def check(messages: list[AnyMessage]) -> None:
        if conversation.stopping:
            raise StoppedError
        # Another request of the same words may have been begun, or answered, while this one waited for its turn.
        if unanswered(asked, messages):
            raise _BegunError
        if (answered := stored_turn(asked, messages)) is not None:
            raise _AnsweredError(answered)

    try:
        try:
            for event in _run(conversation, asked, going_on, check, message_id):
                yield from out.event(event)
        except _BegunError:
            going_on = True
            for event in conversation.finish():
                yield from out.event(event)
        if going_on and not out.answered:
            # Whoever had the session until now has finished it.
            raise _AnsweredError(_with_answer(asked, conversation.messages()))
        yield from out.completed(trace_id=conversation.trace_id if tells_trace else None)
    except _AnsweredError as error:
        yield from _again(out, conversation, error.turn)
    except StoppedError:
        yield from out.stopped() if conversation.stopping else out.left()
    except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
        yield from out.failed(failure_of(error))


def _run(
    conversation: Conversation,
    asked: Asked,
    going_on: bool,
    check: Callable[[list[AnyMessage]], None],
    message_id: str,
) -> Iterator[Event]:
    if asked.decisions:
        return conversation.decide(asked.decisions)
    return conversation.finish() if going_on else conversation.ask(asked.question, check, message_id)


def _with_answer(asked: Asked, messages: list[AnyMessage]) -> Sequence[AnyMessage]:
    last = turn_of_last(messages)
    if not last or last[0].text.strip() != asked.question.strip():
        raise FailureError("conflict", "The session has gone on meanwhile: read it at /sessions/{id}/messages")
    return last


class _BegunError(Exception):
    """The question is stored already, and its turn was interrupted."""


class _AnsweredError(Exception):
    """The question is answered already."""

    def __init__(self, turn: Sequence[AnyMessage]) -> None:
        super().__init__()
        self.turn = turn


def _again(out: Outgoing, conversation: Conversation, turn: Sequence[AnyMessage]) -> Iterator[dict[str, Any]]:
    """Say the stored answer to a question."""
    for message in turn[1:]:
        yield from out.message(message)
    yield from out.completed(answer_of(conversation.session, list(turn), conversation.owner))


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
