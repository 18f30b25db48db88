"""Chat messages as JSON text, so that they can be read with SQL, wherever JSON can hold them whole."""

from __future__ import annotations

import json
from functools import lru_cache
from math import isfinite

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
    return _CLASSES[kind](**json.loads(text))


def is_plain(value: object) -> bool:
    """Tell whether JSON gives back an equal value of the same types: no subclasses, tuples, NaN or other keys."""
    cls = type(value)
    if value is None or cls is str or cls is int or cls is bool:
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
