"""What a request asks: which session, and which of its items are new there.

A client may send the whole conversation each time, the last messages of it, or the new one alone. What is stored
already is not stored again; a conversation that differs from the stored one is refused.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from agent.conversation import NOTES
from agent.provenance import withholding_of
from agent.responses.failures import FailureError
from agent.schemas import encodable
from checkpointer.principal import storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow.types.responses import ResponsesAgentRequest

# Of fields that we do not read it warns with what is in them, which is nothing for a log.
warnings.filterwarnings("ignore", module=r"mlflow\.types\.responses_helpers")

MOST_ITEMS = 2_000
_CONFLICT = (
    "The messages before the last one are not those of this session: send the new message alone, or name another "
    "session in custom_inputs.thread_id"
)
_NO_SESSION = (
    "A conversation is sent and no session is named: pass what the answer before told in custom_outputs.thread_id as "
    "custom_inputs.thread_id, or the new message alone"
)
_LONGEST_ID = 255
# Of these a conversation is made; the rest is what the agent itself has said of its work.
_PASSED_OVER = {"function_call", "function_call_output", "reasoning", "mcp_approval_request", "mcp_approval_response"}
APPROVAL = "apr_"


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation, as a client knows it."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for one turn.

    Attributes:
        session: Its thread id; None for a new one.
        owner: Whose session it is, if somebody else's.
        before: What the client believes that was said before, oldest first; nothing where it relies on the store.
        question: What is asked; empty where only calls are decided about.
        message_id: The id that the question is stored with; who asks again with it gets the answer to it, once stored.
        decisions: About calls that wait for approval, by their ids.
    """

    session: str | None
    owner: str | None
    before: tuple[Line, ...]
    question: str
    message_id: str | None = None
    decisions: Mapping[str, bool] = field(default_factory=dict)


def asked_in(request: ResponsesAgentRequest) -> Asked:
    """Read a request.

    Raises:
        FailureError: `invalid` for items that are not understood, `too_large` for too many.
    """
    custom = request.custom_inputs or {}
    session = _identifier(custom, "thread_id")
    if session is None and request.context is not None:
        session = _identifier({"conversation_id": request.context.conversation_id}, "conversation_id")
    if len(request.input) > MOST_ITEMS:
        raise FailureError(
            "too_large",
            f"The request holds {len(request.input)} items: send the new ones alone, or the last {MOST_ITEMS}",
        )
    items = [encodable(item.model_dump()) for item in request.input]
    decisions = _decisions(items)
    if decisions:
        return Asked(session, _identifier(custom, "thread_owner"), (), "", decisions=decisions)
    lines = [line for item in items if (line := _line(item)) is not None]
    if not lines or lines[-1].role != "user" or not lines[-1].text.strip():
        raise FailureError("invalid", "The last item of `input` has to be a message of the user's, with text")
    owner, message_id = _identifier(custom, "thread_owner"), _identifier(custom, "message_id")
    return Asked(session, owner, tuple(lines[:-1]), lines[-1].text, message_id)


def stored_turn(asked: Asked, messages: Sequence[AnyMessage]) -> Sequence[AnyMessage] | None:
    """Compare what the client believes with what is stored.

    Returns:
        The question and what was answered to it, where that is stored already and the client has not got it: it asks
        again because a connection broke. None where the question is new, or not answered yet.

    Raises:
        FailureError: `conflict`, where something else is stored.
    """
    named = [i for i, message in enumerate(messages) if asked.message_id and message.id == asked.message_id]
    if named:
        turn = turn_at(messages, named[0])
        if not isinstance(turn[0], HumanMessage) or turn[0].text.strip() != asked.question.strip():
            raise FailureError("conflict", "Another message of this session has the id custom_inputs.message_id")
        if turn[-1].text in NOTES:
            raise FailureError("upstream", "This was asked and not answered: ask it again as another message")
        return turn if len(conversation_of(turn)) > 1 else None
    if not asked.before:
        return None
    stored = conversation_of(messages)
    if _ends_with(stored, asked.before) is not None:
        return None
    whole = (*asked.before, Line("user", asked.question))
    if stored and (stored[-1] is None or stored[-1].role == "assistant") and _ends_with(stored[:-1], whole) == 0:
        return turn_at(messages, last_question(messages))
    raise FailureError("conflict", _NO_SESSION if asked.session is None else _CONFLICT)


def last_question(messages: Sequence[AnyMessage]) -> int:
    """Return where the last question is."""
    return max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))


def turn_of_last(messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
    """Return the last question and what follows; nothing where none was asked."""
    return turn_at(messages, last_question(messages)) if any(isinstance(m, HumanMessage) for m in messages) else []


def turn_at(messages: Sequence[AnyMessage], start: int) -> Sequence[AnyMessage]:
    """Return a question and what follows until the next one."""
    later = (i for i, message in enumerate(messages) if i > start and isinstance(message, HumanMessage))
    return messages[start : next(later, None)]


def unanswered(asked: Asked, messages: Sequence[AnyMessage]) -> bool:
    """Tell whether the request's question is the stored one whose turn was interrupted."""
    stored = conversation_of(messages)
    if not stored or stored[-1] is None or stored[-1].role != "user":
        return False
    if asked.message_id is not None and messages[last_question(messages)].id != asked.message_id:
        return False
    return _ends_with(stored, (*asked.before, Line("user", asked.question))) is not None


def conversation_of(messages: Sequence[AnyMessage]) -> list[Line | None]:
    """Return what people and the agent have said to each other; None for what is withheld now."""
    lines: list[Line | None] = []
    for message in messages:
        if isinstance(message, HumanMessage):
            lines.append(Line("user", message.text))
        elif isinstance(message, AIMessage) and not message.tool_calls:
            lines.append(None if withholding_of(message) else Line("assistant", message.text))
    return lines


def _ends_with(stored: Sequence[Line | None], given: Sequence[Line]) -> int | None:
    """Return where in the stored conversation the given one begins, if that is how it ends; None if it is not.

    What the reader may not read now is taken as what they say it was. Of a turn that ended without an answer a client
    may have all, the question alone, or nothing, because it has asked again.
    """
    ends = {len(stored)}
    for line in reversed(given):
        ends = {at - 1 for at in _passing_over(stored, ends) if at and _same(stored[at - 1], line)}
    return min(_passing_over(stored, ends), default=None)


def _passing_over(stored: Sequence[Line | None], ends: set[int]) -> set[int]:
    """Return these ends of a conversation, and those without the notes, and their questions, at them."""
    found, more = set(ends), set(ends)
    while (
        more := {at - back for at in more for back in (1, 2) if at and at >= back and _is_note(stored[at - 1])} - found
    ):
        found |= more
    return found


def _same(mine: Line | None, theirs: Line) -> bool:
    if mine is None or _is_note(mine):
        return theirs.role == "assistant"
    return _normal(mine) == _normal(theirs)


def _is_note(line: Line | None) -> bool:
    return line is not None and line.role == "assistant" and line.text in NOTES


def _normal(line: Line) -> tuple[str, str]:
    return line.role, line.text.strip()


def _decisions(items: list[dict[str, Any]]) -> dict[str, bool]:
    """Return what the items behind the last message say of calls that wait."""
    found: dict[str, bool] = {}
    for item in reversed(items):
        if item.get("type") != "mcp_approval_response":
            break
        call = str(item["approval_request_id"]).removeprefix(APPROVAL)
        if found.setdefault(call, bool(item["approve"])) != bool(item["approve"]):
            raise FailureError("invalid", "A call is approved and refused at once: decide about it in one way")
    return found


def _identifier(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_ID or not storable(value):
        problem = f"`{name}` has to be a text of at most {_LONGEST_ID} characters, without NUL and lone surrogates"
        raise FailureError("invalid", problem)
    return value


def _line(item: dict[str, Any]) -> Line | None:
    kind = item.get("type", "message")
    if kind in _PASSED_OVER:
        return None
    role = item.get("role")
    if kind != "message" or role not in ("user", "assistant"):
        raise FailureError("invalid", "Only messages of the user and the assistant are taken, and what answers brought")
    content = item.get("content")
    if isinstance(content, str):
        return Line(role, content)
    texts: list[str] = []
    for part in content or []:
        # Other kinds of parts are images and files.
        if part.get("type") not in ("input_text", "output_text", "refusal"):
            raise FailureError("invalid", "Images and files are not taken: send text")
        texts.append(str(part.get("refusal" if part["type"] == "refusal" else "text") or ""))
    return Line(role, "".join(texts))
