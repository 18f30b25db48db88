"""What a person's login on the embedded server cannot do: write, create, become another, reach files or settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from agent.local import UnknownLoginError

if TYPE_CHECKING:
    from agent.database import Database

pytestmark = pytest.mark.embedded

PEOPLE = ("alice", "bob", "carol")
SUPERUSERS_OWN = [
    # rows
    "insert into bakehouse.reviews values (9999, 1, 5, 'x', '2025-01-01')",
    "update bakehouse.franchises set size = 'large'",
    "delete from hr.salaries",
    "truncate bakehouse.transactions",
    "merge into hr.employees e using (select 1 as id) s on e.employee_id = s.id when matched then delete",
    "select from bakehouse.franchises for update",
    # objects
    "create table public.t ()",
    "create table bakehouse.t ()",
    "create table mooring.t ()",
    "create temporary table t ()",
    "create view bakehouse.v as select 1",
    "create function public.f() returns int language sql return 1",
    "create schema s",
    "create database d",
    "create role r",
    "create publication p",
    "create event trigger e on ddl_command_start execute function suppress_redundant_updates_trigger()",
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'x')",
    "drop table bakehouse.reviews",
    "drop schema mooring cascade",
    # other roles
    "set role postgres",
    "set role mooring_service",
    "set role mooring_migrator",
    "set role lakehouse_owner",
    "select set_config('role', 'lakehouse_owner', false)",
    "set session authorization mooring_service",
    "grant lakehouse_owner to mooring_user",
    "grant pg_read_all_data to current_user",
    "reassign owned by lakehouse_owner to current_user",
    # one's own attributes
    "alter role current_user superuser",
    "alter role current_user bypassrls",
    "alter role current_user createrole",
    "alter role current_user createdb",
    "alter role current_user replication",
    "alter role current_user connection limit 1000",
    "alter role mooring_service password 'x'",
    "alter role postgres set row_security = off",
    # secrets, files and programs
    "table pg_authid",
    "table pg_user_mapping",
    "table pg_hba_file_rules",
    "table pg_statistic",
    "select pg_read_file('/etc/passwd')",
    "select pg_read_binary_file('postgresql.conf')",
    "select pg_ls_dir('/')",
    "select pg_stat_file('/etc/passwd')",
    "select pg_ls_logdir()",
    "select lo_import('/etc/passwd')",
    "copy (select 1) to program 'id'",
    "copy (select 1) to '/tmp/mooring-attack'",
    "copy bakehouse.reviews from program 'id'",
    # policies and settings
    "alter policy own_country on bakehouse.franchises using (true)",
    "drop policy own_country on bakehouse.franchises",
    "create policy mine on bakehouse.franchises using (true)",
    "alter table bakehouse.franchises disable row level security",
    "alter policy own on mooring.threads using (true)",
    "alter system set listen_addresses = '*'",
    "select pg_reload_conf()",
    "set session_replication_role = replica",
    "set log_statement = 'all'",
    "alter database lakehouse set row_security = off",
    "select pg_switch_wal()",
    "checkpoint",
]


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("attempt", SUPERUSERS_OWN)
def test_a_person_is_refused(lakehouse: Database, person: str, attempt: str) -> None:
    with (
        psycopg.connect(lakehouse.login(person), autocommit=True) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(attempt.encode())


def test_a_reader_cannot_pass_the_right_on(alice: str, carol: str) -> None:
    with psycopg.connect(alice, autocommit=True) as conn:
        conn.execute("grant select on bakehouse.suppliers to carol")  # Postgres only warns

    with psycopg.connect(carol) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("select from bakehouse.suppliers")


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_person_reaches_no_other_database(lakehouse: Database, person: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(lakehouse.login(person), dbname=database)


def test_statistics_tell_nothing_of_rows_that_a_policy_hides(bob: str) -> None:
    statement = "select from pg_stats where schemaname = 'bakehouse' and attname = 'country'"
    with psycopg.connect(bob) as conn:
        assert conn.execute(statement).fetchall() == []


def test_a_condition_of_the_reader_runs_after_the_policy(bob: str) -> None:
    # 48 franchises would divide by zero at the first one that is not Dutch, were they looked at.
    leak = "select count(*) from bakehouse.franchises where 1 / (country = 'Netherlands')::int = 1"
    with psycopg.connect(bob) as conn:
        assert conn.execute(leak).fetchone() == (5,)


def test_nobody_kills_another_s_connection(alice: str, bob: str) -> None:
    with psycopg.connect(alice, autocommit=True) as victim, psycopg.connect(bob, autocommit=True) as attacker:
        for function in ("pg_cancel_backend", "pg_terminate_backend"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                attacker.execute(f"select {function}(%s)".encode(), [victim.info.backend_pid])


def test_nobody_sees_what_another_asks(alice: str, bob: str) -> None:
    with psycopg.connect(alice, autocommit=True) as victim, psycopg.connect(bob, autocommit=True) as attacker:
        victim.execute("select 'a question of alice'")
        seen = attacker.execute("select query from pg_stat_activity where usename = 'alice'").fetchall()

    assert seen
    assert "a question" not in str(seen)


@pytest.mark.parametrize("table", ["bakehouse.franchises", "bakehouse.transactions", "hr.employees", "hr.salaries"])
def test_the_runtime_role_reads_no_data(lakehouse: Database, table: str) -> None:
    with psycopg.connect(lakehouse.runtime) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(f"select from {table}".encode())


@pytest.mark.parametrize("role", ["mooring_service", *PEOPLE])
def test_a_login_owns_nothing_and_has_no_attributes(admin: psycopg.Connection, role: str) -> None:
    attributes = admin.execute(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = %s",
        [role],
    ).fetchone()
    owned = admin.execute(
        "select count(*) from pg_shdepend where refobjid = %s::regrole and deptype = 'o'", [role]
    ).fetchone()
    groups = admin.execute(
        "select roleid::regrole::text from pg_auth_members where member = %s::regrole", [role]
    ).fetchall()

    assert attributes == (False,) * 5
    assert owned == (0,)
    assert groups == ([] if role == "mooring_service" else [("mooring_user",)])


@pytest.mark.parametrize("person", ["postgres", "mooring_service", "mooring_migrator", "lakehouse_owner", "nobody"])
def test_only_people_are_logged_in_by_name(lakehouse: Database, person: str) -> None:
    with pytest.raises(UnknownLoginError, match=r"alice.*bob.*carol"):
        lakehouse.login(person)
