"""Every way in which a person gets to see what a thread holds, and what the reference says of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage

from agent.transcript import transcript_of
from checkpointer import GovernedPostgresSaver, ThreadNotFoundError, acting_as
from tests.security.reference import FIGURES_THAT_ARE

if TYPE_CHECKING:
    from tests.security.estate import Estate
    from tests.security.reference import Thread

_NUMBER = re.compile(r"(?<!\d)\d{9}(?!\d)")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Piece:
    """One message, row or value as it was shown, and by which name the thread goes that it is said to be of."""

    text: str
    owner: str
    thread: str | None


Way = Callable[["Looking", str, "Thread"], list[Piece] | None]


class Looking:
    """Looks as somebody, holds what they see against the reference, and counts."""

    def __init__(self, estate: Estate, savers: list[GovernedPostgresSaver], counts: Counter[str]) -> None:
        self.estate = estate
        self.counts = counts
        self._savers = savers
        self._looks = 0

    def at(self, way: str, person: str, thread: Thread) -> None:
        """Look at a thread, or with SQL at all threads, one way.

        Raises:
            AssertionError: A figure crossed, or something was withheld for no reason.
        """
        reference = self.estate.reference
        self._looks += 1
        self.counts["looks"] += 1
        pieces = WAYS[way](self, person, thread)
        if pieces is None:
            assert not reference.may_read(person, thread), f"{way}: {person} does not get {thread.owner}'s thread"
            self.counts["threads of others refused"] += 1
            return
        for piece in pieces:
            self._judge(way, person, piece)

    def prompt(self, person: str, messages: list[BaseMessage], thread: Thread) -> None:
        """Hold a prompt against the reference: what a model is sent is shown to whoever acts."""
        for message in messages:
            self._judge("prompt", person, Piece(_text(message), self.estate.role(thread.owner), thread.name))

    @property
    def saver(self) -> GovernedPostgresSaver:
        """One of the savers, each in turn."""
        return self._savers[self._looks % len(self._savers)]

    def config(self, person: str, thread: Thread) -> Any:
        """Return the address of a thread."""
        named = {"thread_id": thread.name, "checkpoint_ns": ""}
        if person != thread.owner:
            named["thread_owner"] = self.estate.role(thread.owner)
        return {"configurable": named}

    def _judge(self, way: str, person: str, piece: Piece) -> None:
        reference = self.estate.reference
        shown = figures_in(piece.text)
        ids = _ID.findall(piece.text)
        found = {id_: reference.told[id_] for id_ in ids if id_ in reference.told}
        if not found:
            # What a tool wrote may be stored before it is a message with an id.
            results = [told for id_ in ids for told in reference.results.get(id_, ()) if told.figures == shown]
            told_here = any(reference.verdict(person, told) != "forbidden" for told in results)
            assert told_here or not shown, f"{way}: {person} sees figures of no message of theirs: {piece.text}"
        where = [t for t in reference.threads if self.estate.role(t.owner) == piece.owner]
        if piece.thread is not None:
            where = [t for t in where if t.name == piece.thread]
        visible = any(reference.may_read(person, t) for t in where)
        assert visible or not shown, f"{way}: {person} sees figures in a thread that is not shared with them"
        if not found:
            return
        verdicts = {reference.verdict(person, told) for told in found.values()}
        told = frozenset().union(*(each.figures for each in found.values()))
        what = f"{way}: {person}, {sorted(found)}: {sorted(told)} told, {sorted(shown)} shown, {verdicts}"
        assert shown <= told, f"figures that were never told there: {what}"
        if verdicts != {"required"}:
            assert "forbidden" not in verdicts or not shown, f"a figure crossed: {what}"
        elif visible:
            assert shown == told, f"withheld for no reason: {what}"
        if told:
            kind = "forbidden" if "forbidden" in verdicts else "either" if "either" in verdicts else "required"
            self.counts[f"{kind}, {'shown' if shown else 'withheld'}"] += 1


def figures_in(text: str) -> frozenset[str]:
    """Return the figures that a text holds."""
    return frozenset(_NUMBER.findall(text)) & FIGURES_THAT_ARE


def _text(message: BaseMessage) -> str:
    return str(message.model_dump())


def _messages(value: Any) -> Iterator[BaseMessage]:
    if isinstance(value, BaseMessage):
        yield value
    elif isinstance(value, dict):
        yield from _messages(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _messages(each)


def _pieces(tuples: list[Any], thread: Thread, looking: Looking) -> list[Piece]:
    owner = looking.estate.role(thread.owner)
    pieces = []
    for found in tuples:
        messages = list(_messages([found.checkpoint["channel_values"], found.pending_writes]))
        pieces += [Piece(_text(m), owner, thread.name) for m in messages]
        # Whatever else there is of it holds no figure of its own.
        rest = figures_in(str(found)) - figures_in(str([_text(m) for m in messages]))
        assert not rest, f"figures outside of messages: {rest}"
    return pieces


def _state(looking: Looking, person: str, thread: Thread) -> list[Piece] | None:
    with acting_as(looking.estate.principal(person)):
        found = looking.saver.get_tuple(looking.config(person, thread))
    return None if found is None else _pieces([found], thread, looking)


def _history(looking: Looking, person: str, thread: Thread) -> list[Piece] | None:
    with acting_as(looking.estate.principal(person)):
        found = list(looking.saver.list(looking.config(person, thread)))
    return _pieces(found, thread, looking) if found else None


def _export(looking: Looking, person: str, thread: Thread) -> list[Piece] | None:
    owner = looking.estate.role(thread.owner)
    try:
        with acting_as(looking.estate.principal(person)):
            named = None if person == thread.owner else owner
            transcript = transcript_of(looking.saver, thread.name, named, exports=True)
    except ThreadNotFoundError:
        return None
    return [Piece(m.model_dump_json(), owner, thread.name) for m in transcript.messages]


def _rows(looking: Looking, person: str, query: str, *values: object) -> list[Piece]:
    found = looking.estate.logins[person].execute(query.encode(), values or None).fetchall()
    return [Piece(str(row), row[0], row[1]) for row in found]


def _view(looking: Looking, person: str, _: Thread) -> list[Piece]:
    return _rows(looking, person, "select owner, thread_id, m.* from mooring.messages m")


def _calls(looking: Looking, person: str, _: Thread) -> list[Piece]:
    return _rows(
        looking,
        person,
        "select c.owner, c.thread_id, c.*, m.id from mooring.tool_calls c left join mooring.messages m"
        " on m.owner = c.owner and m.thread_id = c.thread_id and m.position = c.result_position",
    )


def _contents(looking: Looking, person: str, _: Thread) -> list[Piece]:
    return _rows(
        looking,
        person,
        "select i.owner, t.thread_id, i.* from mooring.contents i left join mooring.threads t on t.id = i.thread",
    )


def _function(looking: Looking, person: str, thread: Thread) -> list[Piece] | None:
    owner = looking.estate.role(thread.owner)
    found = _rows(
        looking,
        person,
        "select %s::text, %s::text, p.* from mooring.get_parts(%s, '{}', null, %s, %s, '', null, null, '{}') p",
        owner,
        thread.name,
        looking.estate.role(person),
        owner,
        thread.name,
    )
    return found or None


WAYS: dict[str, Way] = {
    "state": _state,
    "history": _history,
    "export": _export,
    "messages": _view,
    "tool calls": _calls,
    "contents": _contents,
    "function": _function,
}
