"""Who may read a thread: by every way, as themselves, while it is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from langgraph.graph import START, MessagesState, StateGraph

from checkpointer import (
    GovernedPostgresSaver,
    ViewerError,
    acting_as,
)

if TYPE_CHECKING:
    from agent.database import Database

from tests.security.sharing.plans import ALICE, BOB, CAROL, NOTHING, SECRET, Plans, rows_of, seen, state, writes_of

pytestmark = pytest.mark.usefixtures("unshared_afterwards")


class TestViewer:
    @pytest.fixture(autouse=True)
    def _shared(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "bob")

    def test_reads_it_by_every_way_until_it_is_unshared(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            hers = saver.get_tuple(plans.own)
        with acting_as(BOB):
            found = saver.get_tuple(plans.config)
            assert found is not None
            assert hers is not None
            assert found.checkpoint == hers.checkpoint
            assert found.pending_writes == hers.pending_writes
            assert found.config["configurable"]["thread_owner"] == "alice"
            assert saver.get_tuple(found.config) == found
            assert [t.checkpoint for t in saver.list(plans.config)] == [hers.checkpoint]
            assert [s.thread_id for s in saver.sessions(owner="alice")] == [plans.name]
            [share] = saver.shares()
            assert (share.owner, share.thread_id, share.shared_with, share.role) == (
                "alice",
                plans.name,
                "bob",
                "viewer",
            )
        assert SECRET not in seen(saver, CAROL, plans)

        with acting_as(ALICE):
            saver.unshare(plans.name, "bob")

        assert seen(saver, BOB, plans) == NOTHING
        with acting_as(BOB):
            assert saver.shares() == []

    def test_it_is_not_among_their_own(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(BOB):
            assert saver.get_tuple(plans.own) is None
            assert all(t.config["configurable"]["thread_id"] != plans.name for t in saver.list(None))
            assert saver.sessions(thread_id=plans.name) == []
            saver.put(plans.own, state("bobs"), {}, {"messages": 1})
            assert SECRET not in str(saver.get_tuple(plans.own))
            assert SECRET in str(saver.get_tuple(plans.config))
            saver.delete_thread(plans.name)
        with acting_as(ALICE):
            assert SECRET in str(saver.get_tuple(plans.own))

    @pytest.mark.parametrize(
        "way", ["put", "put at the start", "put the same", "put_writes", "an error", "a lease", "a forged lease"]
    )
    def test_writes_nothing_and_is_told_why(
        self, saver: GovernedPostgresSaver, plans: Plans, admin: psycopg.Connection[Any], way: str
    ) -> None:
        before = rows_of(admin, plans.thread)
        with acting_as(BOB):
            saver.get_tuple(plans.config)
            with pytest.raises(ViewerError, match="shared with you as a viewer"):
                writes_of(saver, plans)[way]()
        assert rows_of(admin, plans.thread) == before

    def test_a_run_is_refused_before_its_first_node(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        ran = []
        builder = StateGraph(MessagesState).add_node("bot", lambda _: ran.append(1))
        graph: Any = builder.add_edge(START, "bot").compile(checkpointer=saver)
        with acting_as(BOB), pytest.raises(ViewerError):
            graph.invoke({"messages": [("user", "hi")]}, plans.config, durability="sync")
        assert ran == []

    @pytest.mark.parametrize(
        "statement",
        [
            "update mooring.threads set title = 'mine' where id = %(thread)s",
            "update mooring.threads set ttl = '1 day' where id = %(thread)s",
            "update mooring.checkpoints set run_id = 'mine' where thread = %(thread)s",
            "update mooring.writes set channel = 'x' where thread = %(thread)s",
            "delete from mooring.threads where id = %(thread)s",
            "delete from mooring.items where thread = %(thread)s",
            "delete from mooring.checkpoints where thread = %(thread)s",
            "delete from mooring.writes where thread = %(thread)s",
            "select mooring.renew_lease('alice', %(thread)s, 0, 10)",
            "select mooring.release_lease('alice', %(thread)s, 0)",
            "select mooring.touch('alice', %(name)s, true, '1 day')",
            "select mooring.share(%(name)s, 'carol', false, 'editor')",
            "select mooring.unshare(%(name)s, 'bob', false)",
            "select mooring.transfer(%(name)s, 'bob')",
            "update mooring.threads set owner = 'bob' where id = %(thread)s",
            "update mooring.threads set fence = 99 where id = %(thread)s",
            "insert into mooring.shares values ('alice', %(thread)s, 'bob', false, 'editor')",
            "update mooring.shares set role = 'editor'",
            "delete from mooring.shares",
            "insert into mooring.checkpoints (owner, thread, seq, ns, checkpoint_id, metadata, refs, state)"
            " values ('alice', %(thread)s, 99, '', 'forged', '{}', '{}', '')",
            "insert into mooring.writes (owner, thread, ns, checkpoint_id, task_id, idx, channel, task_path, refs,"
            " value) values ('alice', %(thread)s, '', 'c', 't', 0, 'x', '', '{}', '')",
            "select mooring.copy_content('alice', %(name)s, 'copied', 'me')",
            "select mooring.store('bob', '{}', 'alice', %(name)s, null, null, 0, 0, null, null,"
            " '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '', null,"
            " '{}', '{}', '{}', '{}', '{}', '{}', false, false, 'forged', null, '{}', null, '')",
            "select mooring.take_lease('alice', %(name)s, 10, 'me', null)",
        ],
    )
    @pytest.mark.parametrize("login", ["the runtime role, for bob", "bob"])
    def test_changes_nothing_by_sql(
        self, lakehouse: Database, plans: Plans, admin: psycopg.Connection[Any], statement: str, login: str
    ) -> None:
        before, refused = rows_of(admin, plans.thread), None
        broker = login != "bob"
        with psycopg.connect(lakehouse.runtime if broker else lakehouse.login("bob")) as conn:
            if broker:
                conn.execute("select set_config('mooring.principal', 'bob', true)")
            try:
                conn.execute(statement.encode(), {"thread": plans.thread, "name": plans.name})
                conn.commit()
            except psycopg.errors.DatabaseError as error:
                refused = error.sqlstate
        assert refused in (None, "42501", "MRG03", "MRG04")
        assert rows_of(admin, plans.thread) == before

    def test_reads_it_by_sql_as_themselves_and_others_do_not(
        self, lakehouse: Database, plans: Plans, group: str
    ) -> None:
        query = "select message from mooring.contents where thread = %s"
        with psycopg.connect(lakehouse.login("bob"), autocommit=True) as bob:
            assert SECRET in str(bob.execute(query, [plans.thread]).fetchall())
            assert bob.execute("select grantee from mooring.shares where owner = 'alice'").fetchall() == [("bob",)]
        with psycopg.connect(lakehouse.login("carol"), autocommit=True) as carol:
            carol.execute("select set_config('mooring.principal', 'bob', false)")
            assert carol.execute(query, [plans.thread]).fetchall() == []
            assert carol.execute("select from mooring.shares").fetchall() == []
