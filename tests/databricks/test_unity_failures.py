"""UnityCatalog where a query fails, is refused, takes too long or is cancelled, and where the workspace breaks."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.databricks.catalogs import REVIEWS, catalog
from tests.databricks.warehouse import WAREHOUSE
from tools import (
    AccessDeniedError,
    CatalogUnavailableError,
    Limits,
    QueryCancelledError,
    QueryFailedError,
    QueryTimeoutError,
)
from tools.unity import UnityCatalog

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.databricks.stand_in import StandIn


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
