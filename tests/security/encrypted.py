"""A thread that holds a canary in every place where something that a user gave can be, and what a database holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ormsgpack
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT
from langgraph.types import Interrupt

if TYPE_CHECKING:
    import psycopg

    from checkpointer import GovernedPostgresSaver

INTEGER = 8_675_309_424_242
FLOAT = 1234.515625
TEXTS = [
    f"canary-{place}"
    for place in (
        "message", "argument", "tool-name", "result", "message-id", "name", "metadata", "metadata-key", "short", "long",
        "element", "key", "entry", "bytes", "write", "error", "interrupt", "title", "comment", "nul", "extra", "scalar",
    )
]  # fmt: skip
CANARIES = [*(text.encode() for text in TEXTS), ormsgpack.packb(INTEGER), ormsgpack.packb(FLOAT)]


def values() -> dict[str, Any]:
    call: Any = {"name": "canary-tool-name", "args": {"a": "canary-argument"}, "id": "call-1", "type": "tool_call"}
    return {
        "messages": [
            HumanMessage("canary-message", id="canary-message-id", name="canary-name"),
            AIMessage("", tool_calls=[call], id="2"),
            ToolMessage("canary-result", tool_call_id="call-1", id="3"),
            AIMessage("\x00 canary-nul", id="4", additional_kwargs={"x": b"canary-extra"}),
        ],
        "short": "canary-short",
        "long": "canary-long " * 20,
        "number": INTEGER,
        "ratio": FLOAT,
        "list": ["canary-element", 1, None, "canary-scalar " * 5],
        "dict": {"canary-key": 1, "b": ["canary-entry"]},
        "bytes": b"canary-bytes",
    }


def store(saver: GovernedPostgresSaver, thread_id: str, **changes: Any) -> Any:
    """Store the whole of it, with other values of channels where given; return the config of the checkpoint."""
    held = {**values(), **changes}
    checkpoint: Any = {**empty_checkpoint(), "channel_values": held, "channel_versions": dict.fromkeys(held, 1)}
    metadata: Any = {"source": "input", "step": 1, "note": "canary-metadata", "canary-metadata-key": [INTEGER]}
    config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    stored = saver.put(config, checkpoint, metadata, dict.fromkeys(held, 1))
    saver.put_writes(stored, [("short", "canary-write"), ("number", INTEGER)], "task-1")
    saver.put_writes(stored, [(ERROR, ValueError("canary-error"))], "task-2")
    saver.put_writes(stored, [(INTERRUPT, [Interrupt(value={"q": "canary-interrupt"}, id="i")])], "task-3")
    saver.rename(thread_id, "canary-title")
    saver.rate(stored, 0, "down", "canary-comment")
    return stored


def tables(admin: psycopg.Connection[Any]) -> list[str]:
    """Every table of the schema, as the catalog has them."""
    found = admin.execute("select relname from pg_class where relnamespace = 'mooring'::regnamespace and relkind = 'r'")
    return sorted(name for (name,) in found)


def dump(admin: psycopg.Connection[Any], owner: str) -> bytes:
    """Every column of every row of a person's, in every table: text as it is, bytes as they are."""
    parts: list[bytes] = []
    for table in tables(admin):
        where = b" where owner = %s" if has_owner(admin, table) else b""
        cursor = admin.execute(b"select * from mooring." + table.encode() + where, [owner] if where else None)
        for row in cursor:
            parts += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(parts)


def has_owner(admin: psycopg.Connection[Any], table: str) -> bool:
    """Whether rows of a table are somebody's."""
    found = admin.execute(
        "select from pg_attribute where attrelid = format('mooring.%%I', %s::text)::regclass and attname = 'owner'",
        [table],
    )
    return found.fetchone() is not None


def found_in(dumped: bytes) -> list[bytes]:
    """Which canaries are there in the clear."""
    return [canary for canary in CANARIES if canary in dumped]
