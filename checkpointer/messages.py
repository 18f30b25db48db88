"""Chat messages as JSON text, so that they can be read with SQL, wherever JSON can hold them whole."""

from __future__ import annotations

import json
import marshal
from dataclasses import asdict
from functools import lru_cache
from math import isfinite
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.base import TextAccessor

from checkpointer.labels import KEY, Withheld

# Exactly these classes. A subclass may carry what JSON cannot, and goes through the serializer.
_CLASSES: dict[str, type[BaseMessage]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
    "chat": ChatMessage,
    "function": FunctionMessage,
    "remove": RemoveMessage,
    "AIMessageChunk": AIMessageChunk,
}
_KINDS = {cls: kind for kind, cls in _CLASSES.items()}
MESSAGE_KINDS = frozenset(_CLASSES)
_parse = json.JSONDecoder().raw_decode
_set = object.__setattr__


def message_to_json(message: BaseMessage) -> tuple[str, str] | None:
    """Return the message's kind and its JSON text, or None when JSON would not give back an equal message.

    Fields that hold their default are left out. The text is valid JSON and can be stored in a Postgres `text`.
    """
    kind = _KINDS.get(type(message))
    if kind is None:
        return None
    defaults = _defaults(type(message))
    fields = {
        name: value
        for name, value in message.__dict__.items()
        if name != "type" and not (name in defaults and type(value) is type(defaults[name]) and value == defaults[name])
    }
    fields.update(message.__pydantic_extra__ or {})
    if not is_plain(fields):
        return None
    try:
        return kind, plain_to_json(fields)
    except ValueError:  # an integer with more digits than Python converts
        return None


def message_from_json(kind: str, text: str) -> BaseMessage:
    """Return the message that `message_to_json` wrote."""
    return _built(kind, _parse(text)[0])


class MessageMould:
    """Makes equal messages from one text, for the many checkpoints that hold the same message."""

    def __init__(self, kind: str, text: str) -> None:
        first = _built(kind, _parse(text)[0])
        self.size = len(text)
        self._cls = type(first)
        self._state = first.__dict__
        self._set = first.__pydantic_fields_set__
        self._extra = first.__pydantic_extra__
        self._nested = [
            (name, type(v) if not v else None) for name, v in self._state.items() if type(v) in (list, dict)
        ]

    def cast(self) -> BaseMessage:
        """Return a message of its own, down to its lists and dicts."""
        state = self._state.copy()
        for name, empty in self._nested:
            state[name] = empty() if empty is not None else _copied(state[name])
        message = self._cls.__new__(self._cls)
        _set(message, "__dict__", state)
        _set(message, "__pydantic_fields_set__", self._set.copy())
        _set(message, "__pydantic_extra__", _copied(self._extra) if self._extra else {})
        _set(message, "__pydantic_private__", None)
        return message


def envelope_of(message: BaseMessage) -> str:
    """Return what stays visible of a message that is withheld: its type, id, name and tool calls without arguments."""
    parts: dict[str, Any] = {"type": message.type, "id": message.id, "name": message.name}
    if message.type not in MESSAGE_KINDS:
        parts |= {"type": "chat", "role": message.type}
    if isinstance(message, ToolMessage):
        parts |= {"tool_call_id": message.tool_call_id, "status": message.status}
    if isinstance(message, AIMessage):
        parts["tool_calls"] = [{"id": call["id"], "name": call["name"]} for call in message.tool_calls]
    if isinstance(message, ChatMessage):
        parts["role"] = message.role
    return plain_to_json({name: value for name, value in parts.items() if value})


def placeholder(envelope: str, withheld: Withheld) -> BaseMessage:
    """Return what stands for a message that is withheld; a model can still be called with it."""
    parts = _parse(envelope)[0]
    kind = parts.pop("type")
    marks = {**asdict(withheld), "sources": list(withheld.sources)}
    fields: dict[str, Any] = {"content": withheld.reason, "response_metadata": {KEY: {"withheld": marks}}, **parts}
    if "tool_calls" in fields:
        fields["tool_calls"] = [{**call, "args": {}, "type": "tool_call"} for call in fields["tool_calls"]]
    if kind == "remove":
        fields["content"] = ""
    return _built(kind, fields)


def fingerprint(message: BaseMessage) -> tuple[Any, ...] | None:
    """Tell a message from any other within this process, at a tenth of the cost of its JSON text.

    Python keeps the hash of a text with it, so an unchanged content is not read again; marshal tells 1 from True.
    """
    fields = message.__dict__.copy()
    content = fields.pop("content", None)
    if type(content) is not str:
        return None
    try:
        rest = marshal.dumps((fields, message.__pydantic_extra__ or None), 2)
    except ValueError:
        return None
    return type(message), hash(content), len(content), hash(rest)


def _built(kind: str, fields: dict[str, Any]) -> BaseMessage:
    """Build a message that was validated when it was made; what was not stored holds its default."""
    cls = _CLASSES[kind]
    defaults, empties, names = _shape(cls)
    state = defaults.copy()
    extra: dict[str, Any] = {}
    if fields.keys() <= names:
        state.update(fields)
    else:
        for name, value in fields.items():
            (state if name in names else extra)[name] = value
    for name, empty in empties:
        if name not in fields:
            state[name] = empty()
    message = cls.__new__(cls)
    _set(message, "__dict__", state)
    _set(message, "__pydantic_fields_set__", set(fields))
    _set(message, "__pydantic_extra__", extra)
    _set(message, "__pydantic_private__", None)
    return message


def _copied(value: Any) -> Any:
    if type(value) is list:
        return [_copied(each) for each in value]
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    return value


@lru_cache(maxsize=64)
def _shape(cls: type[BaseMessage]) -> tuple[dict[str, Any], list[tuple[str, type]], frozenset[str]]:
    defaults = {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in cls.model_fields.items()
    }
    empties = [(name, type(value)) for name, value in defaults.items() if type(value) in (list, dict)]
    return defaults, empties, frozenset(cls.model_fields)


def is_plain(value: object) -> bool:
    """Tell whether JSON gives back an equal value of the same types: no subclasses, tuples, NaN or other keys.

    A message's `.text` is a text: a subclass with nothing of its own, which no serializer keeps.
    """
    cls = type(value)
    if value is None or cls is str or cls is TextAccessor or cls is int or cls is bool:
        return True
    if cls is float:
        return isfinite(value)  # type: ignore[arg-type]
    if cls is list:
        return all(map(is_plain, value))  # type: ignore[call-overload]
    if cls is dict:
        return all(type(k) is str and is_plain(v) for k, v in value.items())  # type: ignore[attr-defined]
    return False


def plain_to_json(value: object) -> str:
    """Return compact JSON text of a plain value; lone surrogates are escaped, because UTF-8 has none."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


@lru_cache(maxsize=64)
def _defaults(cls: type[BaseMessage]) -> dict[str, object]:
    """Return the fields whose default is a plain value or empty."""
    fields = {name: field.get_default(call_default_factory=True) for name, field in cls.model_fields.items()}
    return {name: default for name, default in fields.items() if is_plain(default)}
