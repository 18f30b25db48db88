"""A stored session asked again, with another model or prompt, in a session of its own: what would have been said?"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from agent.errors import MooringError, TurnError
from agent.forking import fork
from agent.provenance import withholding_of
from checkpointer import ThreadNotFoundError, acting_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from agent.conversation import Conversation
    from agent.identity import Proven
    from checkpointer import GovernedPostgresSaver


@dataclass(frozen=True, slots=True)
class Replayed:
    """One question, and its two answers."""

    question: str
    before: str | None
    """None where there is none, or it is withheld."""
    after: str | None
    """None where the model failed."""
    failure: str | None = None

    @property
    def same(self) -> bool:
        """Whether the same was said."""
        return self.before is not None and self.before == self.after

    @property
    def diff(self) -> list[str]:
        """The lines that differ, as `diff -u` shows them."""
        lines = unified_diff((self.before or "").splitlines(), (self.after or "").splitlines(), lineterm="", n=0)
        return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def replay(
    saver: GovernedPostgresSaver,
    caller: Proven,
    session: str,
    opened: Callable[[str], AbstractContextManager[Conversation]],
    into: str,
    checkpoint_id: str | None = None,
) -> Iterator[Replayed]:
    """Ask a session's questions again, in another one; the session stays as it is.

    Args:
        saver: An open saver.
        caller: Whose session it is; tables are read as they may now.
        session: Its thread id.
        opened: Opens a session by its name, with the model and the prompt that are tried.
        into: The thread id of the other one.
        checkpoint_id: Begin there, with what was said until then; without one, at the first question.

    Raises:
        ThreadNotFoundError: There is no such session.
        ThreadExistsError: There is already what would be the other one.
        MooringError: The session has no such checkpoint, or went on from an earlier one since.
    """
    with acting_as(caller.principal):
        messages = _messages(saver, session, None)
        if messages is None:
            raise ThreadNotFoundError(session)
        kept = [] if checkpoint_id is None else _messages(saver, session, checkpoint_id) or []
        if [m.id for m in messages[: len(kept)]] != [m.id for m in kept]:
            problem = f"The session {session!r} went on from before the checkpoint {checkpoint_id!r}"
            raise MooringError(problem, "take one of its present line: see `mooring sessions history`")
        if checkpoint_id is not None:
            fork(saver, session, into, checkpoint_id)
    questions = [at for at, message in enumerate(messages) if isinstance(message, HumanMessage)]
    with opened(into) as conversation:
        if conversation.unfinished():
            begun = max(at for at in questions if at < len(kept))
            yield _replayed(conversation, messages, begun, finishes=True)
        for at in questions:
            if at >= len(kept):
                yield _replayed(conversation, messages, at, finishes=False)


def replay_name(session: str) -> str:
    """Return a name for the session that replays another one."""
    return f"{session}-replay-{uuid4().hex[:6]}"


def _replayed(conversation: Conversation, messages: list[AnyMessage], at: int, *, finishes: bool) -> Replayed:
    question = messages[at].text
    try:
        for _ in conversation.finish() if finishes else conversation.ask(question):
            pass
    except TurnError as error:
        return Replayed(question, _answer(messages, at), None, error.problem)
    said = conversation.messages()
    return Replayed(question, _answer(messages, at), said[-1].text)


def _answer(messages: list[AnyMessage], at: int) -> str | None:
    """Return what was said to the question at a place."""
    end = next((i for i in range(at + 1, len(messages)) if isinstance(messages[i], HumanMessage)), len(messages))
    last = messages[end - 1]
    if not isinstance(last, AIMessage) or last.tool_calls or withholding_of(last) is not None:
        return None
    return last.text


def _messages(saver: GovernedPostgresSaver, session: str, checkpoint_id: str | None) -> list[AnyMessage] | None:
    place: dict[str, Any] = {"thread_id": session, "checkpoint_ns": ""}
    if checkpoint_id is not None:
        place["checkpoint_id"] = checkpoint_id
    found = saver.get_tuple({"configurable": place})
    return None if found is None else list(found.checkpoint["channel_values"].get("messages", []))
