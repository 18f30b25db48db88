"""Vector search indexes as tools: searched as the caller, and withheld from who could not have searched them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.databricks.calling import access, call
from tools import AccessDeniedError, CatalogError, Limits, QueryRefusedError, TableNotFoundError
from tools.workspace import Access, index_tools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import ToolMessage

    from agent.database import Database
    from tests.databricks.stand_in import StandIn

MADE = """
drop schema if exists knowing cascade;
create schema knowing;
create table knowing.handbook (id int primary key, body text, vector real[], __internal text);
insert into knowing.handbook values
  (1, 'Holidays are asked for in writing', '{1,2}', 'x'), (2, 'Ovens are cleaned at night', '{3,4}', 'x');
create table knowing.shelf (like knowing.handbook including all);
insert into knowing.shelf select * from knowing.handbook;
comment on table knowing.shelf is 'The handbook of the house';
create table knowing.vectors (id int primary key, vector real[]);
grant usage on schema knowing to alice, bob, carol;
grant select on knowing.handbook, knowing.shelf, knowing.vectors to alice;
grant select on knowing.shelf to bob;
"""
INDEX, TABLE = "lakehouse.knowing.shelf", "lakehouse.knowing.handbook"


@pytest.fixture(scope="module", autouse=True)
def made(lakehouse: Database) -> Iterator[None]:
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(4715)")
        conn.execute(MADE)
        yield
        conn.execute("drop schema knowing cascade")


@pytest.fixture(autouse=True)
def indexed(stand_in: StandIn) -> None:
    stand_in.indexes.add(INDEX, "id", "body", TABLE)


def searched(stand_in: StandIn, user: str, **arguments: Any) -> ToolMessage:
    [tool] = index_tools(access(stand_in, user), INDEX)
    return call(tool, **arguments)


def labels(message: ToolMessage) -> dict[str, str]:
    return dict(message.response_metadata["mooring"]["labels"])


def test_an_index_is_searched_as_the_caller(stand_in: StandIn) -> None:
    [tool] = index_tools(access(stand_in, "alice"), "lakehouse.knowing.SHELF")
    assert (tool.name, tool.description) == (
        "search_lakehouse_knowing_shelf",
        "Search the knowledge base lakehouse.knowing.shelf for passages about something. The handbook of the house",
    )
    said = call(tool, text="when are the ovens cleaned?")
    first, second = json.loads(str(said.content))["passages"]
    assert first == {"id": 2, "body": "Ovens are cleaned at night", "vector": [3, 4], "score": 0.3}
    assert second["id"] == 1
    [sent] = stand_in.workspace.sent("/query$")
    assert sent.body["query_text"] == "when are the ovens cleaned?"
    assert stand_in.workspace.users() == {"alice"}


def test_columns_of_vectors_are_not_asked_for(stand_in: StandIn) -> None:
    source = [{"name": "body", "embedding_model_endpoint_name": "embeds"}]
    vectors = [{"name": "vector", "embedding_dimension": 2}]
    stand_in.indexes.add(INDEX, "id", "body", None, embedding_source_columns=source, embedding_vector_columns=vectors)
    assert json.loads(str(searched(stand_in, "bob", text="ovens").content))["passages"][0].keys() == {
        "id",
        "body",
        "score",
    }


def test_the_index_and_its_table_are_labels(stand_in: StandIn) -> None:
    said = searched(stand_in, "alice", text="ovens")
    assert said.response_metadata["sources"] == [TABLE, INDEX]
    found = labels(said)
    assert found.keys() == {TABLE, INDEX}
    for source, fingerprint in found.items():
        assert stand_in.seen_by("alice", source) == fingerprint
    assert stand_in.seen_by("bob", INDEX) == found[INDEX]
    assert stand_in.seen_by("bob", TABLE) is None
    assert stand_in.seen_by("carol", INDEX) is None


def test_who_may_search_it_and_not_read_its_table_sees_their_own_answers(stand_in: StandIn) -> None:
    said = searched(stand_in, "bob", text="ovens")
    assert said.response_metadata["sources"] == [TABLE, INDEX]
    assert labels(said) == {INDEX: stand_in.seen_by("bob", INDEX)}


def test_a_table_under_a_row_filter_makes_it_the_readers_own(stand_in: StandIn) -> None:
    stand_in.unity.changes[TABLE] = {"row_filter": {"function_name": "lakehouse.knowing.f", "input_column_names": []}}
    assert labels(searched(stand_in, "alice", text="ovens"))[TABLE].endswith("~")


def test_passages_end_at_the_limit_of_bytes(stand_in: StandIn) -> None:
    whole = access(stand_in, "alice")
    [tool] = index_tools(Access(whole.client, whole.user, whole.statements, Limits(bytes=60)), INDEX)
    content = json.loads(str(call(tool, text="ovens").content))
    assert (len(content["passages"]), content["truncated"]) == (1, True)


@pytest.mark.parametrize("arguments", [{}, {"text": ""}, {"text": 5}, {"text": "ovens", "filters": {"id": 1}}])
def test_wrong_arguments_are_told_and_nothing_is_sent(stand_in: StandIn, arguments: dict[str, Any]) -> None:
    assert searched(stand_in, "alice", **arguments).status == "error"
    assert not stand_in.workspace.sent("/query$")


@pytest.mark.parametrize(
    ("user", "index", "kind", "why"),
    [
        ("carol", INDEX, AccessDeniedError, "does not have SELECT"),
        ("alice", "lakehouse.knowing.nothing", TableNotFoundError, "There is no vector search index"),
        ("alice", "knowing.shelf", TableNotFoundError, "catalog.schema.name"),
        ("alice", "lakehouse.knowing.vectors", QueryRefusedError, "searched by vectors"),
    ],
)
def test_what_cannot_be_a_tool(stand_in: StandIn, user: str, index: str, kind: type[CatalogError], why: str) -> None:
    vectors = [{"name": "vector", "embedding_dimension": 2}]
    stand_in.indexes.add("lakehouse.knowing.vectors", "id", "", None, embedding_vector_columns=vectors)
    with pytest.raises(kind, match=why):
        index_tools(access(stand_in, user), index)


def test_a_missing_scope_is_named(stand_in: StandIn) -> None:
    with pytest.raises(AccessDeniedError, match=r"was not given the scope vectorsearch\.vector-search-indexes, which"):
        index_tools(access(stand_in, "alice", {"sql", "unity-catalog"}), INDEX)


def test_a_right_that_is_gone_is_noticed_at_the_next_search(stand_in: StandIn) -> None:
    [tool] = index_tools(access(stand_in, "alice"), INDEX)
    stand_in.unity.changes[INDEX] = {"browse_only": True}
    assert call(tool, text="ovens").status == "error"
    assert not stand_in.workspace.sent("/query$")
