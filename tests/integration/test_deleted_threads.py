"""A deleted thread stays deleted, whatever a run that is still going writes; a new run begins anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from checkpointer import GovernedPostgresSaver, Principal, StaleLeaseError, ThreadDeletedError
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database

TABLES = ("threads", "checkpoints", "items", "writes")


def extended(left: list[str], right: list[str]) -> list[str]:
    return left + right


class Said(TypedDict):
    said: Annotated[list[str], extended]


@pytest.fixture
def config() -> Any:
    return {"configurable": {"thread_id": str(uuid4())}}


@pytest.fixture
def elsewhere(lakehouse: Database, person: Principal) -> Iterator[GovernedPostgresSaver]:
    """The same person, in another process: another saver, which remembers nothing of what the first did."""
    with saver_of(lakehouse, person) as opened:
        yield opened


def graph_of(saver: Any, *nodes: Callable[[Said], Any]) -> Any:
    builder: Any = StateGraph(Said)
    before = START
    for number, node in enumerate(nodes):
        builder.add_node(str(number), node).add_edge(before, str(number))
        before = str(number)
    return builder.compile(checkpointer=saver)


def answer(_: Said) -> dict[str, Any]:
    return {"said": ["an answer of some length, " * 10]}


def deleting(saver: GovernedPostgresSaver, config: Any) -> Callable[[Said], Any]:
    def node(_: Said) -> dict[str, Any]:
        saver.delete_thread(config["configurable"]["thread_id"])
        return {"said": ["written after the deletion"]}

    return node


def rows_of(admin: psycopg.Connection, person: Principal) -> dict[str, int]:
    counts = {}
    for table in TABLES:
        found = admin.execute(f"select count(*) from mooring.{table} where owner = %s".encode(), [person.name])
        counts[table] = (found.fetchone() or (-1,))[0]
    return counts


NOTHING = dict.fromkeys(TABLES, 0)


def test_no_row_is_left_in_any_namespace(
    saver: GovernedPostgresSaver, person: Principal, admin: psycopg.Connection, config: Any
) -> None:
    # given checkpoints and pending writes in the namespaces of a graph and of its subgraph
    inner = graph_of(True, answer, answer)
    graph = graph_of(saver, answer, inner)
    graph.invoke({"said": ["hello"]}, config, interrupt_before=["1"], durability="sync")
    graph.invoke(None, config, durability="sync")
    namespaces = "select count(distinct ns) from mooring.checkpoints where owner = %s"
    assert admin.execute(namespaces, [person.name]).fetchone() == (2,)
    assert all(rows_of(admin, person).values())

    saver.delete_thread(config["configurable"]["thread_id"])

    assert rows_of(admin, person) == NOTHING


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_run_that_goes_on_brings_nothing_back(
    saver: GovernedPostgresSaver,
    elsewhere: GovernedPostgresSaver,
    person: Principal,
    admin: psycopg.Connection,
    config: Any,
    durability: str,
) -> None:
    graph_of(saver, answer).invoke({"said": ["first turn"]}, config)

    with pytest.raises(ThreadDeletedError, match="was deleted while this run was going"):
        graph_of(saver, deleting(elsewhere, config), answer).invoke({"said": ["x"]}, config, durability=durability)

    assert rows_of(admin, person) == NOTHING


async def test_nor_does_an_async_run_of_a_new_thread(
    lakehouse: Database,
    elsewhere: GovernedPostgresSaver,
    person: Principal,
    admin: psycopg.Connection,
    config: Any,
) -> None:
    async with saver_of(lakehouse, person) as saver:
        graph = graph_of(saver, answer, deleting(elsewhere, config), answer)
        with pytest.raises(ThreadDeletedError):
            await graph.ainvoke({"said": ["x"]}, config, durability="sync")

    assert rows_of(admin, person) == NOTHING


def test_nor_does_a_run_whose_own_saver_deletes_it(
    saver: GovernedPostgresSaver, person: Principal, admin: psycopg.Connection, config: Any
) -> None:
    with pytest.raises(ThreadDeletedError):
        graph_of(saver, answer, deleting(saver, config), answer).invoke({"said": ["x"]}, config, durability="sync")

    assert rows_of(admin, person) == NOTHING


def test_nor_does_a_subgraph_that_starts_after_the_deletion(
    saver: GovernedPostgresSaver,
    elsewhere: GovernedPostgresSaver,
    person: Principal,
    admin: psycopg.Connection,
    config: Any,
) -> None:
    inner = graph_of(True, answer)

    def delete_then_ask(state: Said) -> Any:
        elsewhere.delete_thread(config["configurable"]["thread_id"])
        return inner.invoke({"said": ["question"]})

    with pytest.raises(ThreadDeletedError):
        graph_of(saver, answer, delete_then_ask).invoke({"said": ["x"]}, config, durability="sync")

    assert rows_of(admin, person) == NOTHING


def test_a_run_under_a_lease_is_told_that_it_lost_it(
    saver: GovernedPostgresSaver,
    elsewhere: GovernedPostgresSaver,
    person: Principal,
    admin: psycopg.Connection,
    config: Any,
) -> None:
    graph = graph_of(saver, deleting(elsewhere, config), answer)
    with saver.run(config), pytest.raises(StaleLeaseError):
        graph.invoke({"said": ["x"]}, config, durability="sync")

    assert rows_of(admin, person) == NOTHING


@pytest.mark.parametrize("read", [False, True])
def test_a_late_write_does_not_end_up_in_a_new_conversation_of_the_same_name(
    saver: GovernedPostgresSaver, elsewhere: GovernedPostgresSaver, config: Any, read: bool
) -> None:
    other = graph_of(elsewhere, lambda _: {"said": ["a new answer"]})

    def delete_and_begin_anew(_: Said) -> dict[str, Any]:
        elsewhere.delete_thread(config["configurable"]["thread_id"])
        other.invoke({"said": ["a new question"]}, config)
        if read:  # the run's process then remembers the new conversation, and not the old one
            saver.get_tuple(config)
        return {"said": ["written after the deletion"]}

    with pytest.raises(ThreadDeletedError):
        graph_of(saver, delete_and_begin_anew, answer).invoke({"said": ["old"]}, config, durability="sync")

    said = [found.checkpoint["channel_values"].get("said") for found in saver.list(config)]
    assert said == [["a new question", "a new answer"], ["a new question"], None]
    assert all(not found.pending_writes or "written after" not in str(found) for found in saver.list(config))
    # and the saver whose run failed goes on in the new conversation
    graph_of(saver, lambda _: {"said": ["third"]}).invoke({"said": ["next"]}, config)
    state = graph_of(saver, answer).get_state(config)
    assert state.values["said"] == ["a new question", "a new answer", "next", "third"]


@pytest.mark.parametrize("by", ["the same saver", "another"])
@pytest.mark.parametrize("begun_anew", [False, True])
def test_outside_of_a_run_a_write_is_known_by_its_checkpoint(
    saver: GovernedPostgresSaver,
    elsewhere: GovernedPostgresSaver,
    person: Principal,
    admin: psycopg.Connection,
    config: Any,
    by: str,
    begun_anew: bool,
) -> None:
    config["configurable"]["checkpoint_ns"] = ""
    stored = saver.put(config, {**empty_checkpoint(), "id": "1"}, {"step": 1}, {})
    (saver if by == "the same saver" else elsewhere).delete_thread(config["configurable"]["thread_id"])
    if begun_anew:
        elsewhere.put(config, {**empty_checkpoint(), "id": "anew"}, {"step": 1}, {})
    before = rows_of(admin, person)

    with pytest.raises(ThreadDeletedError):
        saver.put(stored, {**empty_checkpoint(), "id": "2"}, {"step": 2}, {})
    with pytest.raises(ThreadDeletedError):
        saver.put_writes(stored, [("said", ["late"])], "task")

    assert rows_of(admin, person) == before


def test_a_parent_that_nobody_has_seen_is_looked_for(
    saver: GovernedPostgresSaver,
    elsewhere: GovernedPostgresSaver,
    person: Principal,
    admin: psycopg.Connection,
    config: Any,
) -> None:
    config["configurable"]["checkpoint_ns"] = ""
    stored = saver.put(config, {**empty_checkpoint(), "id": "1"}, {"step": 1}, {})
    elsewhere.put(stored, {**empty_checkpoint(), "id": "2"}, {"step": 2}, {})
    assert [found.checkpoint["id"] for found in saver.list(config)] == ["2", "1"]
    saver.delete_thread(config["configurable"]["thread_id"])

    unseen: Any = {"configurable": {**config["configurable"], "checkpoint_id": "unseen"}}
    with pytest.raises(ThreadDeletedError):
        elsewhere.put(unseen, {**empty_checkpoint(), "id": "3"}, {"step": 3}, {})

    assert rows_of(admin, person) == NOTHING
