"""`mooring feedback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.cli.runtime import open_memory
from agent.feedback import give_feedback, trace_feedback
from agent.schemas import Opinion
from agent.settings import Settings
from checkpointer import FeedbackError
from checkpointer.feedback import LONGEST_COMMENT

if TYPE_CHECKING:
    from agent.schemas import Feedback


def run_feedback(
    session: str,
    message: str,
    rating: Literal["up", "down"],
    comment: str | None,
    user: str | None,
    profile: str | None,
    owner: str | None,
    output: Format,
) -> None:
    """Say what somebody thinks of an answer."""
    if len(comment or "") > LONGEST_COMMENT:
        problem = f"A comment has at most {LONGEST_COMMENT} characters."
        raise FeedbackError(problem)
    opinion = Opinion(rating=rating, comment=comment)
    with open_memory(user, profile) as memory:
        other = None if owner == memory.caller.principal.name else owner
        given = give_feedback(memory.saver, session, message, opinion, other)
    trace_feedback(Settings(), given)
    if output is Format.JSON:
        stored: Feedback = given.feedback
        print_json(stored)
