"""Who may go on with a thread: as themselves, under the owner's lease, and never as its owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

from checkpointer import (
    GovernedPostgresSaver,
    StaleLeaseError,
    ThreadBusyError,
    ThreadNotFoundError,
    ViewerError,
    acting_as,
)
from checkpointer.addresses import Lease
from checkpointer.leases import _bound

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.database import Database

from tests.security.sharing.plans import ALICE, BOB, Plans, rows_of, state

pytestmark = pytest.mark.usefixtures("unshared_afterwards")


class TestEditor:
    @pytest.fixture(autouse=True)
    def _shared(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "bob")
            saver.share(plans.name, "bob", "editor")

    def test_goes_on_with_it_in_a_graph_and_the_owner_with_what_came_of_it(
        self, saver: GovernedPostgresSaver, plans: Plans
    ) -> None:
        builder = StateGraph(MessagesState).add_node(
            "bot", lambda s: {"messages": [AIMessage(f"{len(s['messages'])}")]}
        )
        graph: Any = builder.add_edge(START, "bot").compile(checkpointer=saver)
        for who, config in ((BOB, plans.config), (ALICE, plans.own), (BOB, plans.config)):
            named: Any = {"configurable": {k: v for k, v in config["configurable"].items() if k != "checkpoint_ns"}}
            with acting_as(who), saver.run(named):
                graph.invoke({"messages": [("user", f"{who.name} asks")]}, named, durability="sync")
                history = list(graph.get_state_history(named))
        with acting_as(ALICE):
            texts = [m.text for m in graph.get_state(plans.own).values["messages"]]
            assert texts[2:] == ["bob asks", "3", "alice asks", "5", "bob asks", "7"]
            assert len(list(graph.get_state_history(plans.own))) == len(history)
            assert all("thread_owner" not in (t.metadata or {}) for t in saver.list(plans.own))
        with acting_as(BOB):
            assert saver.get_tuple(plans.own) is None
            forked = graph.update_state(history[-1].config, {"messages": [("user", "fork")]})
            assert forked["configurable"]["thread_owner"] == "alice"

    def test_goes_on_with_it_asynchronously(self, lakehouse: Database, plans: Plans) -> None:
        async def go_on() -> None:
            async with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver:
                with acting_as(BOB):
                    async with saver.run(plans.config):
                        await saver.aput(
                            plans.at(plans.latest["configurable"]["checkpoint_id"]), state("bob"), {}, {"messages": 2}
                        )
                    assert "bob" in str(await saver.aget_tuple(plans.config))
                    [share] = await saver.ashares()
                    assert share.role == "editor"
                with acting_as(ALICE):
                    await saver.aunshare(plans.name, "bob")
                    await saver.ashare(plans.name, "carol")
                    await saver.atransfer(plans.name, "carol")
                    assert await saver.asessions(thread_id=plans.name) == []

        asyncio.run(go_on())

    def test_is_no_owner(self, saver: GovernedPostgresSaver, plans: Plans, admin: psycopg.Connection[Any]) -> None:
        before = rows_of(admin, plans.thread)
        with acting_as(BOB):
            attempts: tuple[Callable[[], Any], ...] = (
                lambda: saver.share(plans.name, "carol"),
                lambda: saver.transfer(plans.name, "bob2"),
                lambda: saver.rename(plans.name, "mine"),
                lambda: saver.set_retention(plans.name, None),
            )
            for attempt in attempts:
                with pytest.raises(ThreadNotFoundError):
                    attempt()
            saver.delete_thread(plans.name)
            saver.delete_for_runs([plans.name])
            saver.prune([plans.name])
            assert saver.expire([plans.name]) == []
        assert rows_of(admin, plans.thread) == before

    @pytest.mark.parametrize(
        "statement",
        [
            "update mooring.threads set title = 'mine' where id = %(thread)s",
            "update mooring.threads set keep_last = 1 where id = %(thread)s",
            "update mooring.threads set owner = 'bob' where id = %(thread)s",
            "update mooring.checkpoints set owner = 'bob' where thread = %(thread)s",
            "update mooring.checkpoints set owner = 'bob', thread = %(mine)s where thread = %(thread)s",
            "update mooring.writes set owner = 'bob', thread = %(mine)s where thread = %(thread)s",
            "update mooring.checkpoints set refs = '{}' where thread = %(thread)s",
            "update mooring.writes set refs = '{}' where thread = %(thread)s",
            "delete from mooring.threads where id = %(thread)s",
            "delete from mooring.items where thread = %(thread)s",
            "delete from mooring.checkpoints where thread = %(thread)s",
            "delete from mooring.writes where thread = %(thread)s",
            "insert into mooring.shares values ('alice', %(thread)s, 'carol', false, 'editor')",
            "select mooring.copy_content('alice', %(name)s, 'copied', 'me')",
            "insert into mooring.threads (owner, thread_id) values ('alice', 'forged')",
        ],
    )
    def test_the_runtime_role_cannot_make_them_one(
        self,
        lakehouse: Database,
        saver: GovernedPostgresSaver,
        plans: Plans,
        admin: psycopg.Connection[Any],
        statement: str,
    ) -> None:
        with acting_as(BOB):
            saver.put(plans.own, state("mine"), {}, {"messages": 1})
        query = "select id from mooring.threads where owner = 'bob' and thread_id = %s"
        [(mine,)] = admin.execute(query, [plans.name]).fetchall()
        before, refused = rows_of(admin, plans.thread), None
        with psycopg.connect(lakehouse.runtime) as conn:
            conn.execute("select set_config('mooring.principal', 'bob', true)")
            try:
                conn.execute(statement.encode(), {"thread": plans.thread, "mine": mine, "name": plans.name})
                conn.commit()
            except psycopg.errors.DatabaseError as error:
                refused = error.sqlstate
        assert refused in (None, "42501", "23503")
        assert rows_of(admin, plans.thread) == before
        admin.execute("delete from mooring.threads where id = %s", [mine])
        assert admin.execute("select from mooring.threads where thread_id = 'forged'").fetchall() == []

    @pytest.mark.parametrize("role", ["viewer", None])
    def test_loses_it_in_the_middle_of_a_run(self, saver: GovernedPostgresSaver, plans: Plans, role: Any) -> None:
        latest = plans.at(plans.latest["configurable"]["checkpoint_id"])
        with acting_as(BOB), saver.run(plans.config):
            latest = saver.put(latest, state("bobs"), {}, {"messages": 2})
            with acting_as(ALICE):
                if role:
                    saver.share(plans.name, "bob", role)
                else:
                    saver.unshare(plans.name, "bob")
            with pytest.raises(ViewerError if role else ThreadNotFoundError):
                saver.put(latest, state("more"), {}, {"messages": 3})

    def test_one_run_at_a_time_whoever_runs_it(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        for who, config, other, theirs in (
            (BOB, plans.config, ALICE, plans.own),
            (ALICE, plans.own, BOB, plans.config),
        ):
            with acting_as(who):
                held = saver.run(config)
                held.acquire()
            with acting_as(other), pytest.raises(ThreadBusyError):
                saver.run(theirs).acquire()
            with acting_as(ALICE), pytest.raises(ThreadBusyError):
                saver.transfer(plans.name, "carol")
            held.release()

    def test_a_lease_of_theirs_is_no_good_elsewhere(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(BOB):
            token = _bound.set({(saver._runner().place, "alice", plans.name): Lease(plans.thread, 12345)})
            try:
                with pytest.raises(StaleLeaseError):
                    saver.put(plans.config, state("forged"), {}, {"messages": 2})
            finally:
                _bound.reset(token)
