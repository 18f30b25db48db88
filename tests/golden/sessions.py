"""What the golden sessions hold, how they are stored, and how their rows go to a file and back.

Only what every release of the saver knows is used, so that an earlier one can store them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Interrupt
from psycopg import sql

from checkpointer import GovernedPostgresSaver, Keyring, Principal, acting_as

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

OWNER = Principal("golden@example.com")
KEYS = Keyring({"golden": bytes(range(32))})
TABLES = ("threads", "labels", "label_sets", "items", "checkpoints", "writes")
"""In the order in which rows may be inserted."""
QUESTIONS = ("first", "second", "third")


def values() -> dict[str, Any]:
    """A value of each kind that is stored in a way of its own."""
    call: Any = {"name": "query", "args": {"sql": "select 1"}, "id": "call-1", "type": "tool_call"}
    return {
        "messages": [
            HumanMessage("How many?", id="1", name="somebody"),
            AIMessage("", tool_calls=[call], id="2"),
            ToolMessage("one row", tool_call_id="call-1", id="3", artifact={"rows": 1}),
            AIMessage([{"type": "text", "text": "One."}], id="4", response_metadata={"model_name": "m"}),
            AIMessage("\x00 and \ud800", id="5"),
            AIMessage("\x00", id="6", additional_kwargs={"x": b"bytes"}),
        ],
        "short": "text",
        "long": "text " * 40,
        "number": 2**80,
        "ratio": float("inf"),
        "nothing": None,
        "list": ["a", 1, None, "b" * 60, [1.5, True]],
        "dict": {"a": 1, "b": ["c"], "d": {"e": "f" * 60}},
        "bytes": b"\x00\x09\xff",
        "set": {1},
    }


def graph_of(saver: GovernedPostgresSaver, *, fails: bool) -> Any:
    """Return a graph of two nodes, the second of which fails where it is to."""

    def think(state: MessagesState) -> Any:
        return {"messages": [AIMessage(f"thought of {state['messages'][-1].text}", id=f"t{len(state['messages'])}")]}

    def answer(state: MessagesState) -> Any:
        if fails:
            raise ConnectionError
        return {"messages": [AIMessage(f"answer {len(state['messages'])}", id=f"a{len(state['messages'])}")]}

    builder = StateGraph(MessagesState)
    builder.add_node("think", think)
    builder.add_node("answer", answer)
    builder.add_edge(START, "think")
    builder.add_edge("think", "answer")
    return builder.compile(checkpointer=saver)


def config_of(thread_id: str) -> Any:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}


def store(saver: GovernedPostgresSaver, mark: str) -> None:
    """Store the sessions; their names begin with the mark."""
    with acting_as(OWNER):
        held = values()
        checkpoint: Any = {**empty_checkpoint(), "channel_values": held, "channel_versions": dict.fromkeys(held, 1)}
        metadata: Any = {"source": "input", "step": 1, "note": ["kept", 2**70]}
        stored = saver.put(config_of(f"{mark}-values"), checkpoint, metadata, dict.fromkeys(held, 1))
        saver.put_writes(stored, [("short", "written"), ("number", -1)], "task-1", "path")
        saver.put_writes(stored, [(ERROR, ValueError("failed"))], "task-2")
        saver.put_writes(stored, [(INTERRUPT, [Interrupt(value={"call": "call-1"}, id="i")])], "task-3")
        saver.rename(f"{mark}-values", "Values")
        for number, question in enumerate(QUESTIONS):
            asked = {"messages": [HumanMessage(question, id=f"q{number}")]}
            graph_of(saver, fails=False).invoke(asked, config_of(f"{mark}-turns"), durability="sync")
        try:
            asked = {"messages": [HumanMessage("unfinished", id="q")]}
            graph_of(saver, fails=True).invoke(asked, config_of(f"{mark}-interrupted"), durability="sync")
        except ConnectionError:
            pass
        label = {"mooring": {"labels": [["elsewhere.sales.orders", "whole"]]}}
        told = {"messages": [HumanMessage("q", id="1"), AIMessage("of a table", id="2", response_metadata=label)]}
        checkpoint = {**empty_checkpoint(), "channel_values": told, "channel_versions": {"messages": 1}}
        saver.put(config_of(f"{mark}-labelled"), checkpoint, {}, {"messages": 1})


def dump(admin: psycopg.Connection[Any], schema: str) -> str:
    """Return all rows of the sessions' tables, one a line."""
    lines = []
    for table in TABLES:
        query = sql.SQL("select row_to_json(t)::text from {} t order by 1").format(sql.Identifier(schema, table))
        lines += [json.dumps([table, json.loads(row)]) for (row,) in admin.execute(query)]
    return "".join(f"{line}\n" for line in lines)


def load(admin: psycopg.Connection[Any], schema: str, path: Path) -> None:
    """Insert the rows of a file; columns that it does not know have their defaults."""
    for line in path.read_text("ascii").splitlines():
        table, row = json.loads(line)
        name, columns = sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, row))
        query = sql.SQL("insert into {} ({}) overriding system value select {} from json_populate_record(null::{}, %s)")
        admin.execute(query.format(name, columns, columns, name), [json.dumps(row)])
