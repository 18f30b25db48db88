"""The sample lakehouse: what is in it, that it is the same everywhere, and who reads what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from agent.local.lakehouse import load, tables

if TYPE_CHECKING:
    from agent.database import Database

pytestmark = pytest.mark.embedded

TABLES = ("suppliers", "franchises", "transactions", "reviews")
BAKEHOUSE = tuple(f"bakehouse.{table}" for table in TABLES)
HR = ("hr.employees", "hr.salaries")
SIZES = {
    "bakehouse.suppliers": 27,
    "bakehouse.franchises": 48,
    "bakehouse.transactions": 24_000,
    "bakehouse.reviews": 240,
    "hr.employees": 120,
}


def count(conninfo: str, table: str, where: str = "true") -> int:
    statement = sql.SQL("select count(*) from {} where {}").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(where),
    )
    with psycopg.connect(conninfo) as conn:
        row = conn.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def test_sessions_and_data_are_in_one_database(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "select nspname::text, nspowner::regrole::text from pg_namespace"
        " where nspname in ('mooring', 'bakehouse', 'hr')"
    ).fetchall()

    assert admin.info.dbname == "lakehouse"
    assert dict(rows) == {"mooring": "mooring_migrator", "bakehouse": "lakehouse_owner", "hr": "lakehouse_owner"}


@pytest.mark.parametrize(("table", "size"), SIZES.items())
def test_tables_have_their_rows(lakehouse: Database, table: str, size: int) -> None:
    assert lakehouse.superuser is not None
    assert count(lakehouse.superuser, table) == size


def test_every_table_and_column_is_described(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "select attrelid::regclass::text, attname::text from pg_attribute join pg_class c on c.oid = attrelid"
        " where relnamespace in ('bakehouse'::regnamespace, 'hr'::regnamespace) and relkind = 'r' and attnum > 0"
        " and (col_description(attrelid, attnum) is null or obj_description(attrelid) is null)"
    ).fetchall()

    assert rows == []


def test_the_rows_are_what_the_generator_says(admin: psycopg.Connection) -> None:
    for table, rows in tables().items():
        key = "employee_id, year" if table == "hr.salaries" else "1"
        statement = sql.SQL("select * from {} order by {}").format(
            sql.Identifier(*table.split(".")),
            sql.SQL(key),
        )
        assert admin.execute(statement).fetchall() == sorted(rows), table


@pytest.mark.parametrize("table", BAKEHOUSE)
def test_alice_reads_all_of_bakehouse(lakehouse: Database, alice: str, table: str) -> None:
    assert lakehouse.superuser is not None
    assert count(alice, table) == count(lakehouse.superuser, table) > 0


@pytest.mark.parametrize("table", HR)
def test_alice_reads_nothing_of_hr(alice: str, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        count(alice, table)


@pytest.mark.parametrize("table", HR)
def test_bob_reads_all_of_hr(lakehouse: Database, bob: str, table: str) -> None:
    assert lakehouse.superuser is not None
    assert count(bob, table) == count(lakehouse.superuser, table) > 0


@pytest.mark.parametrize("table", BAKEHOUSE)
def test_bob_reads_his_own_country_of_bakehouse(lakehouse: Database, bob: str, table: str) -> None:
    own = "country = 'Netherlands'"
    if table in ("bakehouse.transactions", "bakehouse.reviews"):
        own = f"franchise_id in (select franchise_id from bakehouse.franchises where {own})"

    assert lakehouse.superuser is not None
    assert count(bob, table) == count(lakehouse.superuser, table, own) > 0
    assert count(bob, table, f"not ({own})") == 0


@pytest.mark.parametrize("table", [*BAKEHOUSE, *HR])
def test_carol_reads_nothing(carol: str, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        count(carol, table)


def test_grants_are_made_to_logins_directly(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "select distinct relnamespace::regnamespace::text, grantee::regrole::text, privilege_type"
        " from pg_class, aclexplode(relacl) where relnamespace in ('bakehouse'::regnamespace, 'hr'::regnamespace)"
        " and grantee <> relowner"
    ).fetchall()

    assert sorted(rows) == [
        ("bakehouse", "alice", "SELECT"),
        ("bakehouse", "bob", "SELECT"),
        ("hr", "bob", "SELECT"),
    ]


def test_a_set_up_that_is_repeated_changes_nothing(admin: psycopg.Connection) -> None:
    files = (
        "select oid, relfilenode from pg_class"
        " where relnamespace in ('bakehouse'::regnamespace, 'hr'::regnamespace) order by oid"
    )
    before = admin.execute(files).fetchall()

    load(admin)

    assert admin.execute(files).fetchall() == before
