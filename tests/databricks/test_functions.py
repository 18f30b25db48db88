"""Functions of Unity Catalog as tools: called as the caller, and withheld from who could not have called them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.databricks.calling import access, call
from tools import AccessDeniedError, CatalogError, QueryRefusedError, TableNotFoundError
from tools.workspace import function_tools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import ToolMessage

    from agent.database import Database
    from tests.databricks.stand_in import StandIn

MADE = """
drop schema if exists tooling cascade;
create schema tooling;
create function tooling.doubled(amount int, twice boolean default false) returns int language sql
  as 'select amount * 2 * case when twice then 2 else 1 end';
comment on function tooling.doubled is 'Twice an amount';
create function tooling.greeting(name text, day date, price double precision) returns text language sql
  as $$select concat(name, ' ', day, ' ', price)$$;
create function tooling.reviews_of(stars int) returns bigint language sql security definer
  as 'select count(*) from lakehouse.bakehouse.reviews r where r.rating = stars';
create function tooling.shops(most int) returns table (name text) language sql security definer
  as 'select f.name from lakehouse.bakehouse.franchises f order by 1 limit most';
create function tooling.who() returns text language plpgsql as $$begin return session_user; end$$;
create function tooling.total(amounts int[]) returns int language sql as 'select 1';
create function tooling.secret() returns int language sql as 'select 1';
revoke execute on all functions in schema tooling from public;
grant usage on schema tooling to alice, bob, carol;
grant execute on all functions in schema tooling to alice, bob;
revoke execute on function tooling.secret from alice;
"""


@pytest.fixture(scope="module", autouse=True)
def made(lakehouse: Database) -> Iterator[None]:
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(4713)")
        conn.execute(MADE)
        yield
        conn.execute("drop schema tooling cascade")


def called(stand_in: StandIn, user: str, function: str, **arguments: Any) -> ToolMessage:
    [tool] = function_tools(access(stand_in, user), f"lakehouse.tooling.{function}")
    return call(tool, **arguments)


def label(message: ToolMessage) -> list[list[str]]:
    labels: list[list[str]] = message.response_metadata["mooring"]["labels"]
    return labels


def test_a_function_is_described_by_its_parameters(stand_in: StandIn) -> None:
    [tool] = function_tools(access(stand_in, "alice"), "Lakehouse.tooling.DOUBLED")
    assert (tool.name, tool.description) == (
        "function_lakehouse_tooling_doubled",
        "Call the function lakehouse.tooling.doubled. Twice an amount",
    )
    assert tool.args_schema == {
        "type": "object",
        "properties": {"amount": {"type": "integer"}, "twice": {"type": "boolean"}},
        "required": ["amount"],
    }


def test_values_travel_as_parameters_of_the_callers_statement(stand_in: StandIn) -> None:
    said = called(stand_in, "alice", "greeting", name="O'Neil); drop", day="2025-01-31", price=1.5)
    assert json.loads(str(said.content))["rows"] == [["O'Neil); drop 2025-01-31 1.5"]]
    [sent] = stand_in.workspace.sent("/sql/statements$")
    assert sent.body["statement"] == (
        "select lakehouse.tooling.greeting(name => :p0, day => :p1, price => :p2) as result"
    )
    assert sent.body["parameters"] == [
        {"name": "p0", "type": "STRING", "value": "O'Neil); drop"},
        {"name": "p1", "type": "DATE", "value": "2025-01-31"},
        {"name": "p2", "type": "DOUBLE", "value": "1.5"},
    ]
    assert stand_in.workspace.users() == {"alice"}


def test_defaults_may_be_left_out_and_nulls_given(stand_in: StandIn) -> None:
    assert json.loads(str(called(stand_in, "bob", "doubled", amount=4).content))["rows"] == [[8]]
    assert json.loads(str(called(stand_in, "bob", "doubled", amount=4, twice=True).content))["rows"] == [[16]]
    assert json.loads(str(called(stand_in, "bob", "doubled", amount=None).content))["rows"] == [[None]]


def test_a_function_may_return_a_table(stand_in: StandIn) -> None:
    content = json.loads(str(called(stand_in, "alice", "shops", most=2).content))
    assert (content["columns"], content["row_count"]) == (["name"], 2)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "its parameter amount is missing"),
        ({"amount": 1, "more": 2}, "it has no parameter more"),
        ({"amount": [1]}, "its parameter amount takes one value"),
    ],
)
def test_wrong_arguments_are_told_and_nothing_is_sent(stand_in: StandIn, arguments: dict[str, Any], why: str) -> None:
    said = called(stand_in, "alice", "doubled", **arguments)
    assert said.status == "error"
    assert why in str(said.content)
    assert not stand_in.workspace.sent("/sql/statements$")


def test_what_only_computes_is_seen_by_whoever_may_call_it(stand_in: StandIn) -> None:
    [(source, fingerprint)] = label(called(stand_in, "alice", "doubled", amount=4))
    assert source == "function lakehouse.tooling.doubled"
    for user, held in (("alice", True), ("bob", True), ("carol", False)):
        assert (stand_in.seen_by(user, source) == fingerprint) is held
    stand_in.functions.changes["lakehouse.tooling.doubled"] = {"routine_definition": "amount * 3"}
    assert stand_in.seen_by("alice", source) != fingerprint


@pytest.mark.parametrize(("function", "arguments"), [("reviews_of", {"stars": 5}), ("who", {})])
def test_what_reads_or_is_not_known_is_the_readers_own(
    stand_in: StandIn, function: str, arguments: dict[str, Any]
) -> None:
    [(source, fingerprint)] = label(called(stand_in, "alice", function, **arguments))
    assert fingerprint.endswith("~")
    assert stand_in.seen_by("alice", source) == fingerprint
    assert stand_in.seen_by("bob", source) not in (None, fingerprint)


@pytest.mark.parametrize(
    "change",
    [
        {"sql_data_access": "READS_SQL_DATA"},
        {"routine_dependencies": {"dependencies": [{"table": {"table_full_name": "lakehouse.hr.salaries"}}]}},
        {"routine_dependencies": {"dependencies": [{"function": {"function_full_name": "lakehouse.tooling.who"}}]}},
        {"routine_body": "EXTERNAL", "external_language": "Python"},
        {"routine_definition": "current_user()"},
        {"routine_definition": None},
    ],
)
def test_whatever_says_that_it_may_read_makes_it_the_readers_own(stand_in: StandIn, change: dict[str, Any]) -> None:
    stand_in.functions.changes["lakehouse.tooling.doubled"] = change
    [(_, fingerprint)] = label(called(stand_in, "alice", "doubled", amount=4))
    assert fingerprint.endswith("~")


def test_its_sources_are_told(stand_in: StandIn) -> None:
    stand_in.functions.changes["lakehouse.tooling.reviews_of"] = {
        "routine_dependencies": {"dependencies": [{"table": {"table_full_name": "lakehouse.bakehouse.reviews"}}]}
    }
    said = called(stand_in, "alice", "reviews_of", stars=5)
    assert said.response_metadata["sources"] == ["function lakehouse.tooling.reviews_of", "lakehouse.bakehouse.reviews"]


@pytest.mark.parametrize(
    ("function", "kind", "why"),
    [
        ("lakehouse.tooling.secret", AccessDeniedError, "EXECUTE"),
        ("lakehouse.tooling.nothing", TableNotFoundError, "There is no function"),
        ("tooling.doubled", TableNotFoundError, "catalog.schema.name"),
        ("lakehouse.tooling.`../../x`", TableNotFoundError, "catalog.schema.name"),
        ("lakehouse.tooling.total", QueryRefusedError, r"its parameter amounts is array<int>"),
    ],
)
def test_what_cannot_be_a_tool(stand_in: StandIn, function: str, kind: type[CatalogError], why: str) -> None:
    with pytest.raises(kind, match=why):
        function_tools(access(stand_in, "alice"), function)
    assert not stand_in.workspace.sent("/Me")


def test_a_missing_scope_is_named(stand_in: StandIn) -> None:
    with pytest.raises(AccessDeniedError, match="was not given the scope unity-catalog, which"):
        function_tools(access(stand_in, "alice", {"sql"}), "lakehouse.tooling.doubled")
    [tool] = function_tools(access(stand_in, "alice", {"unity-catalog"}), "lakehouse.tooling.doubled")
    assert "was not given the scope sql, which" in str(call(tool, amount=1).content)


def test_a_right_that_is_gone_is_noticed_at_the_next_call(stand_in: StandIn) -> None:
    [tool] = function_tools(access(stand_in, "alice"), "lakehouse.tooling.doubled")
    stand_in.workspace.fail("/functions/", 403, "PERMISSION_DENIED", "User does not have EXECUTE on Routine.")
    said = call(tool, amount=1)
    assert (said.status, "does not have EXECUTE" in str(said.content)) == ("error", True)
    assert not stand_in.workspace.sent("/sql/statements$")
