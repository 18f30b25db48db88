"""UnityCatalog through the real SDK: what it shows, and what it was read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from databricks.sdk.service.catalog import TableType

from tests.databricks.catalogs import REVIEWS, catalog
from tests.databricks.warehouse import WAREHOUSE
from tools import (
    AccessDeniedError,
    CatalogError,
    Limits,
    QueryRefusedError,
    TableNotFoundError,
)
from tools.unity import UnityCatalog

if TYPE_CHECKING:
    from tests.databricks.stand_in import StandIn


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


def test_a_long_name_of_a_session_is_cut_in_the_query_history(stand_in: StandIn) -> None:
    catalog(stand_in, "alice", tags={"session": "s" * 1000}).query(REVIEWS)
    [request] = stand_in.workspace.sent("/sql/statements$")
    assert request.body["query_tags"] == [{"key": "session", "value": "s" * 128}]


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
