"""What people think of answers: kept with the session, and on the trace of the turn where there is one."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AnyMessage

from agent.provenance import TRACE, withholding_of
from agent.schemas import Feedback, Opinion
from agent.tracing import keeps_traces
from checkpointer import FeedbackError, MessageNotFoundError, MessageWithheldError, ThreadNotFoundError

if TYPE_CHECKING:
    from agent.settings import Settings
    from checkpointer import GovernedPostgresSaver

NAME = "user_feedback"
"""What the assessment of a trace is called."""
_AT = "rated_at"
_logging = threading.Lock()


@dataclass(frozen=True, slots=True)
class Given:
    """What was stored, by whom, and where the turn was traced."""

    feedback: Feedback
    rater: str
    trace_id: str | None


def give_feedback(
    saver: GovernedPostgresSaver, session: str, message_id: str, opinion: Opinion, owner: str | None = None
) -> Given:
    """Store what the bound principal thinks of an answer, instead of what they thought before.

    Args:
        saver: An open saver.
        session: Its thread id.
        message_id: The answer's.
        opinion: What they think.
        owner: Whose session it is, if somebody else's.

    Raises:
        ThreadNotFoundError, MessageNotFoundError: There is no such session, or message, or none that they see.
        MessageWithheldError: They may not read it now.
        FeedbackError: It is no answer, or nobody can think that of one.
    """
    config: Any = {"configurable": {"thread_id": session, "thread_owner": owner}}
    latest = saver.get_tuple(config)
    if latest is None:
        raise ThreadNotFoundError(session, owner)
    messages: list[AnyMessage] = latest.checkpoint["channel_values"].get("messages", [])
    numbers = [number for number, message in enumerate(messages) if message.id == message_id]
    if not numbers:
        raise MessageNotFoundError(session, owner)
    message = messages[numbers[-1]]
    if not isinstance(message, AIMessage):
        problem = "Only what the assistant said is rated: choose a message whose role is assistant."
        raise FeedbackError(problem)
    if withholding_of(message):
        raise MessageWithheldError(session, owner)
    stored = saver.rate(latest.config, numbers[-1], opinion.rating, opinion.comment)
    feedback = Feedback(
        session=session,
        owner=owner,
        message=message_id,
        rating=stored.rating,
        comment=stored.comment,
        rated_at=stored.rated_at,
    )
    return Given(feedback, stored.rater, message.response_metadata.get(TRACE))


def trace_feedback(settings: Settings, given: Given) -> None:
    """Log it to the trace of the turn, where there is one: the rating, and the comment where traces hold everything.

    A trace that cannot be reached changes nothing: the session has it.
    """
    if given.trace_id is None or not keeps_traces(settings):
        return
    with suppress(Exception):
        _log(given.trace_id, given, comment=given.feedback.comment if settings.traces == "full" else None)


def _log(trace_id: str, given: Given, comment: str | None) -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow  # slow, and not there on every laptop
    from mlflow.entities import AssessmentSource

    source, at = AssessmentSource("HUMAN", given.rater), given.feedback.rated_at.isoformat()
    said: dict[str, Any] = {
        "value": given.feedback.rating == "up",
        "rationale": comment,
        "source": source,
        "metadata": {_AT: at},
    }
    with _logging:
        mlflow.flush_trace_async_logging()
        trace = mlflow.get_trace(trace_id, silent=True)
        before = [
            each
            for each in (trace.info.assessments if trace else [])
            if each.name == NAME and each.source == source and each.valid is not False
        ]
        if not before:
            mlflow.log_feedback(trace_id=trace_id, name=NAME, **said)
        # What was said later may have come here earlier.
        elif (before[-1].metadata or {}).get(_AT, "") < at:
            mlflow.override_feedback(trace_id=trace_id, assessment_id=before[-1].assessment_id, **said)
