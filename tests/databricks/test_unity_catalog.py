"""UnityCatalog through the real SDK: what it shows, what it was read from, what it refuses and how."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from databricks.sdk.service.catalog import TableType

from tests.databricks.warehouse import WAREHOUSE
from tools import (
    AccessDeniedError,
    CatalogError,
    CatalogUnavailableError,
    Limits,
    QueryCancelledError,
    QueryFailedError,
    QueryRefusedError,
    QueryTimeoutError,
    TableNotFoundError,
)
from tools.unity import UnityCatalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database
    from tests.databricks.stand_in import StandIn

REVIEWS = "select count(*) as n from lakehouse.bakehouse.reviews"
VIEWS = """
drop schema if exists moored cascade;
create schema moored;
create view moored.fives as select review_id, franchise_id from bakehouse.reviews where rating = 5;
create view moored.shops as select f.name from moored.fives v join bakehouse.franchises f using (franchise_id);
create materialized view moored.kept as select count(*) as n from hr.employees;
create table moored.words (id int primary key, word text);
insert into moored.words values (1, 'xyzzy');
grant usage on schema moored to alice, bob;
grant select on all tables in schema moored to alice;
"""


@pytest.fixture(scope="module")
def views(lakehouse: Database) -> Iterator[None]:
    """Views over the sample, which alice may read and bob may not."""
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(4712)")
        conn.execute(VIEWS)
        yield
        conn.execute("drop schema moored cascade")


def catalog(stand_in: StandIn, user: str, **options: Any) -> UnityCatalog:
    return UnityCatalog(stand_in.client(user), WAREHOUSE, catalogs=["lakehouse"], **options)


def listed(stand_in: StandIn, user: str) -> set[str]:
    tables = catalog(stand_in, user).list_tables().tables
    return {table.table for table in tables if table.table.split(".")[1] in ("bakehouse", "hr")}


def test_each_caller_lists_what_unity_catalog_shows_them(stand_in: StandIn) -> None:
    bakehouse = {f"lakehouse.bakehouse.{name}" for name in ("franchises", "suppliers", "transactions", "reviews")}
    assert listed(stand_in, "alice") == bakehouse
    assert listed(stand_in, "bob") == bakehouse | {"lakehouse.hr.employees", "lakehouse.hr.salaries"}
    assert listed(stand_in, "carol") == set()


def test_a_listing_has_columns_and_kinds_and_ends_at_its_limit(stand_in: StandIn, views: None) -> None:
    tables = {table.table: table for table in catalog(stand_in, "alice").list_tables().tables}
    reviews = tables["lakehouse.bakehouse.reviews"]
    assert (reviews.kind, reviews.comment) == ("table", "What customers say about the franchises")
    assert reviews.columns["review"] == "string"
    assert tables["lakehouse.moored.fives"].kind == "view"
    assert tables["lakehouse.moored.kept"].kind == "materialized view"
    short = catalog(stand_in, "alice", limits=Limits(tables=2)).list_tables()
    assert [table.table for table in short.tables] == ["lakehouse.bakehouse.franchises", "lakehouse.bakehouse.reviews"]
    assert short.truncated


def test_a_catalog_that_the_caller_may_not_use_is_left_out(stand_in: StandIn) -> None:
    everything = UnityCatalog(stand_in.client("alice"), WAREHOUSE).list_tables()
    assert {table.table.split(".")[0] for table in everything.tables} == {"lakehouse"}


def test_a_table_is_described_with_its_keys(stand_in: StandIn) -> None:
    found = catalog(stand_in, "alice").describe_table("Lakehouse.`bakehouse`.FRANCHISES")
    columns = {column.name: column for column in found.columns}
    assert found.table == "lakehouse.bakehouse.franchises"
    assert found.sources == {"lakehouse.bakehouse.franchises"}
    assert columns["franchise_id"].primary_key
    assert not columns["name"].nullable
    assert columns["supplier_id"].references == "lakehouse.bakehouse.suppliers.supplier_id"
    assert columns["city"].comment == "City of the shop"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lakehouse.hr.salaries", AccessDeniedError),
        ("lakehouse.bakehouse.nothing", TableNotFoundError),
        ("bakehouse.reviews", TableNotFoundError),
        ("lakehouse.information_schema.tables", TableNotFoundError),
        ("lakehouse.mooring.threads", TableNotFoundError),
        ("lakehouse.bakehouse.`../../../2.0/preview/scim/v2/Me`", TableNotFoundError),
        ("lakehouse.bakehouse.`reviews?include_browse=true`", TableNotFoundError),
        ("no name at all", TableNotFoundError),
        ("", TableNotFoundError),
    ],
)
def test_what_cannot_be_described(stand_in: StandIn, name: str, kind: type[CatalogError]) -> None:
    with pytest.raises(kind):
        catalog(stand_in, "alice").describe_table(name)
    assert not stand_in.workspace.sent("/Me")


def test_a_table_that_is_only_browsed_is_not_described(stand_in: StandIn) -> None:
    stand_in.unity.changes["lakehouse.bakehouse.reviews"] = {"browse_only": True}
    with pytest.raises(AccessDeniedError):
        catalog(stand_in, "alice").describe_table("lakehouse.bakehouse.reviews")
    with pytest.raises(AccessDeniedError):
        catalog(stand_in, "alice").query(REVIEWS)
    assert "lakehouse.bakehouse.reviews" not in listed(stand_in, "alice")


def test_a_query_runs_as_the_caller(stand_in: StandIn) -> None:
    assert catalog(stand_in, "alice").query(REVIEWS).rows == [[240]]
    [[own]] = catalog(stand_in, "bob").query(REVIEWS).rows
    assert 0 < own < 240
    with pytest.raises(AccessDeniedError) as refused:
        catalog(stand_in, "carol").query(REVIEWS)
    assert str(refused.value) == (
        "The workspace refused table lakehouse.bakehouse.reviews: User does not have SELECT on Table "
        "'lakehouse.bakehouse.reviews'. Only its owner can grant access."
    )
    assert [statement.user for statement in stand_in.warehouse.statements.values()] == ["alice", "bob"]


def test_what_is_sent_with_a_query(stand_in: StandIn) -> None:
    tags = {"session": "s1", "trace": "t1", "principal": "alice"}
    catalog(stand_in, "alice", limits=Limits(rows=7, bytes=999), tags=tags).query(REVIEWS)
    [request] = stand_in.workspace.sent("/sql/statements$")
    assert request.body == {
        "statement": REVIEWS,
        "warehouse_id": WAREHOUSE,
        "wait_timeout": "0s",
        "on_wait_timeout": "CONTINUE",
        "disposition": "INLINE",
        "format": "JSON_ARRAY",
        "row_limit": 7,
        "byte_limit": 999,
        "query_tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    assert stand_in.workspace.users() == {"alice"}


def test_rows_come_in_chunks_and_end_at_the_limits(stand_in: StandIn) -> None:
    stand_in.warehouse.chunk_rows = 3
    numbers = "select franchise_id, name from lakehouse.bakehouse.franchises order by franchise_id"
    whole = catalog(stand_in, "alice").query(numbers)
    assert [row[0] for row in whole.rows] == list(range(1, len(whole.rows) + 1))
    assert len(whole.rows) > 6
    assert not whole.truncated
    assert stand_in.workspace.sent("/result/chunks/1$")
    few = catalog(stand_in, "alice", limits=Limits(rows=5)).query(numbers)
    assert (few.rows, few.truncated, few.too_large) == (whole.rows[:5], True, False)
    exact = catalog(stand_in, "alice", limits=Limits(rows=len(whole.rows))).query(numbers)
    assert (exact.rows, exact.truncated) == (whole.rows, False)
    chunks = len(stand_in.workspace.sent("/result/chunks/"))
    small = catalog(stand_in, "alice", limits=Limits(bytes=60)).query(numbers)
    assert (small.rows, small.truncated, small.too_large) == (whole.rows[: len(small.rows)], True, True)
    assert 0 < len(small.rows) < 3
    assert len(stand_in.workspace.sent("/result/chunks/")) == chunks


def test_values_of_postgres_types(stand_in: StandIn) -> None:
    found = catalog(stand_in, "alice").query(
        "select transaction_id, total_price, sold_at, product, null as nothing, total_price > 1 as dear "
        "from lakehouse.bakehouse.transactions where transaction_id = 1"
    )
    [[number, price, at, product, nothing, dear]] = found.rows
    assert (number, nothing) == (1, None)
    assert isinstance(price, float | int)
    assert isinstance(product, str)
    assert isinstance(dear, bool)
    assert at.startswith("202")
    assert found.columns == ["transaction_id", "total_price", "sold_at", "product", "nothing", "dear"]


def test_values_of_every_type(stand_in: StandIn) -> None:
    typed = [
        ("TINYINT", "7", 7),
        ("BIGINT", "9223372036854775807", 9223372036854775807),
        ("DECIMAL(10,2)", "12.50", 12.5),
        ("DECIMAL(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
        ("DECIMAL(38,18)", "0.100000000000000001", "0.100000000000000001"),
        ("DOUBLE", "1.5", 1.5),
        ("DOUBLE", "NaN", "nan"),
        ("FLOAT", "-Infinity", "-inf"),
        ("BOOLEAN", "false", False),
        ("STRING", "12", "12"),
        ("STRING", None, None),
        ("DATE", "2025-01-31", "2025-01-31"),
        ("TIMESTAMP", "2025-01-31T12:00:00.123Z", "2025-01-31T12:00:00.123Z"),
        ("TIMESTAMP_NTZ", "+10000-01-01T00:00:00", "+10000-01-01T00:00:00"),
        ("INTERVAL DAY TO SECOND", "1 00:00:00.000000000", "1 00:00:00.000000000"),
        ("BINARY", "3q2+7w==", "3q2+7w=="),
        ("VARIANT", '{"a":1}', '{"a":1}'),
        ("ARRAY<INT>", '["1",null,"3"]', [1, None, 3]),
        ("ARRAY<DOUBLE>", "[1.25,2]", [1.25, 2]),
        ("MAP<STRING,DECIMAL(5,1)>", '{"a":"1.5","b":null}', {"a": 1.5, "b": None}),
        ("STRUCT<Id: BIGINT, tags: ARRAY<STRUCT<on: BOOLEAN>>>", '{"Id":"4","tags":[{"on":"true"}]}', None),
        ("VOID", None, None),
        ("A_TYPE_OF_TOMORROW", "1", "1"),
        ("INT", "not a number", "not a number"),
        ("ARRAY<INT>", "not json", "not json"),
    ]
    stand_in.warehouse.answers["select 1"] = (
        [(f"c{i}", "STRING", type_text) for i, (type_text, _, _) in enumerate(typed)],
        [[text for _, text, _ in typed]],
    )
    [row] = catalog(stand_in, "alice").query("select 1").rows
    expected = [value for _, _, value in typed]
    expected[20] = {"Id": 4, "tags": [{"on": True}]}
    assert row == expected


def test_sources_are_the_tables_that_views_read(stand_in: StandIn, views: None) -> None:
    def sources(sql: str, user: str = "alice") -> list[str]:
        return sorted(source.removeprefix("lakehouse.") for source in catalog(stand_in, user).query(sql).sources)

    bakehouse = ["bakehouse.franchises", "bakehouse.reviews"]
    assert sources(REVIEWS) == ["bakehouse.reviews"]
    assert sources("with r as (select * from lakehouse.bakehouse.reviews) select count(*) from r") == bakehouse[1:]
    assert sources("select name from lakehouse.moored.shops") == [*bakehouse, "moored.fives", "moored.shops"]
    assert sources("select n from lakehouse.moored.kept") == ["moored.kept"]
    assert sources("select 1 as one") == []
    exists = "select 1 as one where exists (select 1 from lakehouse.bakehouse.suppliers)"
    assert sources(exists) == ["bakehouse.suppliers"]


def test_labels_are_how_the_caller_sees_the_tables_that_are_named(stand_in: StandIn, views: None) -> None:
    def labels(user: str, sql: str) -> dict[str, str | None]:
        return dict(catalog(stand_in, user).query(sql).labels)

    def seen(user: str, table: str) -> str | None:
        return catalog(stand_in, user).fingerprint(f"lakehouse.{table}")

    whole, own = labels("alice", REVIEWS)["lakehouse.bakehouse.reviews"], seen("bob", "bakehouse.reviews")
    assert whole is not None
    assert whole == seen("alice", "bakehouse.reviews")
    assert not whole.endswith("~")
    assert own is not None
    assert own.startswith(whole)
    assert own.endswith("~")
    assert labels("bob", REVIEWS) == {"lakehouse.bakehouse.reviews": own}
    assert seen("carol", "bakehouse.reviews") is None
    assert seen("alice", "bakehouse.nothing") is None
    assert catalog(stand_in, "alice").fingerprint("no table") is None
    through = labels("alice", "select name from lakehouse.moored.shops")
    assert list(through) == ["lakehouse.moored.shops"]
    assert str(through["lakehouse.moored.shops"]).endswith("~")
    mask = {"columns": [{"name": "review", "mask": {"function_name": "lakehouse.bakehouse.hidden"}}]}
    stand_in.unity.changes["lakehouse.bakehouse.reviews"] = mask
    assert seen("alice", "bakehouse.reviews") not in (whole, own)
    described = catalog(stand_in, "alice").describe_table("lakehouse.bakehouse.reviews")
    assert described.labels == {("lakehouse.bakehouse.reviews", seen("alice", "bakehouse.reviews"))}


def test_a_table_below_a_view_is_named_even_if_the_caller_may_not_see_it(stand_in: StandIn, views: None) -> None:
    below = {"view_dependencies": {"dependencies": [{"table": {"table_full_name": "lakehouse.hr.salaries"}}]}}
    stand_in.unity.changes["lakehouse.moored.fives"] = below
    found = catalog(stand_in, "alice").query("select count(*) from lakehouse.moored.fives")
    assert found.sources == {"lakehouse.moored.fives", "lakehouse.hr.salaries"}


@pytest.mark.parametrize(
    "told",
    [
        {"view_dependencies": None},
        {"view_dependencies": {"dependencies": [{"function": {"function_full_name": "lakehouse.moored.f"}}]}},
        {"view_dependencies": {"dependencies": [{"table": {"table_full_name": "two.parts"}}]}},
        {"table_type": None},
        {"table_type": "SOMETHING_OF_TOMORROW"},
        {"table_type": TableType.METRIC_VIEW.value, "view_dependencies": None},
    ],
)
def test_a_view_whose_tables_are_not_told_is_refused(stand_in: StandIn, views: None, told: dict[str, Any]) -> None:
    stand_in.unity.changes["lakehouse.moored.fives"] = told
    with pytest.raises(QueryRefusedError, match="cannot be known"):
        catalog(stand_in, "alice").query("select name from lakehouse.moored.shops")
    assert not stand_in.warehouse.statements


def test_failures_while_it_runs_quote_no_value(stand_in: StandIn, views: None) -> None:
    word = "select cast(word as int) from lakehouse.moored.words"
    with pytest.raises(QueryFailedError) as failed:
        catalog(stand_in, "alice").query(word)
    assert "CAST_INVALID_INPUT" in str(failed.value)
    assert "xyzzy" not in str(failed.value)
    assert failed.value.sources == {"lakehouse.moored.words"}
    assert dict(failed.value.labels).keys() == failed.value.sources
    with pytest.raises(QueryFailedError, match="DIVIDE_BY_ZERO"):
        catalog(stand_in, "alice").query("select 1 / (id - id) from lakehouse.moored.words")


@pytest.mark.parametrize(
    ("message", "sql_state", "said"),
    [
        (
            "[INVALID_FORMAT.MISMATCH_INPUT] The input STRING 'xyzzy' does not match the format.",
            "42601",
            "MISMATCH_INP",
        ),
        ("[USER_RAISED_EXCEPTION] xyzzy", "P0001", "USER_RAISED_EXCEPTION"),
        ("xyzzy: Job aborted due to stage failure", None, "BAD_REQUEST"),
        ("", None, "BAD_REQUEST"),
    ],
)
def test_messages_that_may_hold_a_value_are_not_passed_on(
    stand_in: StandIn, message: str, sql_state: str | None, said: str
) -> None:
    stand_in.warehouse.failures["select 1"] = ({"error_code": "BAD_REQUEST", "message": message}, sql_state)
    with pytest.raises(QueryFailedError, match=said) as failed:
        catalog(stand_in, "alice").query("select 1")
    assert "xyzzy" not in str(failed.value)


def test_a_wrong_query_is_told_in_the_warehouses_words(stand_in: StandIn) -> None:
    with pytest.raises(QueryFailedError, match=r'The query is wrong: column "ratng" does not exist\.$'):
        catalog(stand_in, "alice").query("select ratng from lakehouse.bakehouse.reviews")


def test_a_grant_that_went_away_in_between_is_a_refusal(stand_in: StandIn, login: Callable[[str], str]) -> None:
    # Unity Catalog still tells carol about the table, and the warehouse refuses her.
    stand_in.unity.login = lambda _: login("alice")
    with pytest.raises(AccessDeniedError, match="The warehouse refused"):
        catalog(stand_in, "carol").query(REVIEWS)


def test_rows_and_queries_are_not_logged(stand_in: StandIn, views: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    found = catalog(stand_in, "alice").query("select word from lakehouse.moored.words where word <> 'plugh'")
    assert found.rows == [["xyzzy"]]
    assert "POST /api/2.0/sql/statements\n< 200 OK" in caplog.text
    assert "xyzzy" not in caplog.text
    assert "plugh" not in caplog.text


def test_a_query_that_takes_too_long_is_cancelled(stand_in: StandIn) -> None:
    stand_in.warehouse.going.clear()
    with pytest.raises(QueryTimeoutError, match=r"longer than 0\.2 s"):
        catalog(stand_in, "alice", limits=Limits(seconds=0.2)).query(REVIEWS)
    stand_in.warehouse.wait_for("CANCELED")
    assert len(stand_in.workspace.sent("/cancel$")) == 1


def test_a_warehouse_that_starts_is_progress_and_does_not_count(stand_in: StandIn) -> None:
    stand_in.warehouse.started.clear()
    told: list[str] = []

    def progress(sentence: str) -> None:
        told.append(sentence)
        stand_in.warehouse.started.set()

    found = catalog(stand_in, "alice", limits=Limits(seconds=1.0), progress=progress).query(REVIEWS)
    assert found.rows == [[240]]
    assert told == ["The SQL warehouse is starting; that may take some minutes."]


def test_a_warehouse_that_does_not_start_is_given_up(stand_in: StandIn) -> None:
    stand_in.warehouse.started.clear()
    with pytest.raises(QueryTimeoutError, match="did not start"):
        catalog(stand_in, "alice", start_seconds=0.2).query(REVIEWS)
    stand_in.warehouse.wait_for("CANCELED")


def test_a_running_query_is_cancelled_from_another_thread(stand_in: StandIn) -> None:
    stand_in.warehouse.going.clear()
    opened = catalog(stand_in, "alice")
    opened.cancel()  # with nothing to cancel
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(opened.query, REVIEWS)
        stand_in.warehouse.wait_for("RUNNING")
        opened.cancel()
        with pytest.raises(QueryCancelledError) as cancelled:
            waiting.result(5)
    assert cancelled.value.sources == {"lakehouse.bakehouse.reviews"}
    stand_in.warehouse.wait_for("CANCELED")
    stand_in.warehouse.going.set()
    assert opened.query(REVIEWS).rows == [[240]]


def test_a_query_that_somebody_else_cancelled(stand_in: StandIn) -> None:
    stand_in.warehouse.going.clear()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(catalog(stand_in, "alice").query, REVIEWS)
        stand_in.warehouse.wait_for("RUNNING").state = "CANCELED"
        with pytest.raises(QueryCancelledError):
            waiting.result(5)


def test_a_missing_scope_is_named(stand_in: StandIn) -> None:
    without_sql = UnityCatalog(stand_in.client("alice", {"unity-catalog"}), WAREHOUSE, catalogs=["lakehouse"])
    with pytest.raises(AccessDeniedError, match="was not given the scope sql, which"):
        without_sql.query(REVIEWS)
    without_catalog = UnityCatalog(stand_in.client("alice", {"sql"}), WAREHOUSE, catalogs=["lakehouse"])
    for refused in (without_catalog.list_tables, lambda: without_catalog.query(REVIEWS)):
        with pytest.raises(AccessDeniedError, match="was not given the scope unity-catalog, which"):
            refused()


def test_a_login_that_is_over_says_so_and_no_token(stand_in: StandIn) -> None:
    opened = UnityCatalog(stand_in.client("alice"), WAREHOUSE)
    stand_in.workspace.revoke_all()
    for refused in (opened.list_tables, lambda: opened.query(REVIEWS)):
        with pytest.raises(CatalogUnavailableError, match="Log in again") as told:
            refused()
        assert "dapi" not in str(told.value)
        assert "127.0.0.1" not in str(told.value)


def test_no_such_warehouse(stand_in: StandIn) -> None:
    with pytest.raises(CatalogUnavailableError, match=r"no SQL warehouse elsewhere, or none that you may use\.$"):
        UnityCatalog(stand_in.client("alice"), "elsewhere").query("select 1")


@pytest.mark.parametrize(("status", "code"), [(429, "REQUEST_LIMIT_EXCEEDED"), (503, "TEMPORARILY_UNAVAILABLE")])
@pytest.mark.parametrize("path", ["/sql/statements$", "/sql/statements/", "/unity-catalog/tables/"])
def test_a_busy_workspace_is_asked_again(stand_in: StandIn, status: int, code: str, path: str) -> None:
    stand_in.workspace.fail(path, status, code, "busy", retry_after=0)
    assert catalog(stand_in, "alice").query(REVIEWS).rows == [[240]]


def test_a_workspace_that_breaks_is_unavailable(stand_in: StandIn) -> None:
    stand_in.workspace.fail("/sql/statements", 500, "INTERNAL_ERROR", "xyzzy")
    with pytest.raises(CatalogUnavailableError) as told:
        catalog(stand_in, "alice").query(REVIEWS)
    assert "xyzzy" not in str(told.value)


def test_a_statement_is_cancelled_when_it_cannot_be_followed(stand_in: StandIn) -> None:
    stand_in.warehouse.going.clear()
    stand_in.workspace.fail("/sql/statements/[^/]*$", 500, "INTERNAL_ERROR")
    with pytest.raises(CatalogUnavailableError):
        catalog(stand_in, "alice").query(REVIEWS)
    stand_in.warehouse.wait_for("CANCELED")


def test_callers_at_once_are_never_mixed_up(stand_in: StandIn) -> None:
    alice, bob = catalog(stand_in, "alice"), catalog(stand_in, "bob")
    expected = {"alice": alice.query(REVIEWS).rows, "bob": bob.query(REVIEWS).rows}
    barrier = threading.Barrier(8)

    def asked(user: str, opened: UnityCatalog) -> bool:
        barrier.wait()
        return all(opened.query(REVIEWS).rows == expected[user] for _ in range(3))

    with ThreadPoolExecutor(8) as pool:
        pairs = [("alice", alice), ("bob", bob)] * 4
        assert all(pool.map(lambda pair: asked(*pair), pairs))
