"""What content was derived from: the labels that it is stored with, and what stands for it when they are not held.

A label is a source, `catalog.schema.table`, and a fingerprint of how its reader saw it. It travels with the value:

    message.response_metadata["mooring"]["labels"] = [["lakehouse.bakehouse.reviews", "16423"], ...]
    {"name": "query", "args": {...}, "mooring": {"labels": [...]}}        # any dict, a tool call in a Send for instance

None for a fingerprint is that of the principal at the time of storing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.types import Command, Send
from pydantic import BaseModel

KEY = "mooring"

Label = tuple[str, str | None]
Labels = frozenset[Label]
NONE: Labels = frozenset()
LabelsOf = Callable[[Any], Labels]

_PLAIN = (str, bytes, int, float, bool, type(None))


def labelled(value: Iterable[Label]) -> dict[str, Any]:
    """Return what a message or a dict carries under `KEY` to be labelled."""
    return {"labels": [list(label) for label in sorted(value, key=repr)]}


def labels_of(value: Any) -> Labels:
    """Return the labels that a value carries: a message, or whatever holds messages or labelled dicts inside."""
    if type(value) in _PLAIN:
        return NONE
    found: set[Label] = set()
    _collect(value, found, set())
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Hook:
    """Labels values by what they carry, and by the sources that an application's function names."""

    sources_of: Callable[[Any], Iterable[str]]

    def __call__(self, value: Any) -> Labels:
        """Return all labels of a value."""
        return labels_of(value) | self.named(value)

    def named(self, value: Any) -> Labels:
        """Return those that the function names."""
        return frozenset((source, None) for source in self.sources_of(value))


def hook(sources_of: Callable[[Any], Iterable[str]] | None) -> LabelsOf:
    """Return what labels values: by what they carry, and by a hook of the application's that names sources."""
    return labels_of if sources_of is None else Hook(sources_of)


def labels_of_whole(value: list[Any] | dict[str, Any], by: LabelsOf) -> Labels:
    """Return the labels that a list or a dict has itself, and that its parts might not have by themselves."""
    marked = frozenset(_carried(value.get(KEY))) if isinstance(value, dict) else NONE
    return marked | by.named(value) if isinstance(by, Hook) else marked


@dataclass(frozen=True, slots=True)
class Withheld:
    """What a state holds in the place of a value that its reader may not see now. Stored on, it keeps the original.

    Attributes:
        sources: The tables that are missing, as `catalog.schema.table`.
        reason: Why, in a sentence.
        thread, item: Where the original is.
    """

    sources: tuple[str, ...]
    reason: str
    thread: int
    item: int


def withholding(sources: tuple[str, ...], thread: int, item: int) -> Withheld:
    """Say what is missing in the place of an item."""
    tables = ", ".join(sources) or "tables"
    reason = f"[withheld: derived from {tables}, which you may not read now as it was read]"
    return Withheld(sources, reason, thread, item)


def withheld_in(message: BaseMessage) -> Withheld | None:
    """Return what is withheld, if a message is a placeholder."""
    marks = message.response_metadata.get(KEY)
    found = marks.get("withheld") if isinstance(marks, dict) else None
    if not isinstance(found, dict):
        return None
    sources, reason, thread, item = (found.get(name) for name in ("sources", "reason", "thread", "item"))
    if not (isinstance(thread, int) and isinstance(item, int) and isinstance(sources, list)):
        return None
    return Withheld(tuple(map(str, sources)), str(reason), thread, item)


def _collect(value: Any, found: set[Label], seen: set[int]) -> None:
    if type(value) in _PLAIN or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, BaseMessage):
        found.update(_carried(value.response_metadata.get(KEY)))
        inner: Iterable[Any] = ()
    elif isinstance(value, Mapping):
        found.update(_carried(value.get(KEY)))
        # What a marked call asks for are a model's words, which say nothing of labels.
        inner = () if KEY in value and value.get("type") == "tool_call" else value.values()
    elif isinstance(value, list | tuple | set | frozenset | deque):
        inner = value
    elif isinstance(value, Send):
        inner = (value.arg,)
    elif isinstance(value, Command):
        inner = (value.update, value.resume, value.goto)
    elif isinstance(value, BaseModel):
        inner = value.__dict__.values()
    elif is_dataclass(value) and not isinstance(value, type):
        inner = [getattr(value, each.name, None) for each in fields(value)]
    else:
        inner = ()
    for each in inner:
        _collect(each, found, seen)


def _carried(marks: object) -> Iterable[Label]:
    labels = marks.get("labels") if isinstance(marks, Mapping) else None
    if not isinstance(labels, list | tuple):
        return
    for label in labels:
        if isinstance(label, list | tuple) and len(label) == 2 and isinstance(label[0], str):
            yield label[0], label[1] if isinstance(label[1], str) else None
