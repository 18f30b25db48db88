"""PostgresCatalog through logins of the sample: what it shows, what it was read from, what it refuses and how."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tools import (
    AccessDeniedError,
    CatalogBusyError,
    CatalogError,
    CatalogUnavailableError,
    Limits,
    PostgresCatalog,
    QueryCancelledError,
    QueryFailedError,
    QueryRefusedError,
    QueryTimeoutError,
    TableNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.embedded

SCRATCH = """
drop schema if exists scratch cascade;
create schema scratch;
create table scratch.secret (id int primary key, word text);
insert into scratch.secret values (1, 'xyzzy'), (2, 'plugh');
create view scratch.front as select word from scratch.secret;
create materialized view scratch.copied as select word from scratch.secret;
create table scratch."Mixed Case" ("Id" int primary key, "select" text);
insert into scratch."Mixed Case" values (1, 'one');
create table scratch.events (day date, n int) partition by range (day);
create table scratch.events_2024 partition of scratch.events for values from ('2024-01-01') to ('2025-01-01');
create table scratch.events_2025 partition of scratch.events for values from ('2025-01-01') to ('2026-01-01');
insert into scratch.events values ('2024-05-01', 1), ('2025-05-01', 2);
create table scratch.part (a int, hidden int);
insert into scratch.part values (1, 42);
create function scratch.peek() returns setof scratch.secret language sql stable security definer
  as 'select * from scratch.secret';
create function scratch.label(s scratch.secret) returns text language sql stable
  as 'select word from scratch.secret limit 1';
create function scratch.lower(s scratch.secret) returns text language sql stable
  as 'select word from scratch.secret limit 1';
create view scratch.indirect as select word from scratch.peek();
grant usage on schema scratch to alice;
grant select on scratch.secret, scratch.front, scratch.copied, scratch."Mixed Case", scratch.events to alice;
grant select on scratch.indirect to alice;
grant select (a) on scratch.part to alice;
"""

ENDLESS = "select count(*) from generate_series(1, 9999) a, generate_series(1, 9999) b, generate_series(1, 9999) c"


@pytest.fixture(scope="module")
def scratch(lakehouse: Any) -> Iterator[None]:
    """Tables of every kind that alice may read."""
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(4711)")  # xdist workers share the server
        conn.execute(SCRATCH)
        yield
        conn.execute("drop schema scratch cascade")


@pytest.fixture
def catalog(alice: str) -> Iterator[PostgresCatalog]:
    with PostgresCatalog(alice) as opened:
        yield opened


@pytest.fixture
def loner(admin: psycopg.Connection) -> Iterator[str]:
    """Somebody who reads nothing and is in no other test."""
    name = f"loner_{uuid4().hex}"
    admin.execute(f"create role {name} login password 'p' in role mooring_user".encode())
    yield name
    admin.execute(f"drop role {name}".encode())


@pytest.fixture
def alone(lakehouse: Any, loner: str) -> Iterator[PostgresCatalog]:
    with PostgresCatalog(make_conninfo(lakehouse.login("alice"), user=loner, password="p")) as opened:
        yield opened


def working(admin: psycopg.Connection, loner: str) -> int:
    """How many planned queries run for them."""
    running = "select from pg_stat_activity where usename = %s and state = 'active' and query like 'FETCH%%'"
    return len(admin.execute(running, [loner]).fetchall())


def waiting(admin: psycopg.Connection) -> int:
    """How many statements wait for the lock of a table."""
    ungranted = "select from pg_locks where relation = 'bakehouse.suppliers'::regclass and not granted"
    return len(admin.execute(ungranted).fetchall())


def wait_for(number: int, counted: Callable[[], int]) -> None:
    end = time.monotonic() + 20
    while counted() != number:
        assert time.monotonic() < end
        time.sleep(0.01)


def sources(catalog: PostgresCatalog, sql: str) -> list[str]:
    return sorted(source.removeprefix("lakehouse.") for source in catalog.query(sql).sources)


def test_each_login_lists_what_it_may_read(alice: str, bob: str, carol: str) -> None:
    def listed(conninfo: str) -> set[str]:
        with PostgresCatalog(conninfo) as catalog:
            return {t.table for t in catalog.list_tables().tables if not t.table.startswith("scratch.")}

    bakehouse = {f"bakehouse.{name}" for name in ("franchises", "suppliers", "transactions", "reviews")}
    assert listed(alice) == bakehouse
    assert listed(bob) == bakehouse | {"hr.employees", "hr.salaries"}
    assert listed(carol) == set()


def test_row_policies_decide_per_login(alice: str, bob: str, admin: psycopg.Connection) -> None:
    sql = "select count(*) from bakehouse.franchises"
    whole = admin.execute(sql).fetchone()
    own = admin.execute(f"{sql} where country = 'Netherlands'").fetchone()
    with PostgresCatalog(alice) as hers, PostgresCatalog(bob) as his:
        assert hers.query(sql).rows == [list(whole or ())]
        assert his.query(sql).rows == [list(own or ())]
    assert whole != own


def test_the_database_itself_refuses(catalog: PostgresCatalog, lakehouse: Any, admin: psycopg.Connection) -> None:
    with pytest.raises(AccessDeniedError, match="42501") as refused:
        catalog.query("select amount from hr.salaries")
    assert refused.value.sources == frozenset()
    with pytest.raises(AccessDeniedError, match="42501"):
        catalog.describe_table("hr.salaries")
    # The refusal is the database's: the same catalog reads the table as soon as it is granted.
    admin.execute("grant usage on schema hr to alice; grant select on hr.salaries to alice")
    try:
        assert catalog.query("select count(*) from hr.salaries").rows[0][0] > 0
    finally:
        admin.execute("revoke select on hr.salaries from alice; revoke usage on schema hr from alice")
    with pytest.raises(AccessDeniedError):
        catalog.query("select amount from hr.salaries")


@pytest.mark.usefixtures("scratch")
class TestSources:
    def test_a_view_is_named_with_what_stands_behind_it(self, catalog: PostgresCatalog) -> None:
        assert sources(catalog, "select * from scratch.front") == ["scratch.front", "scratch.secret"]

    def test_a_join_names_both(self, catalog: PostgresCatalog) -> None:
        both = "bakehouse.reviews r join bakehouse.franchises f using (franchise_id)"
        sql = f"select count(*) from {both} where f.size = 'large'"
        assert sources(catalog, sql) == ["bakehouse.franchises", "bakehouse.reviews"]

    def test_the_search_path_hides_nothing(self, alice: str) -> None:
        with PostgresCatalog(f"{alice} options='-c search_path=scratch,bakehouse'") as catalog:
            assert sources(catalog, "select * from secret") == ["scratch.secret"]
            assert sources(catalog, "select * from front") == ["scratch.front", "scratch.secret"]
            assert sources(catalog, "with reviews as (select 1 as a) select a from reviews") == []
            assert sources(catalog, "with x as (select word from secret) select count(*) from x") == ["scratch.secret"]

    def test_a_table_that_only_a_subquery_reads(self, catalog: PostgresCatalog) -> None:
        sql = "select 1 where exists (select from scratch.secret where word = 'xyzzy')"
        assert sources(catalog, sql) == ["scratch.secret"]

    def test_an_empty_result_carries_them(self, catalog: PostgresCatalog) -> None:
        assert sources(catalog, "select * from scratch.secret where word = 'nobody'") == ["scratch.secret"]
        assert sources(catalog, "select * from scratch.secret where false") == ["scratch.secret"]
        assert sources(catalog, "select * from scratch.secret limit 0") == ["scratch.secret"]

    def test_partitions_are_read_through_their_table(self, catalog: PostgresCatalog) -> None:
        assert sources(catalog, "select sum(n) from scratch.events where day < '2025-01-01'") == ["scratch.events"]

    def test_a_description_carries_its_table(self, catalog: PostgresCatalog) -> None:
        assert catalog.describe_table("scratch.front").sources == {"lakehouse.scratch.front"}

    def test_an_error_carries_them(self, catalog: PostgresCatalog) -> None:
        for sql in ("select 1 / (id - 1) from scratch.secret", "select nothing from scratch.secret"):
            with pytest.raises(QueryFailedError) as failed:
                catalog.query(sql)
            assert failed.value.sources == {"lakehouse.scratch.secret"}

    @pytest.mark.parametrize(
        "sql",
        [
            "select * from scratch.peek()",
            "select * from scratch.indirect",
            "select s.label from scratch.front f, scratch.secret s",
            "select (s).label from scratch.secret s",
            "select lower(s) from scratch.secret s",
        ],
    )
    def test_functions_that_read_tables_by_themselves_are_refused(self, alice: str, sql: str) -> None:
        with (
            PostgresCatalog(f"{alice} options='-c search_path=scratch'") as catalog,
            pytest.raises(QueryRefusedError, match="function"),
        ):
            catalog.query(sql)


@pytest.mark.usefixtures("scratch")
def test_descriptions(catalog: PostgresCatalog, admin: psycopg.Connection) -> None:
    sales = catalog.describe_table("BakeHouse.Transactions")
    by_name = {column.name: column for column in sales.columns}
    assert sales.table == "bakehouse.transactions"
    assert by_name["transaction_id"].primary_key
    assert by_name["franchise_id"].references == "bakehouse.franchises.franchise_id"
    assert by_name["total_price"].type == "numeric(12,2)"
    assert "Revenue" in (by_name["total_price"].comment or "")
    mixed = catalog.describe_table('scratch."Mixed Case"')
    assert (mixed.table, [c.name for c in mixed.columns]) == ('scratch."Mixed Case"', ['"Id"', '"select"'])
    assert [c.name for c in catalog.describe_table("scratch.part").columns] == ["a"]
    listed = {t.table: t for t in catalog.list_tables().tables}
    assert listed["scratch.part"].columns == {"a": "integer"}
    assert listed['scratch."Mixed Case"'].columns == {'"Id"': "integer", '"select"': "text"}
    assert listed["scratch.copied"].kind == "materialized view"
    assert "scratch.events_2024" not in listed
    system = ("pg_catalog.pg_class", "pg_class", "mooring.threads")
    for unknown in ("bakehouse.nothing", *system, "a.b.c.d", "'; drop", "", "\ud800", "reviews\0", "x" * 501):
        with pytest.raises(TableNotFoundError):
            catalog.describe_table(unknown)


def test_the_number_of_rows_behind_a_policy_is_not_told(
    lakehouse: Any, alice: str, bob: str, admin: psycopg.Connection
) -> None:
    admin.execute("analyze bakehouse.transactions, hr.employees")
    with PostgresCatalog(bob) as catalog:
        assert catalog.describe_table("bakehouse.transactions").estimated_rows is None
        assert catalog.describe_table("hr.employees").estimated_rows is not None


def test_values_are_json(catalog: PostgresCatalog) -> None:
    row = catalog.query(
        "select 1.50::numeric, 12345678901234567890.12::numeric, 'nan'::numeric, 2::numeric(10,2), date '2024-02-29',"
        " 'infinity'::date, timestamptz '2024-01-02 03:04:05+00', interval '1 month 2 days', array[1.5, null],"
        """ '{"a": [1]}'::jsonb, '\\xff'::bytea, true, null, 'inf'::float8, '[1,3)'::int4range, e'tab\\there' """
    ).rows[0]
    assert row[:6] == [1.5, "12345678901234567890.12", "NaN", 2, "2024-02-29", "infinity"]
    assert row[6].startswith("2024-01-02")
    assert row[7:] == ["P1M2D", [1.5, None], {"a": [1]}, "\\xff", True, None, "inf", "[1,3)", "tab\there"]


def test_limits(alice: str) -> None:
    limits = Limits(rows=3, bytes=200, seconds=1)
    with PostgresCatalog(alice, limits) as catalog:
        found = catalog.query("select review_id from bakehouse.reviews order by 1")
        assert (found.rows, found.truncated) == ([[1], [2], [3]], True)
        exactly = catalog.query("select review_id from bakehouse.reviews order by 1 limit 3")
        assert (len(exactly.rows), exactly.truncated) == (3, False)
        wide = catalog.query("select repeat('x', 150) from bakehouse.reviews limit 2")
        assert (len(wide.rows), wide.truncated) == (1, True)
        endless = "select count(*) from bakehouse.transactions a, bakehouse.transactions b, bakehouse.transactions c"
        with pytest.raises(QueryTimeoutError, match="longer than 1 s") as late:
            catalog.query(endless)
        assert late.value.sources == {"lakehouse.bakehouse.transactions"}
        assert catalog.query("select 1").rows == [[1]]
        for unreadable in ("select '\ud800'", "select 'a\0b'"):
            with pytest.raises(QueryRefusedError, match="characters"):
                catalog.query(unreadable)


def test_what_lies_behind_the_limit_is_not_fetched(catalog: PostgresCatalog) -> None:
    wide = catalog.query("select repeat('x', 30000), 1 / (20 - n) from generate_series(1, 100) n")
    assert (len(wide.rows), wide.truncated, wide.too_large) == (1, True, True)
    long = catalog.query("select n from generate_series(1, 300) n")
    assert (len(long.rows), long.truncated, long.too_large) == (200, True, False)


def test_a_locked_table_is_said_to_be_locked(alice: str, lakehouse: Any, admin: psycopg.Connection) -> None:
    with PostgresCatalog(alice, Limits(seconds=1)) as catalog, admin.transaction():
        admin.execute("lock table bakehouse.suppliers")
        with pytest.raises(QueryTimeoutError):
            catalog.query("select count(*) from bakehouse.suppliers")


def test_no_row_of_data_is_in_a_message(catalog: PostgresCatalog) -> None:
    for sql in (
        "select name::int from bakehouse.franchises",
        "select name::date from bakehouse.franchises",
        "select (name || '{')::json from bakehouse.franchises",
        "select cast(total_price * 1e300 as real) from bakehouse.transactions",
    ):
        with pytest.raises(QueryFailedError) as failed:
            catalog.query(sql)
        names = catalog.query("select name from bakehouse.franchises").rows
        assert not any(name in str(failed.value) for (name,) in names)
    # What the query itself says may be repeated: it helps whoever wrote it.
    with pytest.raises(QueryFailedError, match="abc"):
        catalog.query("select 'abc'::int")


def test_it_recovers_when_its_connections_are_cut(
    alone: PostgresCatalog, loner: str, admin: psycopg.Connection
) -> None:
    for _ in range(4):
        assert alone.query("select count(*) from generate_series(1, 3)").rows == [[3]]
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [loner])


def test_a_connection_cut_in_the_middle_is_a_clear_error(
    alone: PostgresCatalog, loner: str, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor() as threads:
        running = threads.submit(alone.query, ENDLESS)
        wait_for(1, lambda: working(admin, loner))
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [loner])
        with pytest.raises(CatalogUnavailableError):
            running.result()
    assert alone.query("select 1").rows == [[1]]


def test_what_runs_is_cancelled_and_nothing_else(alone: PostgresCatalog, loner: str, admin: psycopg.Connection) -> None:
    alone.cancel()
    assert alone.query("select 1").rows == [[1]]
    with ThreadPoolExecutor() as threads:
        running = [threads.submit(alone.query, ENDLESS) for _ in range(2)]
        wait_for(2, lambda: working(admin, loner))
        alone.cancel()
        for query in running:
            with pytest.raises(QueryCancelledError):
                query.result(timeout=5)
    assert working(admin, loner) == 0
    assert alone.query("select 1").rows == [[1]]


def test_no_session_state_passes_from_one_query_to_the_next(catalog: PostgresCatalog) -> None:
    before = catalog.query("select count(*) from bakehouse.franchises").rows
    for sql in ("select 1/0", "select * from hr.salaries", "select 'x'::int", "select nothing"):
        with pytest.raises(CatalogError):
            catalog.query(sql)
    assert catalog.query("select count(*) from bakehouse.franchises").rows == before


def test_threads_share_a_catalog(catalog: PostgresCatalog) -> None:
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append((n, catalog.query(f"select {n}").rows[0][0])))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(n, n) for n in range(20)]


def test_many_queries_at_once_take_turns(catalog: PostgresCatalog, admin: psycopg.Connection) -> None:
    sql = "select count(*) from bakehouse.suppliers"

    def ask(_: int) -> str:
        try:
            return str(catalog.query(sql).rows)
        except CatalogError as error:
            return str(error)

    # Longer than four queries wait for a lock, and others for their turn and then for the lock.
    with ThreadPoolExecutor(12) as threads:
        with admin.transaction():
            admin.execute("lock table bakehouse.suppliers")
            asked = [threads.submit(ask, n) for n in range(12)]
            time.sleep(17)
        told = [answer.result() for answer in asked]
    assert told.count("Somebody else has locked the table. Try again later.") == 4
    assert told.count("[[27]]") == 8


def test_whose_turn_does_not_come_is_told_that_it_is_busy(alice: str, admin: psycopg.Connection) -> None:
    with PostgresCatalog(alice, Limits(waiting=0.5)) as catalog, ThreadPoolExecutor(4) as threads:
        with admin.transaction():
            admin.execute("lock table bakehouse.suppliers")
            running = [threads.submit(catalog.query, "select count(*) from bakehouse.suppliers") for _ in range(4)]
            wait_for(4, lambda: waiting(admin))
            with pytest.raises(CatalogBusyError, match="busy"):
                catalog.query("select 1")
        assert [query.result().rows for query in running] == [[[27]]] * 4
        assert catalog.query("select 1").rows == [[1]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"port": 1}, "The database server cannot be reached at 127.0.0.1:1."),
        ({"password": "s3cret"}, "refused the password of 'alice'."),
        ({"dbname": "nowhere"}, "There is no database 'nowhere' at 127.0.0.1:"),
    ],
)
def test_a_login_that_does_not_work_is_told_quickly_and_why(alice: str, change: dict[str, Any], says: str) -> None:
    begun = time.monotonic()
    with PostgresCatalog(make_conninfo(alice, **change)) as catalog, ThreadPoolExecutor(12) as threads:
        for query in [threads.submit(catalog.query, "select 1") for _ in range(12)]:
            with pytest.raises(CatalogUnavailableError) as told:
                query.result()
            assert says in str(told.value)
            assert "s3cret" not in str(told.value)
    assert time.monotonic() - begun < 10
