"""How channel values become items and references to them.

A list is stored by element and a dict by entry: each is an *item*, written once for a thread and referred to by its
position. A checkpoint holds, for every channel, a small *node* that tells the shape, and the references of all nodes
in one flat list of runs `(first position, count)`. Appending to a list therefore costs the new element plus a few
bytes, editing an entry costs that entry, and reading needs no replay.

    a number, a short text, nothing  inline in the node
    a list of anything               one item an element; up to 64 neighbouring small scalars share an item
    a dict with text keys            likewise an item an entry; an entry whose value is a list is a list of its
                                     own, so that an input shares its elements with what is written from it
    a DeltaChannel's snapshot        as the value inside of it, which shares its elements with the writes before
    anything else                    one item

An item's digest covers its kind, its bytes and its labels. An element that the thread holds already, in any channel,
input or pending write, is referred to instead of written again.

What carries labels is always an item of its own, and a list or a dict that carries some itself is one item. Where its
reader may not see it, a placeholder is handed out instead, and a placeholder that is stored refers to the original.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeGuard

from langchain_core.messages import BaseMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from checkpointer.labels import NONE, Labels, LabelsOf, Withheld, labels_of, labels_of_whole, withheld_in
from checkpointer.messages import (
    MESSAGE_KINDS,
    MessageMould,
    envelope_of,
    fingerprint,
    message_from_json,
    message_to_json,
    placeholder,
    plain_to_json,
)
from checkpointer.principal import storable
from checkpointer.serializer import dump, encrypted_text, load

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

# A node, as msgpack-friendly data: [INLINE, bytes] | [ITEM] | [LIST, runs] | [DICT, [runs | [key, node], ...]]
# | [SNAPSHOT, node].
Node = list[Any]
INLINE, ITEM, LIST, DICT, SNAPSHOT = range(5)

# Kinds of items that are not messages: one value, several elements of a list, several entries of a dict.
VALUE, ELEMENTS, ENTRIES = "value", "elements", "entries"

# Messages of a conversation, which have an id, are numbered from 0, anything else from here. Inputs and pending writes
# come between one message and the next; numbered together they would break up every range.
FIRST_VALUE = 1 << 30

_SMALL_TEXT = 48
_MOST_TABLES = 200
_SCALARS_AN_ITEM = 64
_SCALARS = (int, float, bool, type(None))
_CONSTANTS = frozenset({*_SCALARS, str, bytes})


class Read(NamedTuple):
    """Which tables a statement read, by its id: that of the catalog's, or the tool call's."""

    statement: str
    tables: tuple[str, ...]


def is_list(node: Node) -> bool:
    """Tell whether a node is that of a list, whose elements are what its references lead to."""
    return bool(node[0] == LIST or (node[0] == SNAPSHOT and is_list(node[1])))


class Item(NamedTuple):
    """One stored piece of content: a message's JSON text or a serialised value."""

    kind: str
    message: str | None
    value: bytes | None
    digest: bytes
    lane: int = 1
    labels: Labels = NONE
    envelope: str | None = None
    """What stays visible when it is withheld: as JSON, a message without content, or an entry's keys."""
    read: Read | None = None
    """Where it came from, for the audit; not stored with it."""

    @property
    def size(self) -> int:
        """Characters or bytes of its content."""
        return len(self.message or self.value or b"")

    @classmethod
    def of(
        cls, kind: str, content: str | bytes, lane: int = 1, labels: Labels = NONE, envelope: str | None = None
    ) -> Item:
        """Make an item; the digest tells equal content of equal labels."""
        text = isinstance(content, str)
        body = content.encode() if isinstance(content, str) else content
        key = blake2b(repr(sorted(labels, key=repr)).encode(), digest_size=16).digest() if labels else b""
        digest = blake2b(body, digest_size=16, key=key, person=kind.encode()[:16]).digest()
        return cls(kind, content if text else None, None if text else body, digest, lane, labels, envelope)  # type: ignore[arg-type]


class Constants(NamedTuple):
    """Elements, or entries, that nobody can change: decoded once, for all who read them."""

    values: Sequence[Any]
    size: int


class At(NamedTuple):
    """An item that is stored, by its position."""

    position: int


class Closed(NamedTuple):
    """An item that its reader may not see."""

    kind: str
    envelope: str | None
    withheld: Withheld


# What a process holds at a position: an item as it was stored, or made ready to be read again.
Open = Item | MessageMould | Constants
# And what a reader finds there.
Piece = Open | Closed


class Originals(Protocol):
    """The items of a thread that placeholders may stand for."""

    thread: int
    withheld: set[int]


@dataclass(slots=True)
class Encoder:
    """Turns values into nodes, collecting references and the items that are not known to be stored."""

    serde: SerializerProtocol
    known: Mapping[bytes, int]
    digests: dict[tuple[Any, ...] | None, bytes] = field(default_factory=dict)
    labels_of: LabelsOf = labels_of
    originals: Originals | None = None
    unknown: set[int] = field(default_factory=set)
    """Items that placeholders stand for and that are not known to be there; nothing may be stored before they are."""
    apart: bool = False
    """Whether everything becomes an item, so that labels can be given to it."""
    refs: list[int] = field(default_factory=list)
    fresh: list[Item] = field(default_factory=list)
    _numbers: dict[bytes, int] = field(default_factory=dict)

    def encode(self, value: object) -> Node:
        """Return the node of a value; its references follow those of the values before."""
        if self._is_small(value):
            return [INLINE, dump(self.serde, value)]
        if type(value) is list and value and not self._is_whole(value, value):
            return [LIST, self._list(value)]
        if _is_record(value) and not self._is_whole(value, value.values()):
            return self._dict(value)
        if type(value) is _DeltaSnapshot:
            return [SNAPSHOT, self.encode(value.value)]
        self._refer([self._item(value)])
        return [ITEM]

    def _is_whole(self, value: list[Any] | dict[str, Any], parts: Iterable[Any]) -> bool:
        """Tell whether a list or a dict is stored as one, as it has labels that its parts would be without.

        A conversation is told apart by its messages, as long as some of them have what all of it has.
        """
        labels = labels_of_whole(value, self.labels_of)
        if not labels:
            return False
        found = [self.labels_of(part) for part in parts]
        if type(value) is list and all(isinstance(part, BaseMessage) for part in value):
            return not labels <= NONE.union(*found)
        return not all(labels <= each for each in found)

    def _dict(self, value: dict[str, object]) -> Node:
        parts: list[Any] = []
        for apart, entries in groupby(value.items(), key=lambda entry: type(entry[1]) is list and bool(entry[1])):
            if apart:
                parts.extend([key, self.encode(inner)] for key, inner in entries)
            else:
                parts.append(self._refer(self._packed(ENTRIES, list(entries), lambda entry: entry[1])))
        return [DICT, parts]

    def _list(self, values: list[object]) -> int:
        """Add references to the elements and return the number of runs; most are messages that are stored already."""
        start = len(self.refs)
        new: list[object] = []
        digests, known = self.digests, self.known
        for value in values:
            position = None
            if isinstance(value, BaseMessage):
                digest = digests.get(fingerprint(value))
                position = known.get(digest) if digest is not None else self._original(value)
            elif isinstance(value, Withheld):
                position = self._original(value)
            if position is None:
                new.append(value)
                continue
            if new:
                self._refer(self._elements(new), start)
                new = []
            self._point(position, start)
        if new:
            self._refer(self._elements(new), start)
        return (len(self.refs) - start) // 2

    def _position(self, value: BaseMessage | Withheld) -> int | None:
        """Return where a message is stored, or the original of a placeholder."""
        if isinstance(value, BaseMessage):
            digest = self.digests.get(fingerprint(value))
            if digest is not None:
                return self.known.get(digest)
        return self._original(value)

    def _original(self, value: BaseMessage | Withheld) -> int | None:
        """Return where that is stored which a placeholder stands for; None for anything else."""
        withheld = withheld_in(value) if isinstance(value, BaseMessage) else value
        if withheld is None or self.originals is None or withheld.thread != self.originals.thread:
            return None
        if withheld.item not in self.originals.withheld:
            self.unknown.add(withheld.item)
        return withheld.item

    def _is_small(self, value: object) -> bool:
        if isinstance(value, str | list | dict) and type(value) in (str, list, dict):
            small = len(value) <= (_SMALL_TEXT if isinstance(value, str) else 0)
        else:
            small = type(value) in _SCALARS
        return small and not self.apart and not self.labels_of(value)

    def _elements(self, values: list[object]) -> list[Item | At]:
        items: list[Item | At] = []
        for is_message, group in groupby(values, key=lambda value: isinstance(value, BaseMessage)):
            if is_message:
                items.extend(map(self._item, group))
            else:
                items.extend(self._packed(ELEMENTS, list(group), lambda value: value))
        return items

    def _packed(self, kind: str, parts: list[Any], value_of: Any) -> list[Item | At]:
        items: list[Item | At] = []
        for small, group in groupby(parts, key=lambda part: self._is_small(value_of(part))):
            run = list(group)
            size = _SCALARS_AN_ITEM if small else 1
            if not small:
                items.extend(self._part(kind, part, value_of(part)) for part in run)
                continue
            items.extend(
                Item.of(kind, dump(self.serde, [list(p) if kind == ENTRIES else p for p in run[i : i + size]]))
                for i in range(0, len(run), size)
            )
        return items

    def _part(self, kind: str, part: Any, value: object) -> Item | At:
        if isinstance(value, Withheld) and (position := self._position(value)) is not None:
            return At(position)
        key = part[0] if kind == ENTRIES else None
        mark = (kind, key, hash(value), len(value)) if type(value) is str else None
        digest = self.digests.get(mark)
        if digest is not None and digest in self.known:
            return Item("", None, None, digest)
        labels = self.labels_of(value)
        envelope = plain_to_json([key]) if labels and key is not None else None
        content = dump(self.serde, [list(part) if kind == ENTRIES else part])
        item = Item.of(kind, content, labels=labels, envelope=envelope)
        if mark is not None:
            self.digests[mark] = item.digest
        return item

    def _item(self, value: object) -> Item | At:
        if isinstance(value, BaseMessage | Withheld) and (position := self._position(value)) is not None:
            return At(position)
        # Only the plain serializer leaves messages readable; another one may be there to encrypt.
        if isinstance(value, BaseMessage) and isinstance(self.serde, JsonPlusSerializer):
            readable = message_to_json(value)
            if readable is not None:
                mark = fingerprint(value)
                labels = self.labels_of(value)
                lane = 1 if value.id is None else 0
                item = Item.of(*readable, lane, labels, envelope_of(value) if labels or self.apart else None)
                if mark is not None:
                    self.digests[mark] = item.digest
                return item._replace(read=read_by(value)) if isinstance(value, ToolMessage) else item
        labels = self.labels_of(value)
        envelope = envelope_of(value) if isinstance(value, BaseMessage) and (labels or self.apart) else None
        return Item.of(VALUE, dump(self.serde, value), labels=labels, envelope=envelope)

    def _refer(self, items: list[Item | At], start: int | None = None) -> int:
        """Add references to the items and return the number of runs since `start`, which may be joined.

        A fresh item's position is -(its number).
        """
        start = len(self.refs) if start is None else start
        for item in items:
            position = item.position if isinstance(item, At) else self.known.get(item.digest)
            if position is None:
                assert isinstance(item, Item)
                number = self._numbers.get(item.digest)
                if number is None:
                    self.fresh.append(item)
                    number = self._numbers[item.digest] = len(self.fresh)
                self.refs += (-number, 1)
            else:
                self._point(position, start)
        return (len(self.refs) - start) // 2

    def _point(self, position: int, start: int) -> None:
        refs = self.refs
        if len(refs) > start and refs[-2] >= 0 and refs[-2] + refs[-1] == position:
            refs[-1] += 1
        else:
            refs += (position, 1)


def _is_record(value: object) -> TypeGuard[dict[str, Any]]:
    return type(value) is dict and bool(value) and all(type(key) is str for key in value)


def read_by(result: ToolMessage) -> Read | None:
    """Return which tables a tool's result was read from; None where it names none."""
    named = result.response_metadata.get("sources")
    if not isinstance(named, list | tuple):
        return None
    tables = tuple(str(source) for source in named[:_MOST_TABLES] if storable(str(source)))
    statement = str(result.response_metadata.get("statement_id") or result.tool_call_id)
    return Read(statement if storable(statement) else "", tables) if tables else None


class Marks(Protocol):
    """Digests of stored content, by what tells it from any other in this process, and the positions in there."""

    digests: dict[tuple[Any, ...] | None, bytes]
    marked: set[int]


@dataclass(slots=True)
class Decoder:
    """Turns nodes back into values, reading references from where the last value stopped."""

    serde: SerializerProtocol
    items: MutableMapping[int, Piece]
    """By position; what is read again is made ready for it."""
    refs: Sequence[int]
    once: Collection[int] | None = None
    """Positions that are not expected to be read again; None for all."""
    marks: Marks | None = None
    """Where to remember what messages look like, for an encoder to know them again."""
    at: int = 0

    def decode(self, node: Node) -> Any:
        """Return the value of a node: new objects at every call, because graphs may change them in place."""
        match node[0]:
            case 0:
                return load(self.serde, node[1])
            case 1:
                return self._value(*self._next(1)[0])
            case 2:
                return self._list(node[1])
            case 4:
                return _DeltaSnapshot(self.decode(node[1]))
            case _:
                return self._dict(node[1])

    def _list(self, runs: int) -> list[Any]:
        values: list[Any] = []
        for position, item in self._next(runs):
            if isinstance(item, MessageMould):
                values.append(item.cast())
            elif isinstance(item, Constants) or item.kind == ELEMENTS:
                values.extend(self._several(position, item))
            else:
                values.append(self._value(position, item))
        return values

    def _dict(self, parts: list[Any]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for part in parts:
            if isinstance(part, int):
                for position, item in self._next(part):
                    value.update(self._several(position, item))
            else:
                value[part[0]] = self.decode(part[1])
        return value

    def _several(self, position: int, item: Piece) -> Sequence[Any]:
        """Return elements of a list, or entries of a dict."""
        if isinstance(item, Constants):
            return item.values
        if isinstance(item, Closed):
            keys = json.loads(item.envelope) if item.envelope else None
            return [item.withheld] if keys is None else [(key, item.withheld) for key in keys]
        assert isinstance(item, Item)
        values: list[Any] = load(self.serde, item.value or b"")
        if self._again(position):
            inner = values if item.kind == ELEMENTS else [value for _, value in values]
            if all(type(value) in _CONSTANTS for value in inner):
                self.items[position] = Constants(values, item.size)
        return values

    def _value(self, position: int, item: Piece) -> Any:
        if isinstance(item, MessageMould):
            return item.cast()
        if isinstance(item, Closed):
            return item.withheld if item.envelope is None else placeholder(item.envelope, item.withheld)
        assert isinstance(item, Item)
        if item.kind in MESSAGE_KINDS:
            if self._again(position):
                mould = self.items[position] = MessageMould(item.kind, item.message or encrypted_text(item.value))
                message = mould.cast()
            else:
                message = message_from_json(item.kind, item.message or encrypted_text(item.value))
            if self.marks is not None and position not in self.marks.marked:
                self.marks.marked.add(position)
                mark = fingerprint(message)
                if mark is not None:
                    self.marks.digests[mark] = item.digest
            return message
        return load(self.serde, item.value or b"")

    def _again(self, position: int) -> bool:
        return self.once is not None and position not in self.once

    def _next(self, runs: int) -> list[tuple[int, Piece]]:
        taken = self.refs[self.at : self.at + 2 * runs]
        self.at += 2 * runs
        runs_taken = zip(taken[::2], taken[1::2], strict=True)
        items = self.items
        return [(n, items[n]) for first, count in runs_taken for n in range(first, first + count)]
