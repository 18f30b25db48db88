"""Whatever a graph may hold comes back equal, and of the same type, as from InMemorySaver with the same serializer."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel

from checkpointer import BlockedTypeError, GovernedPostgresSaver, Keyring, Principal, UnserializableError
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Mood(enum.StrEnum):
    GOOD = "good"


@dataclasses.dataclass
class Point:
    x: int
    label: str


class Order(BaseModel):
    total: decimal.Decimal
    lines: list[str]


class Unlisted(BaseModel):
    secret: str


TYPES = [Colour, Level, Mood, Point, Order]


@pytest.fixture(scope="module", params=[None, Keyring({"k": bytes(32)})], ids=["clear", "encrypted"])
def lossless(lakehouse: Database, request: pytest.FixtureRequest) -> Iterator[GovernedPostgresSaver]:
    person = Principal(f"lossless-{uuid.uuid4()}")
    with saver_of(lakehouse, person, allowed_types=TYPES, encryption=request.param) as saver:
        yield saver


def both_ways(saver: GovernedPostgresSaver, value: Any) -> list[tuple[Any, Any, Any]]:
    """Store a value as a channel, in a list, in a dict and as a pending write.

    Return what was stored, what we give back and what InMemorySaver gives back.
    """
    memory = InMemorySaver(serde=saver.serde)
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4()), "checkpoint_ns": ""}}
    values = {"whole": value, "listed": [value, "and", value], "keyed": {"a": value, "b": [value]}}
    checkpoint: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}
    found = []
    for target in (saver, memory):
        stored = target.put(config, checkpoint, {"source": "input", "step": 1}, dict.fromkeys(values, 1))
        target.put_writes(stored, [("whole", value), ("listed", [value])], "task")
        found.append(target.get_tuple(config))
    ours, theirs = found
    assert ours is not None
    assert theirs is not None
    a, b = ours.checkpoint["channel_values"], theirs.checkpoint["channel_values"]
    assert list(a) == list(b)
    assert ours.pending_writes is not None
    assert theirs.pending_writes is not None
    written = zip([value, [value]], ours.pending_writes, theirs.pending_writes, strict=True)
    return [*((values[k], a[k], b[k]) for k in values), *((given, x[2], y[2]) for given, x, y in written)]


def assert_kept(ours: Any, theirs: Any, given: Any) -> None:
    """Equal and of the same types all the way down (NaN equals NaN) to what InMemorySaver gives back.

    Its serializer replaces lone surrogates inside a message by question marks; there, the text as it was given is
    right too.
    """
    assert type(ours) is type(theirs)
    if isinstance(ours, BaseMessage):
        ours, theirs, given = vars(ours), vars(theirs), vars(given)
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        for key in ours:
            assert_kept(ours[key], theirs[key], given[key])
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for a, b, c in zip(ours, theirs, given, strict=True):
            assert_kept(a, b, c)
    elif isinstance(ours, float):
        assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    else:
        assert ours in (theirs, given)


VALUES: list[Any] = [
    None, True, 0, -1, 2**63 - 1, -(2**63), 2**64 - 1, 0.1, -0.0, math.nan, math.inf, -math.inf,
    "", "plain", "nul \x00 inside", "lone \ud800 surrogate", "\U0001f6f6" * 40, "x" * 5000,
    b"", b"\x00\xff", {1, 2, 3}, frozenset({"a"}), (1, (2, 3)), [], {}, [[]], [[1], [2, [3]]], {"": None},
    {1: "int key", 2.5: "float key"}, {"deep": {"er": {"list": [1, {"x": "\x00"}]}}}, list(range(500)),
    {f"file-{i}": "x" * 200 for i in range(60)}, [None] * 70, ["mixed", 1, None, {"a": 1}, [HumanMessage("m", id="1")]],
    Colour.RED, Level.HIGH, Mood.GOOD, Point(1, "p"), Order(total=decimal.Decimal("1.10"), lines=["a", "b"]),
    decimal.Decimal("1.000"), uuid.UUID(int=5), datetime.date(2024, 2, 29), datetime.timedelta(days=1, microseconds=3),
    datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC), datetime.time(1, 2, 3),
    Send("node", {"messages": [HumanMessage("sent", id="1")]}), Command(update={"a": 1}, goto="node"),
    Interrupt(value={"question": "sure?"}, id="i"),
    HumanMessage("hello"), HumanMessage("hello", id="h", name="alice"), SystemMessage("be brief"),
    HumanMessage([{"type": "text", "text": "parts"}, {"type": "image_url", "image_url": {"url": "data:"}}]),
    AIMessage("x", tool_calls=[{"name": "query", "args": {"sql": "select '\x00'"}, "id": "c", "type": "tool_call"}]),
    AIMessage("", tool_calls=[{"name": "q", "args": {"a": HumanMessage("x").text}, "id": "c", "type": "tool_call"}]),
    AIMessage("x", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    AIMessage(
        "", invalid_tool_calls=[{"name": "q", "args": "{", "id": "c", "error": "bad", "type": "invalid_tool_call"}]
    ),
    AIMessage("x", response_metadata={"model": "m", "sources": ["a.b.c"], "p": 0.1}, additional_kwargs={"n": math.nan}),
    AIMessage("x", additional_kwargs={"kind": Mood.GOOD, "t": (1, 2), "big": 2**63}, id="a"),
    AIMessage("nul \x00 and \ud800 inside", id="n"), AIMessageChunk(content="chunk", id="k", chunk_position="last"),
    ToolMessage("result", tool_call_id="c", artifact={"rows": [(1, 2)]}, status="error", name="query"),
    ToolMessage("result", tool_call_id="c", artifact=b"bytes"), ChatMessage(content="x", role="critic"),
    RemoveMessage(id="gone"),
    HumanMessage("extra", something="else", additional_kwargs={"nested": {"deep": [1, 2, {"x": None}]}}),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{ascii(value)[:30]}")
def test_a_value_comes_back_as_from_memory(lossless: GovernedPostgresSaver, value: Any) -> None:
    for given_value, ours, theirs in both_ways(lossless, value):
        assert_kept(ours, theirs, given_value)


TEXTS = st.text(st.characters(), max_size=80)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXTS | st.binary(max_size=30)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=12
)
MESSAGES = st.builds(HumanMessage, content=TEXTS, id=st.none() | TEXTS, additional_kwargs=st.dictionaries(KEYS, NESTED))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=NESTED | MESSAGES | st.lists(MESSAGES | NESTED, max_size=5))
def test_random_values_come_back_as_from_memory(lossless: GovernedPostgresSaver, value: Any) -> None:
    for given_value, ours, theirs in both_ways(lossless, value):
        assert_kept(ours, theirs, given_value)


def test_integers_beyond_64_bits_come_back_where_memory_refuses_them(lossless: GovernedPostgresSaver) -> None:
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4()), "checkpoint_ns": ""}}
    values = {"huge": 2**200, "nested": {"a": [-(2**100)]}}
    checkpoint: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}

    lossless.put(config, checkpoint, {}, dict.fromkeys(values, 1))

    found = lossless.get_tuple(config)
    assert found is not None
    assert found.checkpoint["channel_values"] == values


@pytest.mark.parametrize(
    ("value", "error", "names"),
    [(Unlisted(secret="s3cret"), BlockedTypeError, "Unlisted"), (object(), UnserializableError, "builtins.object")],
    ids=["not allowed", "not serializable"],
)
def test_what_could_not_be_read_back_is_refused_before_it_is_stored(
    lossless: GovernedPostgresSaver, value: Any, error: type[Exception], names: str
) -> None:
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4()), "checkpoint_ns": ""}}
    checkpoint: Any = {**empty_checkpoint(), "channel_values": {"a": [value]}, "channel_versions": {"a": 1}}

    with pytest.raises(error, match=names) as refusal:
        lossless.put(config, checkpoint, {}, {"a": 1})

    assert "s3cret" not in str(refusal.value)
    assert lossless.get_tuple(config) is None
