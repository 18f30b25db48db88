"""Who may open a saver, on which schema, as which role; and what it says when not."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from checkpointer import (
    DatabaseUnavailableError,
    GovernedPostgresSaver,
    NoPrincipalError,
    NotBelievedError,
    NotOpenError,
    Principal,
    PrincipalError,
    SchemaError,
    ThreadIdError,
    UnsafeRoleError,
    acting_as,
)
from tests.logins import login_as, saver_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database

CONFIG: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


@contextmanager
def schema_of(lakehouse: Database) -> Iterator[str]:
    """A schema of its own, dropped after."""
    name = f"odd schema {uuid4().hex[:8]}"
    try:
        yield name
    finally:
        assert lakehouse.admin is not None
        with psycopg.connect(lakehouse.admin, autocommit=True) as conn:
            conn.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))


def test_a_schema_that_is_not_there_names_the_command(lakehouse: Database) -> None:
    with pytest.raises(SchemaError, match="mooring db migrate"):
        GovernedPostgresSaver.from_conn_string(lakehouse.runtime, schema="nowhere").__enter__()


async def test_a_schema_that_is_not_there_names_the_command_to_async_callers(lakehouse: Database) -> None:
    with pytest.raises(SchemaError, match="mooring db migrate"):
        await GovernedPostgresSaver.from_conn_string(lakehouse.runtime, schema="nowhere").__aenter__()


def test_an_older_schema_names_the_command(lakehouse: Database, admin: psycopg.Connection) -> None:
    with schema_of(lakehouse) as schema:
        assert lakehouse.admin is not None
        GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=schema)
        admin.execute(sql.SQL("delete from {}").format(sql.Identifier(schema, "migrations")))

        with pytest.raises(SchemaError, match=r"is at version 0.*mooring db migrate"):
            GovernedPostgresSaver.from_conn_string(lakehouse.runtime, schema=schema).__enter__()


def test_a_schema_that_no_release_made_is_not_patched(lakehouse: Database, admin: psycopg.Connection) -> None:
    with schema_of(lakehouse) as schema:
        assert lakehouse.admin is not None
        GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=schema)
        admin.execute(sql.SQL("delete from {} where version = 2").format(sql.Identifier(schema, "migrations")))

        with pytest.raises(SchemaError, match="never released"):
            GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=schema)


def test_ten_migrations_at_once_give_one_schema(lakehouse: Database) -> None:
    assert lakehouse.admin is not None
    with schema_of(lakehouse) as schema:

        def migrate(_: int) -> list[str]:
            assert lakehouse.admin is not None
            return GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=schema)

        with ThreadPoolExecutor(10) as pool:
            applied = list(pool.map(migrate, range(10)))

        names = sorted(entry.name for entry in (files("checkpointer") / "sql" / "migrations").iterdir())
        assert sorted(name for each in applied for name in each) == names
        with GovernedPostgresSaver.from_conn_string(
            lakehouse.runtime, schema=schema, principal=Principal("p")
        ) as saver:
            assert saver.get_tuple(CONFIG) is None


def test_the_printed_sql_is_the_migration(lakehouse: Database) -> None:
    # given the SQL that an administrator was shown
    with schema_of(lakehouse) as schema:
        text = GovernedPostgresSaver.migration_sql(
            runtime_role="mooring_service", login_role="mooring_user", schema=schema
        )
        assert lakehouse.admin is not None
        with psycopg.connect(lakehouse.admin, autocommit=True) as conn:
            conn.execute(text.encode())

        with GovernedPostgresSaver.from_conn_string(
            lakehouse.runtime, schema=schema, principal=Principal("p")
        ) as saver:
            saver.setup()
        assert GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=schema) == []


def test_a_runtime_role_that_does_not_exist_is_named(lakehouse: Database) -> None:
    assert lakehouse.admin is not None
    with pytest.raises(SchemaError, match=r'CREATE ROLE "nobody here"'):
        GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="nobody here", schema="never")


def test_a_superuser_is_refused(lakehouse: Database) -> None:
    assert lakehouse.superuser is not None
    with pytest.raises(UnsafeRoleError, match=r"is superuser.*another role.*mooring db migrate"):
        GovernedPostgresSaver.from_conn_string(lakehouse.superuser).__enter__()


def test_the_owner_of_the_tables_is_refused(lakehouse: Database) -> None:
    assert lakehouse.admin is not None
    with pytest.raises(UnsafeRoleError, match=r"owns .*items"):
        GovernedPostgresSaver.from_conn_string(lakehouse.admin).__enter__()


@pytest.mark.parametrize("attribute", ["bypassrls", "member of the owner"])
def test_a_role_that_could_read_past_the_policies_is_refused(
    lakehouse: Database, admin: psycopg.Connection, attribute: str
) -> None:
    somebody = f"somebody_{uuid4().hex[:8]}"
    change, undo = {
        "bypassrls": ("alter role mooring_user bypassrls", "alter role mooring_user nobypassrls"),
        "member of the owner": (f"grant mooring_migrator to {somebody}", f"revoke mooring_migrator from {somebody}"),
    }[attribute]
    admin.execute(f"create role {somebody} login password 'secret' in role mooring_user; {change}".encode())
    try:
        with pytest.raises(UnsafeRoleError, match="REVOKE"):
            GovernedPostgresSaver.from_conn_string(login_as(lakehouse, somebody)).__enter__()
    finally:
        admin.execute(f"{undo}; drop role {somebody}".encode())


@pytest.mark.parametrize("thing", ["function mooring.principal()", "view mooring.contents"])
def test_the_owner_of_what_policies_hang_on_is_refused(
    lakehouse: Database, admin: psycopg.Connection, thing: str
) -> None:
    admin.execute(f"grant create on schema mooring to alice; alter {thing} owner to alice".encode())
    try:
        with pytest.raises(UnsafeRoleError, match=r"owns (principal|contents): .*a role that owns nothing"):
            GovernedPostgresSaver.from_conn_string(lakehouse.login("alice")).__enter__()
    finally:
        admin.execute(f"alter {thing} owner to mooring_migrator; revoke create on schema mooring from alice".encode())


def test_without_a_principal_every_call_is_refused(lakehouse: Database) -> None:
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver:
        calls: list[Callable[[], Any]] = [
            lambda: saver.get_tuple(CONFIG),
            lambda: saver.get(CONFIG),
            lambda: list(saver.list(None)),
            lambda: saver.put(CONFIG, {}, {}, {}),  # type: ignore[typeddict-item]
            lambda: saver.put_writes(CONFIG, [("a", 1)], "task"),
            lambda: saver.delete_thread("t"),
            lambda: saver.delete_for_runs(["r"]),
            lambda: saver.copy_thread("t", "u"),
            lambda: saver.prune(["t"]),
            lambda: saver.sessions(),
            lambda: saver.rename("t", "title"),
        ]
        for call in calls:
            with pytest.raises(NoPrincipalError, match="acting_as"):
                call()


def test_a_person_s_own_login_is_not_believed_about_others(lakehouse: Database) -> None:
    with GovernedPostgresSaver.from_conn_string(lakehouse.login("alice")) as saver:
        for read in (saver.sessions, lambda: saver.get_tuple(CONFIG), lambda: list(saver.list(CONFIG))):
            with acting_as(Principal("bob")), pytest.raises(NotBelievedError, match="bob"):
                read()
            with acting_as(Principal("alice")):
                read()


def test_a_saver_that_is_not_open_says_so(lakehouse: Database) -> None:
    saver = saver_of(lakehouse, Principal("p"))
    with pytest.raises(NotOpenError, match="with"):
        saver.get_tuple(CONFIG)


def test_a_database_that_is_away_is_said_to_be() -> None:
    saver = GovernedPostgresSaver.from_conn_string("host=127.0.0.1 port=1 dbname=x user=y password=s3cret", timeout=0.5)
    with pytest.raises(DatabaseUnavailableError) as refusal:
        saver.__enter__()
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("wrong", ["password", "dbname", "sslmode"])
async def test_a_database_that_refuses_is_not_waited_for(lakehouse: Database, wrong: str) -> None:
    # The embedded server has no TLS, and Lakebase takes nothing else.
    encryption = "require" if lakehouse.embedded else "disable"
    change = {"password": "s3cret", "dbname": "nowhere", "sslmode": encryption}[wrong]
    saver = GovernedPostgresSaver.from_conn_string(make_conninfo(lakehouse.runtime, **{wrong: change}))
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailableError, match="refuses the connection") as refusal:
        saver.__enter__()
    with pytest.raises(DatabaseUnavailableError, match="refuses the connection") as async_refusal:
        await saver.__aenter__()
    assert time.monotonic() - begun < 10
    for told in (refusal.value, async_refusal.value):
        assert "s3cret" not in str(told)
        assert isinstance(told.__cause__, psycopg.OperationalError)
        assert told.__cause__.pgconn is not None


def test_a_pool_without_a_free_connection_is_said_to_be_busy(lakehouse: Database, admin: psycopg.Connection) -> None:
    opened = saver_of(lakehouse, Principal("p"), max_size=1, timeout=1)
    with opened as saver, ThreadPoolExecutor(2) as threads:
        with admin.transaction():
            admin.execute("lock table mooring.threads")
            asked = [threads.submit(saver.sessions) for _ in range(2)]
            wait(asked, return_when=FIRST_COMPLETED)
        errors = [error for answer in asked if (error := answer.exception()) is not None]
    assert [type(error) for error in errors] == [DatabaseUnavailableError]
    assert "All connections to the sessions' database are in use" in str(errors[0])


@pytest.mark.parametrize("name", ["", "a\x00b", "\ud800", "x" * 256])
def test_what_is_no_name_is_no_principal(name: str) -> None:
    with pytest.raises(PrincipalError):
        Principal(name)


@pytest.mark.parametrize("thread_id", ["", None, "a\x00b", "\ud800", "x" * 1_000_000])
def test_a_thread_id_that_cannot_be_stored_is_refused(lakehouse: Database, thread_id: object) -> None:
    with saver_of(lakehouse, Principal("p")) as saver:
        with pytest.raises(ThreadIdError):
            saver.get_tuple({"configurable": {"thread_id": thread_id}})
        with pytest.raises(ThreadIdError):
            saver.get_tuple({"configurable": {}})


def test_what_starts_at_the_address_of_a_run_that_ended_is_not_of_its_principal(lakehouse: Database) -> None:
    """LangGraph's runtime objects tell runs apart by their address, which Python gives out again."""
    config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "__pregel_runtime": object()}}
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver:
        with acting_as(Principal("alice")):
            saver.get_tuple(config)
        with pytest.raises(NoPrincipalError):
            saver.get_tuple(config)
