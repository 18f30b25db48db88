"""The saver under real graphs: storage by element, edits, forks, memory of other processes, threads and tasks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, TypedDict
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, MessagesState, StateGraph

from checkpointer import GovernedPostgresSaver, Principal, ThreadExistsError, WrongThreadError, acting_as
from tests.logins import saver_of

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from agent.database import Database
    from tests.integration.proxy import CountingProxy


def echo(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"you said {state['messages'][-1].text}", id=str(uuid4()))]}


def echo_graph(saver: GovernedPostgresSaver) -> CompiledStateGraph[Any, Any, Any, Any]:
    return StateGraph(MessagesState).add_node("bot", echo).add_edge(START, "bot").compile(checkpointer=saver)


def thread(thread_id: str | None = None) -> Any:
    return {"configurable": {"thread_id": thread_id or str(uuid4())}}


def said(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text, id=str(uuid4()))]}


def texts(graph: Any, config: Any) -> list[str]:
    return [message.text for message in graph.get_state(config).values["messages"]]


def stored_items(admin: psycopg.Connection, person: Principal) -> int:
    row = admin.execute("select count(*) from mooring.items where owner = %s", [person.name]).fetchone()
    assert row is not None
    return int(row[0])


def test_a_turn_adds_its_messages_and_no_copy_of_older_ones(
    saver: GovernedPostgresSaver, person: Principal, admin: psycopg.Connection
) -> None:
    graph, config = echo_graph(saver), thread()
    graph.invoke(said("one"), config, durability="sync")
    growth = []
    for n in range(5):
        before = stored_items(admin, person)
        graph.invoke(said(f"question {n}"), config, durability="sync")
        growth.append(stored_items(admin, person) - before)

    assert growth == [2] * 5
    assert len(texts(graph, config)) == 12


def test_another_process_adds_no_copies_either(
    lakehouse: Database, saver: GovernedPostgresSaver, person: Principal, admin: psycopg.Connection
) -> None:
    config = thread()
    echo_graph(saver).invoke(said("one"), config, durability="sync")
    before = stored_items(admin, person)

    with saver_of(lakehouse, person) as fresh:
        echo_graph(fresh).invoke(said("two"), config, durability="sync")

    assert stored_items(admin, person) - before == 2
    assert texts(echo_graph(saver), config) == ["one", "you said one", "two", "you said two"]


def test_a_message_changed_in_place_is_stored_as_changed(saver: GovernedPostgresSaver) -> None:
    def redact(state: MessagesState) -> dict[str, Any]:
        state["messages"][0].content = "[redacted]"
        return {"messages": [state["messages"][0]]}

    graph: Any = StateGraph(MessagesState).add_node("bot", redact).add_edge(START, "bot").compile(checkpointer=saver)
    config = thread()

    graph.invoke(said("my number is 12"), config, durability="sync")

    assert texts(graph, config) == ["[redacted]"]
    history = [[m.text for m in s.values.get("messages", [])] for s in graph.get_state_history(config)]
    assert history == [["[redacted]"], ["my number is 12"], []]


def test_values_handed_out_may_be_changed_without_changing_what_is_stored(saver: GovernedPostgresSaver) -> None:
    graph, config = echo_graph(saver), thread()
    given = HumanMessage("one", id="1", additional_kwargs={"marks": ["a", {"b": 1}]})
    graph.invoke({"messages": [given.model_copy(deep=True)]}, config)
    for _ in range(4):
        found = graph.get_state(config).values["messages"][0]
        assert found == given
        found.content = "tampered"
        found.additional_kwargs["marks"][1]["b"] = 2
        found.additional_kwargs["marks"].append("c")


def test_what_a_process_holds_is_not_fetched_again(
    saver: GovernedPostgresSaver, lakehouse: Database, person: Principal, proxy: CountingProxy
) -> None:
    graph, config, kilobyte = echo_graph(saver), thread(), 1000
    for n in range(10):
        graph.invoke(said(f"{n}" * kilobyte), config, durability="sync")
    with saver_of(lakehouse, person, port=proxy.port) as other:
        reader, fetched = echo_graph(other), []
        for _ in range(2):
            before = proxy.answered
            assert texts(reader, config) == texts(graph, config)
            fetched.append(proxy.answered - before)
            graph.invoke(said("new" * kilobyte), config, durability="sync")
        assert fetched[0] > 20 * kilobyte
        assert 6 * kilobyte < fetched[1] < 10 * kilobyte
        before = proxy.answered
        histories = [[s.values for s in g.get_state_history(config)] for g in (reader, graph)]
        assert histories[0] == histories[1]
        assert proxy.answered - before < 50 * kilobyte


@pytest.mark.parametrize("cache_size", [0, 4000])
def test_a_process_that_holds_little_reads_the_same(
    saver: GovernedPostgresSaver, lakehouse: Database, person: Principal, cache_size: int
) -> None:
    with saver_of(lakehouse, person, cache_size=cache_size) as frugal:
        graph, control = echo_graph(frugal), echo_graph(saver)
        threads = [thread() for _ in range(3)]
        for n in range(4):
            for config in threads:
                graph.invoke(said(f"{n}" * 500), config, durability="sync")
                assert texts(graph, config) == texts(control, config)
        for config in threads:
            histories = [[s.values for s in g.get_state_history(config)] for g in (graph, control)]
            assert histories[0] == histories[1]
            assert len(histories[0]) == 12


def test_a_fork_keeps_both_branches(saver: GovernedPostgresSaver) -> None:
    graph, config = echo_graph(saver), thread()
    graph.invoke(said("one"), config)
    after_one = graph.get_state(config).config
    graph.invoke(said("two"), config)
    after_two = graph.get_state(config).config

    graph.invoke(said("other"), after_one)

    assert texts(graph, config) == ["one", "you said one", "other", "you said other"]
    assert texts(graph, after_two) == ["one", "you said one", "two", "you said two"]


class Files(TypedDict):
    files: Annotated[dict[str, str], lambda old, new: {**old, **new}]


def test_editing_one_entry_of_a_dict_stores_that_entry(
    saver: GovernedPostgresSaver, person: Principal, admin: psycopg.Connection
) -> None:
    graph = StateGraph(Files).add_node("n", lambda _: {}).add_edge(START, "n").compile(checkpointer=saver)
    config = thread()
    files = {f"{n}.txt": f"{n} " * 200 for n in range(50)}
    graph.invoke({"files": files}, config, durability="sync")
    before = stored_items(admin, person)

    graph.invoke({"files": {"7.txt": "changed " * 100}}, config, durability="sync")

    assert stored_items(admin, person) - before <= 2
    assert graph.get_state(config).values["files"] == {**files, "7.txt": "changed " * 100}


def test_the_latest_checkpoint_is_the_latest_committed_whatever_its_id(saver: GovernedPostgresSaver) -> None:
    # given a checkpoint from a machine whose clock is ahead: its id sorts after everything that follows
    config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    ahead: Any = {**empty_checkpoint(), "id": "ffffffff-ffff-6fff-bfff-ffffffffffff"}
    stored = saver.put(config, ahead, {"step": 1}, {})

    after: Any = {**empty_checkpoint(), "id": "00000000-0000-6000-8000-000000000000"}
    saver.put(stored, after, {"step": 2}, {})

    latest = saver.get_tuple(config)
    assert latest is not None
    assert latest.metadata["step"] == 2
    assert [found.metadata["step"] for found in saver.list(config)] == [2, 1]
    assert [found.metadata["step"] for found in saver.list(config, before=latest.config)] == [1]


def test_metadata_that_json_cannot_hold_is_kept_and_filtered(saver: GovernedPostgresSaver) -> None:
    config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    odd: Any = {"source": "loop", "step": 1, "extra": {"raw": b"\x00", "nul": "a\x00b"}}
    saver.put(config, {**empty_checkpoint(), "id": "1"}, odd, {})
    saver.put(config, {**empty_checkpoint(), "id": "2"}, {"source": "input", "step": 2}, {})

    assert [found.metadata for found in saver.list(config, filter={"extra": odd["extra"]})] == [odd]
    assert [found.metadata["step"] for found in saver.list(config, filter={"source": "input"})] == [2]


def test_listing_pages_through_everything_and_reads_in_between(lakehouse: Database, person: Principal) -> None:
    # given more checkpoints than a page holds, and a single connection
    with saver_of(lakehouse, person, max_size=1) as saver:
        config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
        for n in range(120):
            saver.put(config, {**empty_checkpoint(), "id": f"{n:04}"}, {"step": n}, {})

        steps = []
        for found in saver.list(config):
            again = saver.get_tuple(found.config)
            assert again is not None
            steps.append(again.metadata["step"])

        assert steps == list(reversed(range(120)))
        assert len(list(saver.list(config, limit=70))) == 70


def test_pruning_gives_back_what_nothing_refers_to(
    saver: GovernedPostgresSaver, person: Principal, admin: psycopg.Connection
) -> None:
    def replace(_: Files) -> dict[str, Any]:
        return {"files": {"only.txt": str(uuid4()) * 10}}

    builder: Any = StateGraph(Files)
    graph = builder.add_node("n", replace).add_edge(START, "n").compile(checkpointer=saver)
    config = thread()
    for _ in range(4):
        graph.invoke({"files": {}}, config, durability="sync")
    before, values = stored_items(admin, person), graph.get_state(config).values

    saver.prune([config["configurable"]["thread_id"]])

    assert stored_items(admin, person) < before
    assert graph.get_state(config).values == values
    graph.invoke({"files": {}}, config, durability="sync")  # what this process remembered of positions is void
    assert len(list(saver.list(config))) == 4


@pytest.mark.parametrize("deleted_by", ["prune", "run"])
def test_content_that_another_process_pruned_away_is_stored_anew(
    lakehouse: Database, saver: GovernedPostgresSaver, person: Principal, deleted_by: str
) -> None:
    # given a process that remembers where the content of its first checkpoint is
    config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}

    def put(by: GovernedPostgresSaver, at: Any, text: str, version: int) -> Any:
        values = {"note": [text * 20], "kept": ["kept" * 20]}
        checkpoint: Any = {
            **empty_checkpoint(),
            "channel_values": values,
            "channel_versions": {"note": version, "kept": 1},
        }
        return by.put(at, checkpoint, {"run_id": text}, {"note": version})

    first = put(saver, config, "first", 1)
    with saver_of(lakehouse, person) as other:
        second = put(other, first, "second", 2)
        if deleted_by == "prune":
            other.prune([config["configurable"]["thread_id"]])
        else:
            other.delete_for_runs(["first"])

        put(saver, second, "first", 3)

        found = other.get_tuple(config)
        assert found is not None
        assert found.checkpoint["channel_values"] == {"note": ["first" * 20], "kept": ["kept" * 20]}


def test_a_deleted_thread_starts_anew(
    saver: GovernedPostgresSaver, person: Principal, admin: psycopg.Connection
) -> None:
    graph, config = echo_graph(saver), thread()
    graph.invoke(said("one"), config)
    saver.delete_thread(config["configurable"]["thread_id"])
    assert stored_items(admin, person) == 0

    graph.invoke(said("two"), config)

    assert texts(graph, config) == ["two", "you said two"]


def test_a_refused_copy_leaves_its_connection_fit_for_the_next(lakehouse: Database, person: Principal) -> None:
    """What the failed pipeline would have prepared after the failure is not there on the server."""
    with saver_of(lakehouse, person, max_size=1) as saver:
        for name in ("a", "b"):
            echo_graph(saver).invoke(said("one"), thread(name))
        for n in range(12):
            with pytest.raises(ThreadExistsError):
                saver.copy_thread("a", "b")
            saver.copy_thread("a", f"copy {n}")

        assert len(saver.sessions()) == 14


def test_threads_at_once_with_different_principals_never_mix(lakehouse: Database) -> None:
    people = [Principal(f"thread-{n}-{uuid4()}") for n in range(8)]
    config = thread("the same name for everybody")
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=3) as saver:
        graph = echo_graph(saver)

        def turn(n: int) -> list[str]:
            with acting_as(people[n % 8]):
                graph.invoke(said(f"I am {n % 8}"), config, durability="sync")
                return texts(graph, config)

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(turn, range(32)))

    for n, result in enumerate(results):
        assert {text for text in result if text.startswith("I am")} == {f"I am {n % 8}"}


async def test_tasks_at_once_with_different_principals_never_mix(lakehouse: Database) -> None:
    config = thread("the same name for everybody")
    async with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=3) as saver:
        graph = echo_graph(saver)

        async def turn(person: Principal) -> list[str]:
            with acting_as(person):
                await graph.ainvoke(said(f"I am {person.name}"), config, durability="sync")
                state = await graph.aget_state(config)
                return [message.text for message in state.values["messages"]]

        people = [Principal(f"task-{n}-{uuid4()}") for n in range(32)]
        results = await asyncio.gather(*map(turn, people))

    assert results == [[f"I am {p.name}", f"you said I am {p.name}"] for p in people]


async def test_one_saver_serves_both_kinds_of_caller(lakehouse: Database, person: Principal) -> None:
    config = thread()
    with saver_of(lakehouse, person) as saver:
        await echo_graph(saver).ainvoke(said("async on a saver entered with `with`"), config)
    async with saver_of(lakehouse, person) as saver:
        graph = echo_graph(saver)
        await asyncio.to_thread(graph.invoke, said("sync on a saver entered with `async with`"), config)
        with pytest.raises(WrongThreadError, match="ainvoke"):
            saver.get_tuple(config)
        state = await graph.aget_state(config)

    assert len(state.values["messages"]) == 4


@pytest.mark.parametrize("stream_mode", ["values", ["updates", "messages"]])
def test_parallel_nodes_write_as_whoever_runs_them(
    lakehouse: Database, admin: psycopg.Connection[Any], stream_mode: Any
) -> None:
    """LangGraph saves the writes of parallel tasks from callbacks, outside of the caller's context."""
    builder: Any = StateGraph(MessagesState)
    for name in ("a", "b", "c"):
        builder.add_node(name, echo).add_edge(START, name)
    default, other = Principal(f"default-{uuid4()}"), Principal(f"other-{uuid4()}")
    for default_principal in (None, default):
        with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, principal=default_principal) as saver:
            graph = builder.compile(checkpointer=saver, interrupt_after=["a", "b", "c"])
            config = thread()
            with acting_as(other):
                for _ in graph.stream(said("hi"), config, stream_mode=stream_mode, durability="sync"):
                    pass
                assert len(texts(graph, config)) == 4
            with acting_as(default):
                assert saver.get_tuple(config) is None
        by = "select owner, count(distinct task_id) >= 3 from mooring.writes where owner = any(%s) group by owner"
        assert admin.execute(by, [[other.name, default.name]]).fetchall() == [(other.name, True)]


def test_a_subgraph_that_goes_back_in_time_is_of_its_own_run(lakehouse: Database) -> None:
    inner = StateGraph(MessagesState).add_node("bot", echo).add_edge(START, "bot").compile()
    builder: Any = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner")
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver:
        graph, config = builder.compile(checkpointer=saver), thread()
        ada, ben = Principal(f"ada-{uuid4()}"), Principal(f"ben-{uuid4()}")
        # when many runs of somebody else's, in a thread of the same name, leave their addresses to later ones
        with acting_as(ben):
            graph.invoke(said("first"), config, durability="sync")
            start = list(graph.get_state_history(config))[-2]
        for n in range(10):
            with acting_as(ada):
                for _ in range(10):
                    graph.invoke(said(f"{n}"), config, durability="exit")
            with acting_as(ben):
                graph.invoke(None, start.config, durability="sync")
        with acting_as(ben):
            assert {m.text for m in graph.get_state(config).values["messages"]} == {"first", "you said first"}
