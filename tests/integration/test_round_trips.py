"""Every saver operation is one network round trip, with the binding of the principal inside."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, MessagesState, StateGraph

from checkpointer import GovernedPostgresSaver, Principal, Retention
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database
    from tests.integration.proxy import CountingProxy


@pytest.fixture
def counted(lakehouse: Database, proxy: CountingProxy, person: Principal) -> Iterator[GovernedPostgresSaver]:
    policy = Retention(ttl=timedelta(days=30), refresh_on_read=True)
    with saver_of(lakehouse, person, port=proxy.port, retention=policy, min_size=1, max_size=1) as saver:
        yield saver


def checkpoint(values: dict[str, Any]) -> Any:
    return {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}


def test_every_operation_costs_one_round_trip(counted: GovernedPostgresSaver, proxy: CountingProxy) -> None:
    thread, copy, policy = str(uuid4()), str(uuid4()), Retention(keep_last=1)
    config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    first = checkpoint({"messages": [HumanMessage("hello", id="1")]})
    stored = counted.put(config, first, {"run_id": "r"}, {"messages": 1})
    operations: dict[str, Callable[[], Any]] = {
        "put": lambda: counted.put(stored, checkpoint({"messages": [AIMessage("x", id="2")]}), {}, {"messages": 1}),
        "put again": lambda: counted.put(stored, first, {"run_id": "r"}, {"messages": 1}),
        "put_writes": lambda: counted.put_writes(stored, [("messages", [AIMessage("y", id="3")])], "task"),
        "get_tuple": lambda: counted.get_tuple(config),
        "get_tuple by id": lambda: counted.get_tuple(stored),
        "a page of list": lambda: list(counted.list(config)),
        "copy_thread": lambda: counted.copy_thread(thread, copy),
        "prune": lambda: counted.prune([copy]),
        "delete_for_runs": lambda: counted.delete_for_runs(["r"]),
        "sessions": lambda: counted.sessions(),
        "rename": lambda: counted.rename(copy, "A copy"),
        "set_retention": lambda: counted.set_retention(copy, policy),
        "a dry expire": lambda: counted.expire(dry_run=True),
        "share": lambda: counted.share(copy, "bob"),
        "shares": lambda: counted.shares(copy),
        "why": lambda: counted.why(copy),
        "audit": lambda: counted.audit(),
        "export": lambda: counted.export(config),
        "unshare": lambda: counted.unshare(copy, "bob"),
        "delete_thread": lambda: counted.delete_thread(copy),
        "transfer": lambda: counted.transfer(thread, f"{thread}@example.com"),
    }

    trips = {}
    for name, operation in operations.items():
        before = proxy.round_trips
        operation()
        trips[name] = proxy.round_trips - before

    assert trips == dict.fromkeys(operations, 1)


def test_a_turn_of_one_node_costs_at_most_six_round_trips(counted: GovernedPostgresSaver, proxy: CountingProxy) -> None:
    # given a graph of one node, whose contract is one read, three checkpoints and two batches of writes a turn; the
    # latter are stored with the next checkpoint, if that comes soon enough
    builder = StateGraph(MessagesState).add_node("bot", lambda _: {"messages": [AIMessage("hi")]})
    graph: Any = builder.add_edge(START, "bot").compile(checkpointer=counted)
    config: Any = {"configurable": {"thread_id": str(uuid4())}}
    graph.invoke({"messages": [("user", "hello")]}, config, durability="sync")

    before = proxy.round_trips
    graph.invoke({"messages": [("user", "hello again")]}, config, durability="sync")

    assert 4 <= proxy.round_trips - before <= 6
