"""What others may do with a thread: nothing, read it, or go on with it, as themselves and while it is shared."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, MessagesState, StateGraph

from checkpointer import (
    GovernedPostgresSaver,
    NoPrincipalError,
    NotSharedError,
    Principal,
    StaleLeaseError,
    ThreadBusyError,
    ThreadDeletedError,
    ThreadHeldError,
    ThreadIdError,
    ThreadNotFoundError,
    ViewerError,
    acting_as,
    administration,
)
from checkpointer.addresses import Lease
from checkpointer.leases import _bound
from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database

pytestmark = pytest.mark.usefixtures("unshared_afterwards")

ALICE, BOB, CAROL = Principal("alice"), Principal("bob"), Principal("carol")
SECRET = f"secret-{uuid4()}"
TABLE = "select amount from {name}.sales"


@dataclass(frozen=True)
class Plans:
    """A thread of alice's, and how others name it."""

    name: str
    thread: int
    latest: Any

    @property
    def own(self) -> Any:
        return {"configurable": {"thread_id": self.name, "checkpoint_ns": ""}}

    @property
    def config(self) -> Any:
        return {"configurable": {"thread_id": self.name, "checkpoint_ns": "", "thread_owner": "alice"}}

    def at(self, checkpoint_id: str) -> Any:
        return {"configurable": {**self.config["configurable"], "checkpoint_id": checkpoint_id}}


@pytest.fixture
def saver(lakehouse: Database) -> Iterator[GovernedPostgresSaver]:
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as opened:
        yield opened


@pytest.fixture
def plans(saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]) -> Iterator[Plans]:
    name = f"plans-{uuid4().hex[:8]}"
    config: Any = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
    with acting_as(ALICE):
        stored = saver.put(config, state(SECRET), {"run_id": name, "step": 0}, {"messages": 1})
        saver.put_writes(stored, [("messages", [AIMessage(SECRET, id="3")])], "task")
    [(thread,)] = admin.execute("select id from mooring.threads where thread_id = %s", [name]).fetchall()
    yield Plans(name, thread, stored)
    admin.execute("delete from mooring.threads where id = %s", [thread])


@pytest.fixture
def group(admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A group that bob is a member of."""
    name = f"analysts_{uuid4().hex[:8]}"
    admin.execute(f"create role {name}; grant {name} to bob".encode())
    yield name
    admin.execute(f"drop role {name}".encode())


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        yield opened


def state(text: str) -> Any:
    values = {"messages": [HumanMessage(text, id=f"h{text[:4]}"), AIMessage(text, id=f"a{text[:4]}")]}
    return {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}


def rows_of(admin: psycopg.Connection[Any], thread: int) -> list[Any]:
    """Everything of a thread."""
    found: list[Any] = []
    for table in ("threads", "items", "checkpoints", "writes", "shares"):
        column = "id" if table == "threads" else "thread"
        query = f"select t::text from mooring.{table} t where {column} = %s order by 1"
        found.append(admin.execute(query.encode(), [thread]).fetchall())
    return found


def seen(saver: GovernedPostgresSaver, who: Principal, plans: Plans) -> str:
    """All that somebody gets to see of the plans."""
    with acting_as(who):
        return str(
            (
                saver.get_tuple(plans.config),
                saver.get_tuple(plans.at(plans.latest["configurable"]["checkpoint_id"])),
                list(saver.list(plans.config)),
                saver.get_delta_channel_history(config=plans.config, channels=["messages"]),
                saver.sessions(thread_id=plans.name, owner="alice"),
            )
        )


NOTHING = str((None, None, [], {"messages": {"writes": []}}, []))


def writes_of(saver: GovernedPostgresSaver, plans: Plans) -> dict[str, Callable[[], Any]]:
    """Every way to write to another's thread."""
    latest = plans.at(plans.latest["configurable"]["checkpoint_id"])
    same: Any = {**state("x"), "id": latest["configurable"]["checkpoint_id"]}

    def forged() -> None:
        token = _bound.set({(saver._runner().place, "alice", plans.name): Lease(plans.thread, 0)})
        try:
            saver.put(latest, state("forged"), {}, {"messages": 2})
        finally:
            _bound.reset(token)

    return {
        "put": lambda: saver.put(latest, state("mine"), {}, {"messages": 2}),
        "put at the start": lambda: saver.put(plans.config, state("mine"), {}, {"messages": 2}),
        "put the same": lambda: saver.put(plans.config, same, {}, {"messages": 1}),
        "put_writes": lambda: saver.put_writes(latest, [("messages", [AIMessage("w", id="9")])], "bobs"),
        "an error": lambda: saver.put_writes(latest, [("__error__", "no")], "task"),
        "a lease": lambda: saver.run(plans.config).acquire(),
        "a forged lease": forged,
    }


class TestStranger:
    @pytest.mark.parametrize("who", [BOB, CAROL, Principal("nobody"), Principal("bob", frozenset({"alice"}))])
    def test_reads_nothing_whether_it_is_there_or_not(
        self, saver: GovernedPostgresSaver, plans: Plans, who: Principal
    ) -> None:
        assert seen(saver, who, plans) == NOTHING
        assert seen(saver, who, Plans("no-such-thread", 0, plans.latest)) == NOTHING

    def test_writes_nothing_and_is_told_the_same_of_a_thread_that_does_not_exist(
        self, saver: GovernedPostgresSaver, plans: Plans, admin: psycopg.Connection[Any]
    ) -> None:
        before = rows_of(admin, plans.thread)
        missing = Plans(f"{plans.name}-not", 2**40, plans.latest)
        for (way, attempt), other in zip(
            writes_of(saver, plans).items(), writes_of(saver, missing).values(), strict=True
        ):
            told = []
            for attempted in (attempt, other):
                with acting_as(BOB), pytest.raises((ThreadNotFoundError, ThreadDeletedError)) as refused:
                    attempted()
                told.append((type(refused.value), str(refused.value).replace("-not'", "'")))
            assert told[0] == told[1], way
        assert rows_of(admin, plans.thread) == before
        assert admin.execute("select from mooring.threads where thread_id = %s", [missing.name]).fetchall() == []

    def test_cannot_share_give_away_copy_or_delete_it(
        self, saver: GovernedPostgresSaver, plans: Plans, admin: psycopg.Connection[Any]
    ) -> None:
        before = rows_of(admin, plans.thread)
        with acting_as(BOB):
            for attempt in (
                lambda: saver.share(plans.name, "carol"),
                lambda: saver.unshare(plans.name, "carol"),
                lambda: saver.shares(plans.name),
                lambda: saver.transfer(plans.name, "carol"),
                lambda: saver.rename(plans.name, "mine"),
            ):
                with pytest.raises(ThreadNotFoundError):
                    attempt()
            saver.copy_thread(plans.name, "copied")
            assert saver.sessions(thread_id="copied") == []
            saver.delete_thread(plans.name)
            assert saver.shares() == []
        assert rows_of(admin, plans.thread) == before

    def test_nobody_bound_gets_nowhere(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with pytest.raises(NoPrincipalError):
            saver.get_tuple(plans.config)

    @pytest.mark.parametrize("owner", ["alice\x00", "\ud800"])
    def test_an_owner_that_nobody_can_be_is_refused(self, saver: GovernedPostgresSaver, owner: str) -> None:
        with acting_as(BOB), pytest.raises(ThreadIdError):
            saver.get_tuple({"configurable": {"thread_id": "x", "thread_owner": owner}})

    @pytest.mark.parametrize("owner", ["' or true --", "alice'", "ALICE", "alice ", "%", "*", ["alice"], {"alice"}, 1])
    def test_an_owner_is_an_address_that_is_taken_to_the_letter(
        self, saver: GovernedPostgresSaver, plans: Plans, owner: Any
    ) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "bob")
        config: Any = {"configurable": {"thread_id": plans.name, "thread_owner": owner}}
        with acting_as(BOB):
            assert saver.get_tuple(config) is None
            assert list(saver.list(config)) == []


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
        self, lakehouse: Database, plans: Plans, admin: psycopg.Connection[Any], statement: str
    ) -> None:
        before, refused = rows_of(admin, plans.thread), None
        with psycopg.connect(lakehouse.runtime) as conn:
            conn.execute("select set_config('mooring.principal', 'bob', true)")
            try:
                conn.execute(statement.encode(), {"thread": plans.thread, "name": plans.name})
                conn.commit()
            except psycopg.errors.DatabaseError as error:
                refused = error.sqlstate
        assert refused in (None, "42501", "23503")
        assert rows_of(admin, plans.thread) == before
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


class TestGroup:
    def test_members_have_it_until_they_are_members_no_longer(
        self,
        saver: GovernedPostgresSaver,
        plans: Plans,
        group: str,
        admin: psycopg.Connection[Any],
        lakehouse: Database,
    ) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, f"group:{group}")
        query = "select message from mooring.contents where thread = %s"
        with psycopg.connect(lakehouse.login("bob"), autocommit=True) as bob:
            assert SECRET in seen(saver, BOB, plans)
            assert SECRET in str(bob.execute(query, [plans.thread]).fetchall())
            assert seen(saver, CAROL, plans) == NOTHING
            with acting_as(BOB):
                assert [s.shared_with for s in saver.shares()] == [f"group:{group}"]

            admin.execute(f"revoke {group} from bob".encode())

            assert seen(saver, BOB, plans) == NOTHING
            assert bob.execute(query, [plans.thread]).fetchall() == []

    def test_a_group_inside_of_a_group_and_one_that_is_dropped(
        self, saver: GovernedPostgresSaver, plans: Plans, group: str, admin: psycopg.Connection[Any]
    ) -> None:
        outer = f"{group}_all"
        admin.execute(f"create role {outer}; grant {outer} to {group}".encode())
        with acting_as(ALICE):
            saver.share(plans.name, f"group:{outer}", "editor")
        with acting_as(BOB):
            saver.put_writes(plans.at(plans.latest["configurable"]["checkpoint_id"]), [("messages", ["x"])], "bobs")
        admin.execute(f"drop role {outer}".encode())
        assert seen(saver, BOB, plans) == NOTHING

    def test_groups_that_the_runtime_binds_are_believed_for_one_operation(
        self, saver: GovernedPostgresSaver, plans: Plans
    ) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:the analysts, {all}")
        for groups, expected in (({"the analysts, {all}"}, True), ({"the analysts"}, False), (set(), False)):
            found = seen(saver, Principal("carol", frozenset(groups)), plans)
            assert (SECRET in found) is expected

    def test_a_login_claims_no_group(self, lakehouse: Database, plans: Plans, saver: GovernedPostgresSaver) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:analysts")
        with psycopg.connect(lakehouse.login("bob"), autocommit=True, options="-c mooring.groups={analysts}") as bob:
            bob.execute("select set_config('mooring.groups', '{analysts}', false)")
            assert bob.execute("select from mooring.threads where id = %s", [plans.thread]).fetchall() == []
            query = "select * from mooring.get_parts('bob', '{analysts}', null, 'alice', %s, '', null, null, '{}')"
            assert bob.execute(query, [plans.name]).fetchall() == []
            assert bob.execute("select from mooring.shares").fetchall() == []

    def test_a_person_of_a_group_s_name_is_not_its_member(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:bob")
            saver.share(plans.name, "analysts")
        assert seen(saver, BOB, plans) == NOTHING
        assert seen(saver, Principal("group:bob"), plans) == NOTHING
        assert seen(saver, Principal("carol", frozenset({"analysts"})), plans) == NOTHING

    def test_nobody_bound_is_in_no_group(self, lakehouse: Database, plans: Plans, saver: GovernedPostgresSaver) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:analysts")
        with psycopg.connect(lakehouse.runtime) as conn:
            conn.execute("select set_config('mooring.groups', '{analysts}', true)")
            assert conn.execute("select from mooring.threads where id = %s", [plans.thread]).fetchall() == []


class TestLabels:
    def test_a_viewer_reads_what_they_may_read_themselves(self, scene: Scene) -> None:
        assert FIGURE in scene.ask(TABLE)
        config: Any = {"configurable": {"thread_id": scene.name, "thread_owner": scene.person}}
        with acting_as(scene.principal):
            scene.saver.share(scene.name, scene.colleague)
        seen = self._read_by(scene, config)
        assert "withheld" in seen
        assert FIGURE not in seen

        scene.run("grant usage on schema {name} to {colleague}", "grant select on {name}.sales to {colleague}")
        assert FIGURE in self._read_by(scene, config)

        scene.run(
            "alter table {name}.sales enable row level security",
            "create policy whole on {name}.sales to {person} using (true)",
            "create policy part on {name}.sales to {colleague} using (country = 'DE')",
        )
        assert FIGURE not in self._read_by(scene, config)
        with acting_as(scene.principal):
            assert FIGURE in str(scene.saver.get_tuple(scene.config))

    def test_what_an_editor_found_is_withheld_from_an_owner_who_may_not_read_it(self, scene: Scene) -> None:
        # given an owner who sees the German rows, and a colleague who sees all
        scene.run(
            "grant usage on schema {name} to {colleague}",
            "grant select on {name}.sales to {colleague}",
            "alter table {name}.sales enable row level security",
            "create policy part on {name}.sales to {person} using (country = 'DE')",
            "create policy whole on {name}.sales to {colleague} using (true)",
        )
        assert FIGURE not in scene.ask(TABLE)
        with acting_as(scene.principal):
            scene.saver.share(scene.name, scene.colleague, "editor")

        assert FIGURE in scene.ask(TABLE, scene.colleague, scene.person)

        for way, found in scene.everything().items():
            assert FIGURE not in str(found), way
        scene.model.prompts.clear()
        assert FIGURE not in scene.ask("select 1")
        assert FIGURE not in str(scene.model.prompts)
        config: Any = {"configurable": {"thread_id": scene.name, "thread_owner": scene.person}}
        assert FIGURE in self._read_by(scene, config)

    def test_labels_stay_what_they_are_when_it_is_given_away(self, scene: Scene) -> None:
        assert FIGURE in scene.ask(TABLE)
        with acting_as(scene.principal):
            scene.saver.transfer(scene.name, scene.colleague)
        assert FIGURE not in self._read_by(scene, scene.config)
        scene.run("grant usage on schema {name} to {colleague}", "grant select on {name}.sales to {colleague}")
        assert FIGURE in self._read_by(scene, scene.config)

    def test_equal_content_of_two_people_is_labelled_for_each(self, scene: Scene) -> None:
        # given content that is labelled when it is stored, as its writer sees the table
        scene.run(
            "grant usage on schema {name} to {colleague}",
            "grant select on {name}.sales to {colleague}",
            "alter table {name}.sales enable row level security",
            "create policy whole on {name}.sales to {person} using (true)",
            "create policy part on {name}.sales to {colleague} using (country = 'NL')",
        )
        config: Any = {"configurable": {"thread_id": scene.name, "checkpoint_ns": ""}}
        theirs: Any = {"configurable": {**config["configurable"], "thread_owner": scene.person}}
        text = f"a guess: {FIGURE} {FIGURE} {FIGURE} {FIGURE} {FIGURE} {FIGURE}"
        source = f"lakehouse.{scene.name}.sales"

        def sources_of(value: Any) -> list[str]:
            return [source] if FIGURE in str(value) else []

        runtime = scene.lakehouse.runtime
        with GovernedPostgresSaver.from_conn_string(runtime, sources_of=sources_of) as saver:
            with acting_as(scene.principal):
                saver.put(config, state(text), {"step": 0}, {"messages": 1})
                saver.share(scene.name, scene.colleague, "editor")
            with acting_as(Principal(scene.colleague)):
                assert FIGURE not in str(saver.get_tuple(theirs))
                saver.put(theirs, state(text), {"step": 1}, {"messages": 2})
                assert FIGURE in str(saver.get_tuple(theirs))
            with acting_as(scene.principal):
                assert FIGURE not in str(saver.get_tuple(config))

    def _read_by(self, scene: Scene, config: Any) -> str:
        saver, query = scene.saver, "select * from mooring.contents order by thread, position"
        with (
            acting_as(Principal(scene.colleague)),
            psycopg.connect(scene.login(scene.colleague), autocommit=True) as own,
        ):
            latest = saver.get_tuple(config)
            assert latest is not None
            return str((latest, list(saver.list(config)), own.execute(query).fetchall()))


class TestOwner:
    def test_lists_and_takes_back_what_is_shared(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "bob")
            saver.share(plans.name, "group:analysts", "editor")
            saver.share(plans.name, "bob", "editor")
            assert [(s.shared_with, s.role) for s in saver.shares(plans.name)] == [
                ("bob", "editor"),
                ("group:analysts", "editor"),
            ]
            saver.unshare(plans.name, "group:analysts")
            with pytest.raises(NotSharedError):
                saver.unshare(plans.name, "group:bob")
            assert [s.shared_with for s in saver.shares(plans.name)] == ["bob"]

    @pytest.mark.parametrize(
        ("with_", "role"),
        [("", "viewer"), ("alice", "viewer"), ("group:", "viewer"), ("x\x00", "viewer"), ("bob", "owner")],
    )
    def test_is_told_with_whom_a_thread_cannot_be_shared(
        self, saver: GovernedPostgresSaver, plans: Plans, with_: str, role: Any
    ) -> None:
        with acting_as(ALICE), pytest.raises(ValueError, match=r"name|role|owner"):
            saver.share(plans.name, with_, role)

    def test_gives_it_away_with_all_that_is_in_it(
        self, saver: GovernedPostgresSaver, plans: Plans, admin: psycopg.Connection[Any]
    ) -> None:
        before = rows_of(admin, plans.thread)
        with acting_as(ALICE):
            saver.share(plans.name, "bob", "editor")
            saver.share(plans.name, "group:analysts")
            saver.transfer(plans.name, "bob")
            assert saver.get_tuple(plans.own) is None
            assert saver.get_tuple({"configurable": {"thread_id": plans.name, "thread_owner": "bob"}}) is None
            with pytest.raises(ThreadDeletedError):
                saver.put(plans.latest, state("late"), {}, {"messages": 2})
        with acting_as(BOB):
            found = saver.get_tuple(plans.own)
            assert found is not None
            assert SECRET in str(found.checkpoint)
            assert SECRET in str(found.pending_writes)
            assert [(s.owner, s.shared_with) for s in saver.shares(plans.name)] == [("bob", "group:analysts")]
        assert list(map(len, rows_of(admin, plans.thread)))[:4] == list(map(len, before))[:4]

    def test_whoever_gets_it_keeps_their_own_of_that_name(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(BOB):
            saver.put(plans.own, state("bobs"), {}, {"messages": 1})
        with acting_as(ALICE):
            saver.transfer(plans.name, "bob")
        with acting_as(BOB):
            assert "bobs" in str(saver.get_tuple(plans.own))
            [given] = [s.thread_id for s in saver.sessions() if s.thread_id.startswith(f"{plans.name}-")]
            assert SECRET in str(saver.get_tuple({"configurable": {"thread_id": given}}))
            saver.delete_thread(plans.name)

    @pytest.mark.parametrize("to", ["alice", "", "group:analysts", "x\x00"])
    def test_is_told_to_whom_it_cannot_be_given(self, saver: GovernedPostgresSaver, plans: Plans, to: str) -> None:
        with acting_as(ALICE), pytest.raises(ValueError, match=r"yours|name|group"):
            saver.transfer(plans.name, to)

    def test_a_name_that_has_no_room_is_cut(self, saver: GovernedPostgresSaver) -> None:
        long: Any = {"configurable": {"thread_id": "é" * 500, "checkpoint_ns": ""}}
        for who in (ALICE, BOB):
            with acting_as(who):
                saver.put(long, state(who.name), {}, {"messages": 1})
        with acting_as(ALICE):
            saver.transfer("é" * 500, "bob")
        with acting_as(BOB):
            for found in saver.sessions():
                if found.thread_id.startswith("é"):
                    assert saver.get_tuple({"configurable": {"thread_id": found.thread_id}}) is not None
                    saver.delete_thread(found.thread_id)

    def test_keeps_what_is_held(self, saver: GovernedPostgresSaver, plans: Plans, lakehouse: Database) -> None:
        assert lakehouse.admin is not None
        with administration.connect(lakehouse.admin) as administrator:
            administrator.hold("alice", plans.name, reason="a case")
            try:
                with acting_as(ALICE), pytest.raises(ThreadHeldError):
                    saver.transfer(plans.name, "bob")
            finally:
                administrator.release("alice", plans.name)

    def test_shares_go_with_the_thread(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "bob")
            saver.delete_thread(plans.name)
            saver.put(plans.own, state("anew"), {}, {"messages": 1})
        assert seen(saver, BOB, plans) == NOTHING
        with acting_as(ALICE):
            saver.delete_thread(plans.name)


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
