"""The audit tells who did what with a thread, to whom it concerns; nobody changes it, and nobody escapes it."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import empty_checkpoint
from psycopg.conninfo import make_conninfo

from checkpointer import (
    GovernedPostgresSaver,
    Keyring,
    NotAuditorError,
    Principal,
    SchemaError,
    ThreadNotFoundError,
    ViewerError,
    acting_as,
    administration,
)
from tests.logins import login_as
from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

pytestmark = pytest.mark.usefixtures("unshared_afterwards")

ALICE, BOB, CAROL = Principal("alice"), Principal("bob"), Principal("carol")
TABLE = "select amount from {name}.sales"


@pytest.fixture
def saver(lakehouse: Database) -> Iterator[GovernedPostgresSaver]:
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as opened:
        yield opened


@pytest.fixture
def plans(saver: GovernedPostgresSaver) -> Iterator[str]:
    """A thread of alice's."""
    name = f"plans-{uuid4().hex[:8]}"
    with acting_as(ALICE):
        saver.put({"configurable": {"thread_id": name, "checkpoint_ns": ""}}, state(name), {"step": 0}, {"messages": 1})
        yield name
    for who in (ALICE, BOB):
        with acting_as(who):
            saver.delete_thread(name)


@pytest.fixture(params=[None, Keyring({"k": bytes(32)})], ids=["clear", "encrypted"])
def scene(lakehouse: Database, admin: psycopg.Connection[Any], request: pytest.FixtureRequest) -> Iterator[Scene]:
    with Scene(lakehouse, admin, encryption=request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def auditor(lakehouse: Database) -> Iterator[Principal]:
    """A person who is a member of the auditors' role."""
    assert lakehouse.superuser is not None
    assert lakehouse.admin is not None
    name = f"auditor_{uuid4().hex[:8]}"
    with psycopg.connect(lakehouse.superuser, autocommit=True) as admin:
        # One group for all who test at once on this database: a schema has one role of auditors.
        with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            admin.execute("create role auditors_of_tests")
        admin.execute("select pg_advisory_lock(73)")
        admin.execute(f"create role {name} login password 'secret' in role auditors_of_tests".encode())
        admin.execute("grant connect on database lakehouse to auditors_of_tests")
        GovernedPostgresSaver.migrate(
            lakehouse.admin, runtime_role="mooring_service", login_role="mooring_user", auditor_role="auditors_of_tests"
        )
        admin.execute("select pg_advisory_unlock(73)")
        yield Principal(name)
        admin.execute(f"drop role {name}".encode())


def state(text: str) -> Any:
    values = {"messages": [HumanMessage(text, id=f"h{text}"), AIMessage(text, id=f"a{text}")]}
    return {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}


def theirs(name: str, owner: str = "alice") -> Any:
    return {"configurable": {"thread_id": name, "checkpoint_ns": "", "thread_owner": owner}}


def acts(saver: GovernedPostgresSaver, who: Principal, name: str) -> list[tuple[str, str, str | None]]:
    """What somebody is told of a thread, oldest first: who did what, with whom."""
    with acting_as(who):
        return [(line.actor, line.act, line.counterpart) for line in reversed(saver.audit(thread_id=name))]


def lines_of(admin: psycopg.Connection[Any], name: str) -> list[Any]:
    query = "select a::text from mooring.audit a where thread_id = %s order by id"
    return admin.execute(query, [name]).fetchall()


def test_it_tells_who_opened_wrote_shared_exported_gave_away_and_deleted(
    saver: GovernedPostgresSaver, plans: str
) -> None:
    own: Any = {"configurable": {"thread_id": plans, "checkpoint_ns": ""}}
    with acting_as(ALICE):
        saver.share(plans, "bob")
        saver.share(plans, "group:analysts", "editor")
    with acting_as(BOB):
        for _ in range(3):
            saver.get_tuple(theirs(plans))
            list(saver.list(theirs(plans)))
        saver.export(theirs(plans))
        with pytest.raises(ViewerError):
            saver.run(theirs(plans)).acquire()
    with acting_as(Principal("carol", frozenset({"analysts"}))) as carol:
        with saver.run(theirs(plans)):
            stored = saver.put(theirs(plans), state("carol's"), {"step": 1}, {"messages": 2})
        saver.put_writes(stored, [("messages", ["x"])], "task")
        saver.put_writes(stored, [("messages", ["y"])], "another")
    with acting_as(ALICE):
        saver.get_tuple(own)
        with saver.run(own):
            pass
        saver.unshare(plans, "group:analysts")
        saver.transfer(plans, "bob")
    with acting_as(BOB):
        saver.delete_thread(plans)

    hers = [
        ("alice", "shared", "bob"),
        ("alice", "shared", "group:analysts"),
        ("bob", "opened", None),
        ("bob", "exported", None),
        ("carol", "wrote", None),
        ("alice", "wrote", None),
        ("alice", "unshared", "group:analysts"),
        ("alice", "transferred", "bob"),
    ]
    assert acts(saver, ALICE, plans) == hers
    assert acts(saver, carol, plans) == [("carol", "wrote", None)]
    assert acts(saver, BOB, plans) == [hers[0], hers[2], hers[3], hers[7], ("bob", "deleted", None)]
    assert acts(saver, Principal("nobody"), plans) == []


def test_an_editor_who_writes_without_a_lease_is_told_of_once_an_hour(
    saver: GovernedPostgresSaver, plans: str, admin: psycopg.Connection[Any]
) -> None:
    with acting_as(ALICE):
        saver.share(plans, "bob", "editor")
    with acting_as(BOB):
        stored = saver.put(theirs(plans), state("bobs"), {"step": 1}, {"messages": 2})
        saver.put_writes(stored, [("messages", ["x"])], "task")
    assert acts(saver, ALICE, plans)[1:] == [("bob", "wrote", None)]
    admin.execute("update mooring.audit set at = at - interval '61 minutes' where thread_id = %s", [plans])
    with acting_as(BOB):
        saver.put_writes(stored, [("messages", ["y"])], "another")
    assert acts(saver, ALICE, plans)[1:] == [("bob", "wrote", None), ("bob", "wrote", None)]


def test_what_was_withheld_is_told_once_a_reader_and_why(scene: Scene) -> None:
    scene.ask(TABLE)
    scene.run("revoke select on {name}.sales from {person}")
    for _ in range(3):
        scene.everything()

    with acting_as(scene.principal):
        [line] = scene.saver.audit(thread_id=scene.name, table=f"{scene.name}.sales")[:1]
        assert (line.actor, line.act, line.reason) == (scene.person, "withheld", "may not read")
        assert line.tables == [f"lakehouse.{scene.name}.sales"]
        assert [x.act for x in scene.saver.audit(thread_id=scene.name)].count("withheld") == 1
        scene.saver.share(scene.name, scene.colleague)
    scene.run(
        "grant usage on schema {name} to {colleague}",
        "grant select on {name}.sales to {colleague}, {person}",
        "alter table {name}.sales enable row level security",
        "create policy part on {name}.sales using (country = 'DE')",
    )
    with acting_as(Principal(scene.colleague)):
        list(scene.saver.list(theirs(scene.name, scene.person)))
    with acting_as(scene.principal):
        told = {line.act: line for line in scene.saver.audit(user=scene.colleague)}
        assert told.keys() == {"shared", "opened", "withheld"}
        assert (told["withheld"].reason, told["withheld"].owner) == ("reads it otherwise", scene.person)
        assert FIGURE not in str(scene.saver.audit())


def test_a_login_does_not_make_lines_up(scene: Scene, admin: psycopg.Connection[Any]) -> None:
    scene.ask(TABLE)
    before = lines_of(admin, scene.name)
    with psycopg.connect(scene.login(scene.person), autocommit=True) as own:
        threads = "select mooring.withheld(t.id, n) from mooring.threads t, generate_series(0, 1000) n"
        assert set(own.execute(threads.encode()).fetchall()) == {(None,)}
        for _ in range(3):
            own.execute("select mooring.opened('alice', thread_id) from mooring.threads")
    assert lines_of(admin, scene.name) == before


def test_each_query_tells_which_tables_it_read(scene: Scene, lakehouse: Database) -> None:
    scene.ask(TABLE)
    with acting_as(scene.principal):
        found = scene.saver.audit(table=f"lakehouse.{scene.name}.sales")
        [line] = found
        assert (line.actor, line.act, line.owner, line.thread_id) == (scene.person, "read", scene.person, scene.name)
        assert (line.statement or "?") in str(scene.saver.get_tuple(scene.config))
        assert scene.saver.audit(table="no.such.table") == []
        assert scene.saver.audit(table=f"{scene.name}.sales", since=timedelta(days=7)) == found
        assert scene.saver.audit(table="ales") == []


@pytest.mark.parametrize(
    "sources", [["a\x00b", "c.d.e", "\ud800"], "c.d.e", {"a": 1}, None, [["c"]], ["x" * 5000] * 500]
)
def test_a_tool_s_result_may_name_anything(saver: GovernedPostgresSaver, plans: str, sources: Any) -> None:
    message = ToolMessage("x", tool_call_id="call\x00", response_metadata={"sources": sources}, id="t")
    values = {"messages": [message]}
    checkpoint: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": {"messages": 2}}
    with acting_as(ALICE):
        saver.put({"configurable": {"thread_id": plans}}, checkpoint, {"step": 1}, {"messages": 2})
        latest = saver.get_tuple({"configurable": {"thread_id": plans}})
        assert latest is not None
        assert latest.checkpoint["channel_values"]["messages"] == [message]


def test_it_is_written_with_what_it_tells_or_neither_is(
    lakehouse: Database, saver: GovernedPostgresSaver, plans: str, admin: psycopg.Connection[Any]
) -> None:
    with psycopg.connect(lakehouse.runtime) as conn:
        conn.execute("select set_config('mooring.principal', 'alice', true)")
        conn.execute("select mooring.share(%s, 'bob', false, 'editor')", [plans])
        assert len(conn.execute("select from mooring.audit where thread_id = %s", [plans]).fetchall()) == 1
        conn.rollback()
    assert lines_of(admin, plans) == []
    with acting_as(ALICE):
        assert saver.shares(plans) == []


def test_a_reader_who_could_not_be_told_of_reads_nothing(
    lakehouse: Database, saver: GovernedPostgresSaver, plans: str
) -> None:
    with acting_as(ALICE):
        saver.share(plans, "bob")
    conninfo = make_conninfo(lakehouse.login("bob"), options="-c default_transaction_read_only=on")
    with psycopg.connect(conninfo) as bob, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        bob.execute("select * from mooring.get_parts('bob', '{}', null, 'alice', %s, '', null, null, '{}')", [plans])


@pytest.mark.parametrize("login", ["runtime", "bob", "auditor"])
@pytest.mark.parametrize(
    "statement",
    [
        "insert into mooring.audit (actor, act, owner, thread_id) values ('bob', 'wrote', 'bob', 'x')",
        "update mooring.audit set actor = 'carol'",
        "delete from mooring.audit",
        "truncate mooring.audit",
        "alter table mooring.audit disable row level security",
        "alter table mooring.threads disable trigger note_deleted",
        "drop table mooring.audit",
        "select mooring.note('wrote', 'alice', 1, 'x')",
        "select mooring.note_hourly('wrote', 'alice', 'x')",
        "select mooring.note_reads('alice', 1, 'x', '{a}', '{b}')",
        "create or replace function mooring.is_auditor() returns boolean language sql return true",
        "select * from mooring.broken_open()",
        "set session_replication_role = replica",
    ],
)
def test_nobody_but_the_schema_s_owner_changes_it(
    lakehouse: Database, plans: str, auditor: Principal, admin: psycopg.Connection[Any], login: str, statement: str
) -> None:
    lines = "select * from mooring.audit where thread_id in (%s, 'x') order by id"
    before = admin.execute(lines, [plans]).fetchall()
    conninfo = {
        "runtime": lakehouse.runtime,
        "bob": lakehouse.login("bob"),
        "auditor": login_as(lakehouse, auditor.name),
    }[login]
    with psycopg.connect(conninfo) as conn:
        if login == "runtime":
            conn.execute("select set_config('mooring.principal', 'bob', true)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())
    assert admin.execute(lines, [plans]).fetchall() == before


def test_an_administrator_s_pruning_is_told_of_as_well(
    lakehouse: Database, saver: GovernedPostgresSaver, plans: str, admin: psycopg.Connection[Any]
) -> None:
    with acting_as(ALICE):
        saver.put({"configurable": {"thread_id": f"{plans}-old"}}, state("old"), {"step": 0}, {"messages": 1})
    admin.execute("update mooring.threads set updated_at = 'epoch' where thread_id = %s", [f"{plans}-old"])
    assert lakehouse.admin is not None
    with administration.connect(lakehouse.admin) as administrator:
        from checkpointer import Retention

        gone = list(administrator.prune(Retention(ttl=timedelta(days=10_000))))
    assert f"{plans}-old" in [each.thread_id for each in gone]
    assert acts(saver, ALICE, f"{plans}-old") == [("mooring_migrator", "deleted", None)]


class TestAuditors:
    def test_read_all_of_it_and_others_do_not(
        self, lakehouse: Database, saver: GovernedPostgresSaver, plans: str, auditor: Principal
    ) -> None:
        with acting_as(ALICE):
            saver.share(plans, "bob")
        assert acts(saver, auditor, plans) == [("alice", "shared", "bob")]
        query = "select act from mooring.audit where thread_id = %s"
        with psycopg.connect(login_as(lakehouse, auditor.name)) as own:
            assert own.execute(query, [plans]).fetchall() == [("shared",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                own.execute("select from mooring.threads")
        with psycopg.connect(lakehouse.login("carol")) as carol:
            carol.execute("select set_config('mooring.principal', %s, false)", [auditor.name])
            assert carol.execute(query, [plans]).fetchall() == []

    def test_break_the_glass_of_any_session_and_the_audit_tells_before(self, scene: Scene, auditor: Principal) -> None:
        assert FIGURE in scene.ask(TABLE)
        saver, config = scene.saver, theirs(scene.name, scene.person)
        with acting_as(ALICE):
            saver.put({"configurable": {"thread_id": scene.name, "checkpoint_ns": ""}}, state("x"), {}, {"messages": 1})
        with acting_as(auditor):
            assert saver.get_tuple(config) is None
            session = saver.break_glass(scene.person, scene.name, reason="case 2026-113")
            assert (session.owner, session.thread_id) == (scene.person, scene.name)
            found = saver.get_tuple(config)
            assert FIGURE in str(found)
            for attempt in (
                lambda: saver.put(config, state("mine"), {"step": 9}, {"messages": 9}),
                lambda: saver.run(config).acquire(),
            ):
                with pytest.raises((ViewerError, ThreadNotFoundError)):
                    attempt()
            assert saver.get_tuple(theirs(scene.name, "alice")) is None
            scene.run(f"update mooring.audit set at = at - interval '61 seconds' where actor = '{auditor.name}'")
            assert saver.get_tuple(config) is None
        with acting_as(ALICE):
            saver.delete_thread(scene.name)
        with acting_as(scene.principal):
            line = scene.saver.audit(user=auditor.name)[-1]
            assert (line.act, line.reason, line.owner) == ("break glass", "case 2026-113", scene.person)

    @pytest.mark.parametrize("who", [BOB, ALICE, Principal("mooring_admin"), Principal("bob", frozenset({"auditors"}))])
    def test_nobody_else_breaks_it(self, saver: GovernedPostgresSaver, plans: str, who: Principal) -> None:
        with acting_as(who), pytest.raises(NotAuditorError):
            saver.break_glass("alice", plans, reason="curious")
        assert acts(saver, ALICE, plans) == []

    def test_a_bound_group_makes_no_auditor(
        self, saver: GovernedPostgresSaver, plans: str, auditor: Principal, admin: psycopg.Connection[Any]
    ) -> None:
        [(group,)] = admin.execute(
            "select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid"
            " join pg_roles p on p.oid = m.member where p.rolname = %s",
            [auditor.name],
        ).fetchall()
        with acting_as(Principal("bob", frozenset({group}))), pytest.raises(NotAuditorError):
            saver.break_glass("alice", plans, reason="curious")

    def test_an_attempt_at_a_session_that_is_not_there_is_told_of(
        self, saver: GovernedPostgresSaver, auditor: Principal
    ) -> None:
        name = f"no-such-{uuid4().hex[:8]}"
        with acting_as(auditor):
            with pytest.raises(ThreadNotFoundError):
                saver.break_glass("alice", name, reason="case 1")
            with pytest.raises(ValueError, match="why"):
                saver.break_glass("alice", name, reason=" ")
        assert acts(saver, ALICE, name) == [(auditor.name, "break glass", None)]

    def test_their_role_has_to_be_there(self, lakehouse: Database) -> None:
        assert lakehouse.admin is not None
        with pytest.raises(SchemaError, match="no_such_role"):
            GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", auditor_role="no_such_role")
