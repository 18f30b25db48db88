"""Many people at once, threads of one name, and the table of shares itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    acting_as,
)

if TYPE_CHECKING:
    from agent.database import Database

from tests.security.sharing.plans import ALICE, BOB, CAROL, SECRET, Plans

pytestmark = pytest.mark.usefixtures("unshared_afterwards")


def test_many_people_on_one_connection_see_what_is_theirs(
    saver: GovernedPostgresSaver, plans: Plans, group: str
) -> None:
    with acting_as(ALICE):
        saver.share(plans.name, f"group:{group}")
    people = [(BOB, True), (CAROL, False), (Principal("nobody"), False), (Principal("x", frozenset({group})), True)]

    def look(n: int) -> bool:
        who, expected = people[n % len(people)]
        with acting_as(who):
            return (SECRET in str(saver.get_tuple(plans.config))) is expected

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(64)))


def test_a_node_that_reaches_into_another_s_thread_of_the_same_name_stays_apart(
    saver: GovernedPostgresSaver, plans: Plans
) -> None:
    with acting_as(ALICE):
        saver.share(plans.name, "bob", "editor")
    inner = StateGraph(MessagesState).add_node("a", lambda _: {"messages": [AIMessage("inner")]}).add_edge(START, "a")
    hers: Any = inner.compile(checkpointer=saver)
    named: Any = {"configurable": {"thread_id": plans.name, "thread_owner": "alice"}}

    def reach(_: Any, config: RunnableConfig) -> dict[str, Any]:
        reached: Any = {"configurable": {**config["configurable"], **plans.config["configurable"]}}
        found = saver.get_tuple(reached)
        assert found is not None
        reached["configurable"]["checkpoint_id"] = found.checkpoint["id"]
        saver.put_writes(reached, [("messages", [AIMessage("reached", id="r")])], "reaching")
        hers.invoke({"messages": [("user", "from outside")]}, named, durability="sync")
        return {"messages": [AIMessage("outer")]}

    outer: Any = StateGraph(MessagesState)
    own = outer.add_node("a", reach).add_edge(START, "a").compile(checkpointer=saver)
    with acting_as(BOB):
        own.invoke({"messages": [("user", "go")]}, {"configurable": {"thread_id": plans.name}}, durability="sync")
        mine = saver.get_tuple(plans.own)
        assert mine is not None
        assert "inner" not in str(mine.checkpoint)
        saver.delete_thread(plans.name)


def test_shares_are_not_looked_at_for_one_s_own(lakehouse: Database, plans: Plans) -> None:
    query = "explain (analyze, costs off) select from mooring.threads where owner = 'alice' and thread_id = %s"
    with psycopg.connect(lakehouse.login("alice"), cursor_factory=psycopg.ClientCursor) as alice:
        plan = "\n".join(line for (line,) in alice.execute(query, [plans.name]).fetchall())
    assert "rows=1" in plan
    assert "never executed" in plan


def test_only_the_functions_write_shares(admin: psycopg.Connection[Any]) -> None:
    rows = admin.execute(
        "select grantee, privilege_type from information_schema.role_table_grants where table_schema = 'mooring'"
        " and table_name = 'shares' and grantee <> 'mooring_migrator' order by 1"
    ).fetchall()
    assert rows == [("mooring_service", "SELECT"), ("mooring_user", "SELECT")]
