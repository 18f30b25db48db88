"""One person's sessions are nothing to another: through the saver, through SQL of every role, on every table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from psycopg import sql

from checkpointer import GovernedPostgresSaver, Principal, acting_as
from tests.logins import login_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

ALICE, BOB = Principal("alice"), Principal("bob")
SECRET = f"secret-{uuid4()}"


@pytest.fixture
def shared_name(lakehouse: Database) -> Iterator[str]:
    """A thread of alice's, whose name bob knows."""
    name = f"plans-{uuid4()}"
    config: Any = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
    values = {"messages": [HumanMessage(SECRET, id="1"), AIMessage(SECRET, id="2")], "note": SECRET * 3}
    checkpoint: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver, acting_as(ALICE):
        stored = saver.put(config, checkpoint, {"run_id": name}, dict.fromkeys(values, 1))
        saver.put_writes(stored, [("messages", [AIMessage(SECRET, id="3")])], "task")
        yield name
        saver.delete_thread(name)


def governed_tables(admin: psycopg.Connection) -> list[str]:
    rows = admin.execute(
        "select relname::text from pg_class where relnamespace = 'mooring'::regnamespace and relkind in ('r', 'p')"
    )
    return [name for (name,) in rows]


def everything(conn: psycopg.Connection, but: tuple[str, ...] = ()) -> str:
    """All that a connection can read in tables and views, as text."""
    columns = conn.execute(
        "select c.relname::text, array_agg(a.attname::text) from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relnamespace = (select oid from pg_namespace where nspname = 'mooring')"
        " and c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped"
        " and has_column_privilege(c.oid, a.attnum, 'select') group by 1"
    ).fetchall()
    rows = []
    for table, names in columns:
        if table not in but:
            row = sql.SQL(", ").join(map(sql.Identifier, names))
            query = sql.SQL("select row({})::text from {}").format(row, sql.Identifier("mooring", table))
            rows += conn.execute(query).fetchall()
    return "\n".join(str(row[0]) for row in rows)


def test_the_saver_shows_and_changes_nothing_of_another_s_thread(lakehouse: Database, shared_name: str) -> None:
    config: Any = {"configurable": {"thread_id": shared_name, "checkpoint_ns": ""}}
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as saver:
        with acting_as(BOB):
            assert saver.get_tuple(config) is None
            assert list(saver.list(config)) == []
            assert all(found.config["configurable"]["thread_id"] != shared_name for found in saver.list(None))
            assert saver.sessions(thread_id=shared_name) == []
            saver.delete_for_runs([shared_name])
            saver.prune([shared_name], strategy="delete")
            saver.delete_thread(shared_name)
            saver.copy_thread(shared_name, "mine-now")
            assert saver.get_tuple({"configurable": {"thread_id": "mine-now"}}) is None
            saver.put(config, {**empty_checkpoint(), "id": "bobs"}, {"step": 9}, {})
            assert [found.checkpoint["id"] for found in saver.list(config)] == ["bobs"]
            saver.delete_thread(shared_name)
        with acting_as(ALICE):
            found = saver.get_tuple(config)
            assert found is not None
            assert found.checkpoint["channel_values"]["messages"][0].text == SECRET
            assert found.pending_writes is not None
            assert len(found.pending_writes) == 1


def test_every_table_is_governed(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "select relname::text, relrowsecurity and relforcerowsecurity,"
        " exists (select from pg_policy where polrelid = c.oid)"
        " from pg_class c where relnamespace = 'mooring'::regnamespace and relkind in ('r', 'p')"
    ).fetchall()

    assert rows
    assert [name for name, forced, has_policy in rows if not (forced and has_policy)] == []


def test_people_read_their_own_rows_with_sql_and_no_others(
    lakehouse: Database, shared_name: str, admin: psycopg.Connection
) -> None:
    with psycopg.connect(lakehouse.login("alice"), autocommit=True) as alice:
        assert SECRET in everything(alice)
    with psycopg.connect(lakehouse.login("bob"), autocommit=True) as bob:
        assert shared_name not in everything(bob)
        assert SECRET not in everything(bob)


@pytest.mark.parametrize(
    "attempt",
    [
        "set mooring.principal = 'alice'",
        "select set_config('mooring.principal', 'alice', false)",
        "set row_security = off",
        "set role mooring_service",
        "set role mooring_migrator",
        "set session authorization alice",
        "set search_path = mooring",
    ],
)
def test_a_person_s_login_cannot_become_somebody_else(
    lakehouse: Database, shared_name: str, admin: psycopg.Connection, attempt: str
) -> None:
    with psycopg.connect(lakehouse.login("bob"), autocommit=True) as bob:
        try:
            bob.execute(attempt.encode())
            seen = everything(bob)
        except psycopg.errors.InsufficientPrivilege:
            seen = ""
    assert shared_name not in seen
    assert SECRET not in seen


@pytest.mark.parametrize("statement", ["insert", "update", "delete", "truncate"])
def test_a_person_s_login_only_reads(
    lakehouse: Database, shared_name: str, admin: psycopg.Connection, statement: str
) -> None:
    somebody = f"somebody_{uuid4().hex[:8]}"
    admin.execute(f"create role {somebody} login password 'secret' in role mooring_user".encode())
    with psycopg.connect(login_as(lakehouse, somebody), autocommit=True) as own:
        for table in governed_tables(admin):
            name, column = sql.Identifier("mooring", table), sql.Identifier(column_of(admin, table))
            query = {
                "insert": sql.SQL("insert into {} ({}) values (null)").format(name, column),
                "update": sql.SQL("update {} set {} = null").format(name, column),
                "delete": sql.SQL("delete from {}").format(name),
                "truncate": sql.SQL("truncate {} cascade").format(name),
            }[statement]
            if lakehouse.embedded or statement in ("insert", "truncate"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    own.execute(query)
            else:  # on Lakebase a login stores the person's own sessions, and this one has none
                with suppress(psycopg.errors.InsufficientPrivilege):
                    assert own.execute(query).rowcount == 0, table
    admin.execute(f"drop role {somebody}".encode())


def column_of(admin: psycopg.Connection, table: str) -> str:
    row = admin.execute(
        "select attname::text from pg_attribute where attrelid = %s::regclass and attnum = 1", [f"mooring.{table}"]
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_the_runtime_role_unbound_sees_and_writes_nothing(
    lakehouse: Database, shared_name: str, admin: psycopg.Connection
) -> None:
    with psycopg.connect(lakehouse.runtime, autocommit=True) as service:
        assert everything(service, but=("migrations",)) == ""
        assert service.execute("delete from mooring.threads").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            service.execute("insert into mooring.threads (owner, thread_id) values ('alice', 'forged')")


def test_the_runtime_role_bound_to_one_writes_nothing_of_another(lakehouse: Database, shared_name: str) -> None:
    with psycopg.connect(lakehouse.runtime) as service:
        service.execute("select set_config('mooring.principal', 'bob', true)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            service.execute("insert into mooring.threads (owner, thread_id) values ('alice', 'forged')")


def test_a_child_row_cannot_be_put_under_another_s_thread(
    lakehouse: Database, shared_name: str, admin: psycopg.Connection
) -> None:
    row = admin.execute("select id from mooring.threads where thread_id = %s", [shared_name]).fetchone()
    assert row is not None
    with psycopg.connect(lakehouse.runtime) as service:
        service.execute("select set_config('mooring.principal', 'bob', true)")
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            service.execute(
                "insert into mooring.checkpoints (owner, thread, seq, ns, checkpoint_id, metadata, refs, state)"
                " values ('bob', %s, 99, '', 'forged', '{}', '{}', '')",
                [row[0]],
            )


@pytest.mark.parametrize("query", ["insert into mooring.items select", "update mooring.items set label_set = 0"])
def test_the_runtime_role_neither_adds_nor_changes_content_by_itself(lakehouse: Database, query: str) -> None:
    with psycopg.connect(lakehouse.runtime) as service, pytest.raises(psycopg.errors.InsufficientPrivilege):
        service.execute(query.encode())


def test_the_runtime_role_cannot_switch_the_policies_off(lakehouse: Database) -> None:
    with psycopg.connect(lakehouse.runtime) as service:
        service.execute("set local row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            service.execute("select from mooring.threads")


def test_the_owner_of_the_schema_reads_nobody_s_sessions(
    lakehouse: Database, shared_name: str, admin: psycopg.Connection
) -> None:
    assert lakehouse.admin is not None
    with psycopg.connect(lakehouse.admin, autocommit=True) as owner:
        assert SECRET not in everything(owner)


def test_the_principal_ends_with_its_operation(lakehouse: Database, shared_name: str) -> None:
    # given a pool of one connection, used for alice just before
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as saver:
        config: Any = {"configurable": {"thread_id": shared_name}}
        for person, expected in [(ALICE, True), (BOB, False), (ALICE, True), (Principal("nobody"), False)]:
            with acting_as(person):
                assert (saver.get_tuple(config) is not None) is expected
