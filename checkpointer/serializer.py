"""LangGraph's serializer, with its allow-list of types on, and an error in place of a silently changed value."""

from __future__ import annotations

import json
import struct
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import ormsgpack
from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from checkpointer.errors import BlockedTypeError, EncryptedRowError, UnserializableError
from checkpointer.labels import Withheld
from checkpointer.messages import is_plain, plain_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langgraph.checkpoint.serde.base import SerializerProtocol

# What a stored value is tagged with. Names that are not here (an encrypting serializer's) are spelled out.
_TAGS = {"msgpack": 1, "null": 2, "bytes": 3, "bytearray": 4, "json": 5}
_TYPES = {tag: name for name, tag in _TAGS.items()}
_NAMED = 0
# Integers beyond 64 bits, which msgpack has no form for.
_PLAIN = 6
# What is plain all through needs no rules of types, which take twenty times as long as the rest.
_SIMPLE = 7
_SIMPLE_TYPES = frozenset({str, int, float, bool, list, dict})
# What begins with where a checkpoint's list of messages is among its references, for SQL to read.
_MARKED = 8
# Ciphertext, which only `checkpointer.sealing` opens.
SEALED = 9
MARK_BYTES = struct.calcsize(">BII")
# Anything that would come back as something else is passed by.
_EXACTLY = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)

_SIMPLE_TAG = bytes([_SIMPLE])

_blocked = threading.local()


def strict_serializer(allowed_types: Iterable[type | tuple[str, str]] = ()) -> JsonPlusSerializer:
    """Return LangGraph's serializer, rebuilding only its built-in safe types and `allowed_types`."""
    return JsonPlusSerializer(allowed_msgpack_modules=(Withheld, *allowed_types))


def dump(serde: SerializerProtocol, value: object) -> bytes:
    """Serialise one value, its format tagged in the first byte.

    Raises:
        BlockedTypeError: The value holds a type that `serde` would not rebuild.
        UnserializableError: The value has no serialised form.
    """
    if type(value) in _SIMPLE_TYPES and isinstance(serde, JsonPlusSerializer):
        try:
            return _SIMPLE_TAG + ormsgpack.packb(value, option=_EXACTLY)
        except TypeError:
            pass  # not plain all through
    try:
        kind, data = serde.dumps_typed(value)
    except (TypeError, ValueError) as error:
        if is_plain(value):
            return bytes([_PLAIN]) + plain_to_json(value).encode()
        raise UnserializableError(_culprit(serde, value)) from error
    tag = _TAGS.get(kind)
    if tag is None:
        name = kind.encode()
        return bytes([_NAMED, len(name)]) + name + data
    if tag == _TAGS["msgpack"] and type(value) not in (str, int, float, bool):
        _load(serde, (kind, data))  # what cannot be read back must not be stored
    return bytes([tag]) + data


def load(serde: SerializerProtocol, stored: bytes) -> Any:
    """Return the value that `dump` wrote.

    Raises:
        BlockedTypeError: It holds a type that `serde` may not rebuild.
        EncryptedRowError: It is encrypted.
    """
    tag = stored[0]
    if tag == _SIMPLE:
        return ormsgpack.unpackb(memoryview(stored)[1:])
    if tag == _PLAIN:
        return json.loads(stored[1:])
    if tag == _MARKED:
        return load(serde, stored[MARK_BYTES:])
    if tag == _NAMED:
        end = 2 + stored[1]
        return _load(serde, (stored[2:end].decode(), stored[end:]))
    if tag == SEALED:
        raise EncryptedRowError(key_name(stored))
    return _load(serde, (_TYPES[tag], stored[1:]))


def encrypted_text(stored: bytes | None) -> NoReturn:
    """Refuse a message that is not there as text.

    Raises:
        EncryptedRowError: It is encrypted.
    """
    raise EncryptedRowError(key_name(stored or b""))


def key_name(sealed: bytes) -> str:
    """Return the name of the key that something says it is encrypted under; anything, where it was tampered with."""
    return sealed[2 : 2 + sealed[1]].decode("ascii", "replace") if len(sealed) > 1 else ""


def is_marked(stored: bytes) -> bool:
    """Tell whether two numbers stand before what `dump` wrote, in its first MARK_BYTES."""
    return stored[0] == _MARKED


def marked(stored: bytes, first: int, last: int) -> bytes:
    """Return what `dump` wrote with two numbers before it, which `load` passes by."""
    return struct.pack(">BII", _MARKED, first, last) + stored


def strict_load(serde: SerializerProtocol, typed: tuple[str, bytes]) -> Any:
    """Return what a serializer stored.

    Raises:
        BlockedTypeError: It holds a type that `serde` may not rebuild.
    """
    return _load(serde, typed)


def _load(serde: SerializerProtocol, typed: tuple[str, bytes]) -> Any:
    # Upstream answers a blocked type with its raw payload and tells listeners; isolated listeners cannot raise, so
    # they take notes and the refusal comes after.
    _blocked.types = []
    try:
        value = serde.loads_typed(typed)
        if _blocked.types:
            raise BlockedTypeError(tuple(sorted(set(_blocked.types))))
        return value
    finally:
        _blocked.types = []


def _culprit(serde: SerializerProtocol, value: object) -> object:
    """Return the innermost part of the value that cannot be serialised."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    for part in inner:
        try:
            serde.dumps_typed(part)
        except (TypeError, ValueError):
            return _culprit(serde, part)
    return value


def _note(event: SerdeEvent) -> None:
    notes = getattr(_blocked, "types", None)
    if notes is not None and event["kind"] in ("msgpack_blocked", "msgpack_method_blocked"):
        notes.append(f"{event['module']}.{event['name']}")


register_serde_event_listener(_note)
