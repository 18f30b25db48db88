"""Graphs with LangGraph's DeltaChannel: whatever their history, they hold what the same graph holds in memory."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from checkpointer import GovernedPostgresSaver, Principal
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from agent.database import Database
    from tests.integration.proxy import CountingProxy


def joined(value: list[Any], updates: Sequence[list[Any]]) -> list[Any]:
    return [*value, *itertools.chain.from_iterable(updates)]


class Often(TypedDict):
    messages: Annotated[list[AnyMessage], DeltaChannel(joined, snapshot_frequency=3)]
    notes: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=7)]


class Never(TypedDict):
    messages: Annotated[list[AnyMessage], DeltaChannel(joined, snapshot_frequency=1000)]
    notes: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=1000)]


def answer(state: Any) -> dict[str, Any]:
    count = len(state["messages"])
    return {"messages": [AIMessage(f"answer {count}", id=f"a{count}")], "notes": [f"note {count}"] if count % 3 else []}


def graph_of(state: type, saver: BaseCheckpointSaver[Any]) -> Any:
    builder: Any = StateGraph(state)
    return builder.add_node("bot", answer).add_edge(START, "bot").compile(checkpointer=saver)


def said(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text, id=text)]}


def thread() -> Any:
    return {"configurable": {"thread_id": str(uuid4())}}


def history(graph: Any, config: Any) -> list[Any]:
    return [state.values for state in graph.get_state_history(config)]


def converse(graph: Any, config: Any, durability: str) -> None:
    """Turns, an update by hand, an overwrite, and a step that writes nothing to one channel."""
    for n in range(5):
        graph.invoke(said(f"question {n}"), config, durability=durability)
    graph.update_state(config, {"notes": ["by hand"]}, as_node="bot")
    graph.update_state(config, {"notes": Overwrite(["all new"])}, as_node="bot")
    for n in range(5, 8):
        graph.invoke(said(f"question {n}"), config, durability=durability)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("state", [Often, Never])
def test_a_graph_holds_what_it_holds_in_memory(saver: GovernedPostgresSaver, state: type, durability: str) -> None:
    config, memory = thread(), InMemorySaver()
    ours, theirs = graph_of(state, saver), graph_of(state, memory)
    for graph in (ours, theirs):
        converse(graph, config, durability)

    assert ours.get_state(config).values == theirs.get_state(config).values
    assert history(ours, config) == history(theirs, config)


@pytest.mark.parametrize("durability", ["sync", "exit"])
@pytest.mark.parametrize("state", [Often, Never])
def test_another_process_reads_and_goes_on_with_the_same(
    lakehouse: Database, person: Principal, saver: GovernedPostgresSaver, state: type, durability: str
) -> None:
    config, memory = thread(), InMemorySaver()
    for n in range(4):
        with saver_of(lakehouse, person) as fresh:
            graph_of(state, fresh).invoke(said(f"question {n}"), config, durability=durability)
        graph_of(state, memory).invoke(said(f"question {n}"), config, durability=durability)

    assert history(graph_of(state, saver), config) == history(graph_of(state, memory), config)


@pytest.mark.parametrize("state", [Often, Never])
def test_a_fork_holds_its_own_branch_only(saver: GovernedPostgresSaver, state: type) -> None:
    graph, config = graph_of(state, saver), thread()
    points = []
    for n in range(4):
        graph.invoke(said(f"question {n}"), config, durability="sync")
        points.append(graph.get_state(config).config)
    trunk = [message.id for message in graph.get_state(config).values["messages"]]

    for point in range(4):
        graph.invoke(said(f"other {point}"), points[point], durability="sync")
        forked = graph.get_state(config)
        assert [m.id for m in forked.values["messages"]] == [
            *trunk[: 2 * point + 2],
            f"other {point}",
            f"a{2 * point + 3}",
        ]
        graph.invoke(said(f"and on {point}"), config, durability="sync")

    for point in range(4):
        assert [m.id for m in graph.get_state(points[point]).values["messages"]] == trunk[: 2 * point + 2]


def test_a_step_taken_again_from_the_same_point_does_not_meet_the_first_try(saver: GovernedPostgresSaver) -> None:
    """LangGraph issues 8443 and 8551: siblings share their parent, where the writes of both are kept."""
    graph, config = graph_of(Never, saver), thread()
    graph.invoke(said("question"), config, durability="sync")
    before_bot = next(s.config for s in graph.get_state_history(config) if s.next == ("bot",))

    graph.invoke(None, before_bot, durability="sync")

    assert [m.id for m in graph.get_state(config).values["messages"]] == ["question", "a1"]


def test_the_history_of_a_fork_is_read_along_its_branch(saver: GovernedPostgresSaver) -> None:
    # given two branches from one checkpoint, each with writes and one with a value further on
    root: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}

    def put(parent: Any, values: dict[str, Any], written: str) -> Any:
        checkpoint: Any = {
            **empty_checkpoint(),
            "channel_values": values,
            "channel_versions": dict.fromkeys(values, len(written)),
        }
        stored = saver.put(parent, checkpoint, {}, dict.fromkeys(values, len(written)))
        saver.put_writes(stored, [("notes", [written]), ("other", written)], "task", "~1")
        saver.put_writes(stored, [("notes", [f"{written} too"])], "task0", "~2")
        return stored

    a = put(root, {"notes": ["seed"], "first": [1, 2], "last": "x" * 100}, "a")
    left = put(a, {}, "left")
    put(left, {"notes": ["a value of the other branch"]}, "left on")
    right = put(a, {"first": {"k": [3]}}, "right")
    end = put(right, {}, "end")

    found = saver.get_delta_channel_history(config=end, channels=["notes", "other", "first"])

    assert [value for _, _, value in found["notes"]["writes"]] == [["a"], ["a too"], ["right"], ["right too"]]
    assert found["notes"]["seed"] == ["seed"]
    assert [value for _, _, value in found["other"]["writes"]] == ["a", "right"]
    assert "seed" not in found["other"]
    assert found["first"]["seed"] == {"k": [3]}
    assert found["first"]["writes"] == []
    assert found == BaseCheckpointSaver.get_delta_channel_history(
        saver, config=end, channels=["notes", "other", "first"]
    )


async def test_the_history_reads_the_same_for_async_callers(lakehouse: Database, person: Principal) -> None:
    config = thread()
    async with saver_of(lakehouse, person) as saver:
        graph = graph_of(Often, saver)
        for n in range(5):
            await graph.ainvoke(said(f"question {n}"), config)
        latest = await graph.aget_state(config)
        channels = ["messages", "notes"]
        ours = await saver.aget_delta_channel_history(config=latest.config, channels=channels)
        plain = await BaseCheckpointSaver.aget_delta_channel_history(saver, config=latest.config, channels=channels)

    assert ours == plain
    assert len(latest.values["messages"]) == 10


@pytest.mark.parametrize("state", [Often, Never])
def test_a_history_costs_two_round_trips_however_long(
    lakehouse: Database, proxy: CountingProxy, person: Principal, state: type
) -> None:
    config = thread()
    with saver_of(lakehouse, person, port=proxy.port, max_size=1) as saver:
        graph = graph_of(state, saver)
        for n in range(12):
            graph.invoke(said(f"question {n}"), config, durability="sync")
            before = proxy.round_trips
            found = saver.get_delta_channel_history(config=config, channels=["messages", "notes"])
            assert proxy.round_trips - before <= 2
            assert found["messages"]["writes"]
        before = proxy.round_trips
        assert saver.get_delta_channel_history(config=thread(), channels=["messages"]) == {"messages": {"writes": []}}
        assert saver.get_delta_channel_history(config=config, channels=[]) == {}
        assert proxy.round_trips - before == 1


def test_only_what_lies_since_the_last_snapshot_is_walked(saver: GovernedPostgresSaver) -> None:
    graph, config = graph_of(Often, saver), thread()
    for n in range(12):
        graph.invoke(said(f"question {n}"), config, durability="sync")

    found = saver.get_delta_channel_history(config=config, channels=["messages"])

    assert len(found["messages"]["seed"].value) >= 20
    assert len(found["messages"]["writes"]) <= 4


@pytest.mark.parametrize("state", [Often, Never])
def test_snapshots_store_no_message_a_second_time(
    saver: GovernedPostgresSaver, state: type, person: Principal, admin: psycopg.Connection[Any]
) -> None:
    graph, config = graph_of(state, saver), thread()
    for n in range(10):
        graph.invoke(said(f"question {n}"), config, durability="sync")

    rows = admin.execute("select kind, count(*) from mooring.items where owner = %s group by kind", [person.name])
    stored = dict(rows.fetchall())

    assert (stored["human"], stored["ai"]) == (10, 10)
    assert "value" not in stored


@pytest.mark.parametrize("durability", ["sync", "exit"])
@pytest.mark.parametrize("state", [Often, Never])
def test_pruning_keeps_what_the_latest_value_is_rebuilt_from(
    saver: GovernedPostgresSaver, state: type, durability: str
) -> None:
    graph, config = graph_of(state, saver), thread()
    for n in range(10):
        graph.invoke(said(f"question {n}"), config, durability=durability)
        stored = len(list(saver.list(config)))
        before = graph.get_state(config).values
        saver.prune([config["configurable"]["thread_id"]])
        assert graph.get_state(config).values == before
        kept = list(saver.list(config))
        assert len(kept) <= stored
        assert kept[-1].parent_config is None
        assert state is Never or len(kept) <= 22  # a snapshot of `notes`, every seventh time that it is written
    assert len(graph.get_state(config).values["messages"]) == 20


def test_pruning_leaves_nothing_of_a_thread_without_such_channels_but_its_latest(
    saver: GovernedPostgresSaver, person: Principal, admin: psycopg.Connection[Any]
) -> None:
    config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    at = config
    for n in range(3):
        at = saver.put(
            at, {**empty_checkpoint(), "channel_values": {"a": [n]}, "channel_versions": {"a": n}}, {}, {"a": n}
        )
        saver.put_writes(at, [("a", n)], "task")
    early: Any = {"configurable": {**config["configurable"], "checkpoint_id": "not stored yet"}}
    saver.put_writes(early, [("a", "early")], "task")

    saver.prune([config["configurable"]["thread_id"]])

    [kept] = saver.list(config)
    assert kept.config == at
    assert kept.parent_config is None
    rows = admin.execute("select checkpoint_id from mooring.writes where owner = %s", [person.name]).fetchall()
    assert {checkpoint_id for (checkpoint_id,) in rows} == {at["configurable"]["checkpoint_id"], "not stored yet"}
