"""Leases: one run at a time on a thread, and a run that lost its lease writes nothing more."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    StaleLeaseError,
    ThreadBusyError,
    acting_as,
)
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database

ALICE = Principal("alice")


def extended(left: list[str], right: list[str]) -> list[str]:
    return left + right


class State(TypedDict):
    said: Annotated[list[str], extended]


def graph_of(saver: GovernedPostgresSaver, node: Callable[[State], Any]) -> Any:
    builder: Any = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile(checkpointer=saver)


@pytest.fixture
def saver(lakehouse: Database) -> Iterator[GovernedPostgresSaver]:
    with saver_of(lakehouse, ALICE) as opened, acting_as(ALICE):
        yield opened


@pytest.fixture
def config() -> Any:
    return {"configurable": {"thread_id": f"lease-{uuid4().hex[:8]}"}}


def lease_until(conn: psycopg.Connection[Any], config: Any) -> tuple[Any, ...] | None:
    thread_id = config["configurable"]["thread_id"]
    sql = "select fence, lease_until > clock_timestamp() from mooring.threads where thread_id = %s"
    return conn.execute(sql, [thread_id]).fetchone()


def test_a_second_run_is_refused_until_the_first_is_over(saver: GovernedPostgresSaver, config: Any) -> None:
    with saver.run(config) as first:
        started = time.monotonic()
        with pytest.raises(ThreadBusyError, match="busy with another run"):
            started_elsewhere(saver, config)
        assert time.monotonic() - started < 1
        number = first.number
        graph_of(saver, lambda _: {"said": ["done"]}).invoke({"said": []}, config)
    with saver.run(config) as second:
        assert second.number > number


def test_whether_it_runs_is_told_to_whoever_sees_the_thread(
    lakehouse: Database, saver: GovernedPostgresSaver, config: Any
) -> None:
    assert not saver.is_running(config)
    with saver.run(config), GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as elsewhere:
        graph_of(saver, lambda _: {"said": ["done"]}).invoke({"said": []}, config)
        assert elsewhere.is_running(config)
        with acting_as(Principal("bob")):
            assert not elsewhere.is_running(config)
            assert not elsewhere.is_running({"configurable": {**config["configurable"], "thread_owner": "alice"}})
    assert not saver.is_running(config)


def test_a_second_run_waits_for_its_turn(saver: GovernedPostgresSaver, config: Any) -> None:
    order: list[str] = []
    inside = threading.Event()

    def first(_: State) -> Any:
        inside.set()
        time.sleep(0.3)
        order.append("first")
        return {"said": ["first"]}

    def second(_: State) -> Any:
        order.append("second")
        return {"said": ["second"]}

    def run(node: Callable[[State], Any], asked: str) -> Any:
        with acting_as(ALICE), saver.run(config, on_busy="wait"):
            return graph_of(saver, node).invoke({"said": [asked]}, config)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(run, first, "one")
        assert inside.wait(30)
        other = pool.submit(run, second, "two")
        assert one.result()["said"] == ["one", "first"]
        assert other.result()["said"] == ["one", "first", "two", "second"]
    assert order == ["first", "second"]


def test_without_leases_overlapping_runs_lose_a_reply_and_both_stay_in_history(
    saver: GovernedPostgresSaver, config: Any
) -> None:
    """As with LangGraph's own saver; what leases are for."""
    barrier = threading.Barrier(2)

    def node(_: State) -> Any:
        barrier.wait(30)
        return {"said": ["reply"]}

    def run(asked: str) -> Any:
        with acting_as(ALICE):
            return graph_of(saver, node).invoke({"said": [asked]}, config)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, ["one", "two"]))
    graph = graph_of(saver, node)
    assert len(graph.get_state(config).values["said"]) < 4
    everything = {text for state in graph.get_state_history(config) for text in state.values.get("said", [])}
    assert everything == {"one", "two", "reply"}


@pytest.mark.parametrize("parallel", [False, True])
def test_a_run_that_lost_its_lease_stores_nothing_more(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], config: Any, parallel: bool
) -> None:
    """Another run took over while this one was stalled: its late writes are refused, on worker threads as well."""

    def node(_: State) -> Any:
        admin.execute(
            "update mooring.threads set fence = fence + 1 where thread_id = %s", [config["configurable"]["thread_id"]]
        )
        return {"said": ["late"]}

    builder: Any = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge("node", END)
    builder.add_conditional_edges(START, lambda s: [Send("node", s)] * (2 if parallel else 1))
    graph = builder.compile(checkpointer=saver)
    with pytest.raises(StaleLeaseError), saver.run(config):
        graph.invoke({"said": ["asked"]}, config, durability="sync")
    state = graph.get_state(config)
    assert state.values == {"said": ["asked"]}
    assert [task.result for task in state.tasks] in ([None], [None, None])


def test_a_deleted_thread_does_not_come_back(saver: GovernedPostgresSaver, config: Any) -> None:
    thread_id = config["configurable"]["thread_id"]

    def node(_: State) -> Any:
        saver.delete_thread(thread_id)
        return {"said": ["late"]}

    with pytest.raises(StaleLeaseError), saver.run(config):
        graph_of(saver, node).invoke({"said": ["asked"]}, config, durability="sync")
    assert saver.sessions(thread_id=thread_id) == []


RUN = UUID(int=7)
CHANGES: dict[str, Callable[[GovernedPostgresSaver, str], Any]] = {
    "delete_thread": lambda saver, thread_id: saver.delete_thread(thread_id),
    "delete_for_runs": lambda saver, _: saver.delete_for_runs([str(RUN)]),
    "prune": lambda saver, thread_id: saver.prune([thread_id]),
    "prune all": lambda saver, thread_id: saver.prune([thread_id], strategy="delete"),
    "rename": lambda saver, thread_id: saver.rename(thread_id, "late"),
}


def acting(graph: Any, config: Any) -> None:
    with acting_as(ALICE):
        graph.invoke({"said": ["anew"]}, {**config, "run_id": RUN})


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("begun_anew", [False, True])
def test_a_run_that_lost_its_lease_changes_nothing_else_either(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], config: Any, change: str, begun_anew: bool
) -> None:
    thread_id = config["configurable"]["thread_id"]
    graph = graph_of(saver, lambda _: {"said": ["done"]})
    graph.invoke({"said": ["asked"]}, {**config, "run_id": RUN})
    stored = "select t.title, count(*) from mooring.threads t join mooring.checkpoints c on c.thread = t.id"
    stored += " where t.thread_id = %s group by t.title"
    with saver.run(config):
        CHANGES["rename"](saver, thread_id)  # its own run may
        if begun_anew:
            admin.execute("delete from mooring.threads where thread_id = %s", [thread_id])
            with ThreadPoolExecutor(1) as other:
                other.submit(acting, graph, config).result()
        else:
            admin.execute("update mooring.threads set fence = fence + 1 where thread_id = %s", [thread_id])
        before = admin.execute(stored, [thread_id]).fetchone()
        with pytest.raises(StaleLeaseError):
            CHANGES[change](saver, thread_id)
        assert admin.execute(stored, [thread_id]).fetchone() == before


def test_a_run_deletes_its_own_thread_as_often_as_it_likes(saver: GovernedPostgresSaver, config: Any) -> None:
    thread_id = config["configurable"]["thread_id"]
    graph_of(saver, lambda _: {"said": ["done"]}).invoke({"said": ["asked"]}, config)
    with saver.run(config):
        saver.delete_thread(thread_id)
        saver.delete_thread(thread_id)
        saver.prune([thread_id])
    assert saver.sessions(thread_id=thread_id) == []


@pytest.mark.parametrize("seconds", [-1, float("nan"), True, "10"], ids=repr)
def test_who_waits_says_how_long(saver: GovernedPostgresSaver, config: Any, seconds: Any) -> None:
    with pytest.raises(ValueError, match="wait_seconds is None or a number from 0 up, not"):
        saver.run(config, on_busy="wait", wait_seconds=seconds)


def test_a_lease_is_renewed_while_the_run_works(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], config: Any
) -> None:
    with saver.run(config, lease_seconds=0.3) as run:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert lease_until(admin, config) == (run.number, True)
            time.sleep(0.05)
        graph_of(saver, lambda _: {"said": []}).invoke({"said": []}, config)
    assert lease_until(admin, config) == (1, None)


@pytest.mark.parametrize(
    "seconds", [0, -1, 0.09, 3600.5, float("nan"), float("inf"), -float("inf"), True, "10", None], ids=repr
)
def test_a_lease_that_cannot_be_kept_is_refused(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], config: Any, seconds: Any
) -> None:
    with pytest.raises(ValueError, match=r"lease_seconds is a number from 0\.1 to 3600, not"):
        saver.run(config, lease_seconds=seconds)
    with saver.run(config, lease_seconds=3600) as run:
        assert lease_until(admin, config) == (run.number, True)


HOLD = """
import sys, time
from checkpointer import GovernedPostgresSaver, Principal, acting_as
with GovernedPostgresSaver.from_conn_string(sys.argv[1]) as saver, acting_as(Principal("alice")):
    with saver.run({"configurable": {"thread_id": sys.argv[2]}}, lease_seconds=float(sys.argv[3])):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize("known_dead", [True, False])
def test_a_killed_process_leaves_its_thread_to_the_next(
    saver: GovernedPostgresSaver,
    lakehouse: Database,
    admin: psycopg.Connection[Any],
    config: Any,
    known_dead: bool,
) -> None:
    """At once where the process is known to be gone, else when the lease has run out."""
    thread_id = config["configurable"]["thread_id"]
    seconds = "600" if known_dead else "1"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, lakehouse.runtime, thread_id, seconds],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ThreadBusyError), saver.run(config):
            pass
        holder.kill()
        holder.wait()
    if not known_dead:
        admin.execute("update mooring.threads set holder = 'elsewhere 1 1' where thread_id = %s", [thread_id])
    with saver.run(config, on_busy="reject" if known_dead else "wait", wait_seconds=10) as run:
        assert run.number == 2


def test_a_run_that_stores_nothing_leaves_nothing(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], config: Any
) -> None:
    with saver.run(config):
        assert saver.sessions(thread_id=config["configurable"]["thread_id"]) == []
    assert lease_until(admin, config) is None


def test_a_run_inside_a_run_is_the_same_one(saver: GovernedPostgresSaver, config: Any) -> None:
    with saver.run(config) as outer, saver.run(config) as inner:
        assert inner.number == outer.number
    with saver.run(config):
        pass


def test_somebody_else_s_thread_of_the_same_name_is_free(lakehouse: Database, config: Any) -> None:
    with (
        GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver,
        acting_as(ALICE),
        saver.run(config),
        acting_as(Principal("bob")),
        saver.run(config) as his,
    ):
        assert his.number == 1


async def test_async_runs(lakehouse: Database, config: Any) -> None:
    async with saver_of(lakehouse, ALICE) as saver:
        with acting_as(ALICE):
            turns: list[str] = []

            async def turn(name: str) -> None:
                async with saver.run(config, on_busy="wait", lease_seconds=1):
                    turns.append(name)
                    await graph_of(saver, lambda _: {"said": [name]}).ainvoke({"said": []}, config)
                    await asyncio.sleep(0.05)
                    turns.append(name)

            await asyncio.gather(*(turn(name) for name in "abc"))
            assert turns[0::2] == turns[1::2]
            state = await graph_of(saver, lambda _: {}).aget_state(config)
            assert sorted(state.values["said"]) == ["a", "b", "c"]
            async with saver.run(config):
                with pytest.raises(ThreadBusyError):
                    await asyncio.to_thread(started_elsewhere, saver, config)


def started_elsewhere(saver: GovernedPostgresSaver, config: Any) -> None:
    """Start a run as another request does, outside of the context of the first."""

    def run() -> None:
        with acting_as(ALICE), saver.run(config):
            pass

    with ThreadPoolExecutor(1) as other:
        other.submit(run).result()


def test_a_lease_is_of_one_schema(lakehouse: Database, saver: GovernedPostgresSaver, config: Any) -> None:
    schema = f"leases_{uuid4().hex[:8]}"
    assert lakehouse.admin is not None
    GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=schema)
    try:
        with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, schema=schema) as beside:
            graph = graph_of(beside, lambda _: {"said": ["hello"]})
            with saver.run(config):
                graph.invoke({"said": []}, config)
                with beside.run(config), ThreadPoolExecutor(1) as pool:
                    second = pool.submit(lambda: _entered(beside, config))
                    with pytest.raises(ThreadBusyError):
                        second.result()
    finally:
        with psycopg.connect(lakehouse.admin) as conn:
            conn.execute(f"drop schema {schema} cascade".encode())


def _entered(saver: GovernedPostgresSaver, config: Any) -> None:
    with acting_as(ALICE), saver.run(config):
        pass


async def test_a_run_that_is_cancelled_while_it_begins_holds_nothing(lakehouse: Database, config: Any) -> None:
    async def begin(saver: GovernedPostgresSaver) -> None:
        async with saver.run(config):
            await asyncio.sleep(60)

    async with saver_of(lakehouse, ALICE) as saver:
        with acting_as(ALICE):
            for milliseconds in range(20):
                task = asyncio.create_task(begin(saver))
                await asyncio.sleep(milliseconds / 1000)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                async with asyncio.timeout(5), saver.run(config, on_busy="wait"):
                    pass
