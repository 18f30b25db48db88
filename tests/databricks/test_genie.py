"""Genie spaces as tools: what Genie writes is run as the caller, and governed as any query."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.databricks.calling import access, call
from tests.databricks.genie import SPACE
from tools import AccessDeniedError, CatalogError, TableNotFoundError
from tools.workspace import genie_tools

if TYPE_CHECKING:
    from langchain_core.messages import ToolMessage

    from tests.databricks.stand_in import StandIn

REVIEWS = "select count(*) as n from lakehouse.bakehouse.reviews"
ASKED = {
    "how many reviews?": REVIEWS,
    "how many shops?": f"select nothing from lakehouse.bakehouse.suppliers -- then -- {REVIEWS}",
    "in a function": "select n, upper(current_user()) as u from (select 5 as n) t",
    "salaries?": "select count(*) from lakehouse.hr.salaries",
    "what are you?": "A space about shops.",
}
OWN = f"genie-unknown {SPACE}"


@pytest.fixture(autouse=True)
def knowing(stand_in: StandIn) -> None:
    stand_in.genie.answers |= ASKED


def asked(stand_in: StandIn, user: str, question: str) -> tuple[dict[str, Any], ToolMessage]:
    [tool] = genie_tools(access(stand_in, user), SPACE)
    message = call(tool, question=question)
    return json.loads(str(message.content)) if message.status == "success" else {}, message


def labels(message: ToolMessage) -> dict[str, str]:
    return dict(message.response_metadata["mooring"]["labels"])


def test_a_space_is_described_and_asked_as_the_caller(stand_in: StandIn) -> None:
    [tool] = genie_tools(access(stand_in, "alice"), SPACE)
    assert tool.name == f"genie_{SPACE}"
    assert tool.description.endswith(
        "Genie space Shops a question about its tables; it writes the SQL. Sales and reviews"
    )
    content, _ = asked(stand_in, "alice", "how many reviews?")
    assert content == {
        "sql": REVIEWS,
        "description": "Answers 'how many reviews?'",
        "columns": ["n"],
        "rows": [[240]],
        "row_count": 1,
        "truncated": False,
    }
    assert stand_in.workspace.users() == {"alice"}


def test_each_asks_as_themselves_at_once(stand_in: StandIn) -> None:
    both = threading.Barrier(2)

    def counted(user: str) -> set[int]:
        both.wait(30)
        return {asked(stand_in, user, "how many reviews?")[0]["rows"][0][0] for _ in range(3)}

    with ThreadPoolExecutor(2) as pool:
        alice, bob = pool.map(counted, ("alice", "bob"))
    assert alice == {240}
    assert len(bob) == 1
    assert bob != alice
    assert {(each.user, each.content) for each in stand_in.genie.asked} == {
        ("alice", "how many reviews?"),
        ("bob", "how many reviews?"),
    }


def test_the_query_is_fingerprinted_before_it_is_run_again(stand_in: StandIn) -> None:
    _, message = asked(stand_in, "alice", "how many reviews?")
    paths = [request.path for request in stand_in.workspace.requests]
    table = paths.index("/api/2.1/unity-catalog/tables/lakehouse.bakehouse.reviews")
    assert table < paths.index("/api/2.0/sql/statements")
    assert not stand_in.workspace.sent("query-result")
    assert message.response_metadata["sources"] == ["lakehouse.bakehouse.reviews"]
    found = labels(message)
    assert found.keys() == {"lakehouse.bakehouse.reviews", f"genie {SPACE}"}
    for source, fingerprint in found.items():
        assert stand_in.seen_by("alice", source) == fingerprint
    assert stand_in.seen_by("bob", f"genie {SPACE}") == found[f"genie {SPACE}"]
    assert stand_in.seen_by("carol", f"genie {SPACE}") is None


def test_the_last_query_counts_and_what_was_tried_is_a_source(stand_in: StandIn) -> None:
    content, message = asked(stand_in, "alice", "how many shops?")
    assert content["rows"] == [[240]]
    assert message.response_metadata["sources"] == ["lakehouse.bakehouse.reviews", "lakehouse.bakehouse.suppliers"]


def test_what_its_text_does_not_tell_is_the_readers_own(stand_in: StandIn) -> None:
    content, message = asked(stand_in, "alice", "in a function")
    assert content["rows"] == [[5, "ALICE"]]
    assert not stand_in.workspace.sent("/sql/statements$")
    [(source, fingerprint)] = labels(message).items()
    assert source == OWN
    assert fingerprint.endswith("~")
    assert stand_in.seen_by("alice", OWN) == fingerprint
    assert stand_in.seen_by("bob", OWN) not in (None, fingerprint)
    stand_in.genie.people.clear()
    assert stand_in.seen_by("alice", OWN) is None


def test_words_without_a_query_are_the_readers_own(stand_in: StandIn) -> None:
    content, message = asked(stand_in, "alice", "what are you?")
    assert content == {"answer": "In words: A space about shops."}
    assert labels(message).keys() == {OWN}


def test_words_beside_a_query_are_left_out(stand_in: StandIn) -> None:
    assert "In words" not in str(asked(stand_in, "alice", "how many reviews?")[1].content)


def test_what_the_caller_may_not_read_they_do_not_get_through_genie(stand_in: StandIn) -> None:
    _, message = asked(stand_in, "alice", "salaries?")
    assert (message.status, str(message.content)) == ("error", "Genie's query did not succeed: FAILED.")
    assert labels(message).keys() == {OWN}


def test_a_failure_quotes_no_value(stand_in: StandIn) -> None:
    stand_in.genie.status = "FAILED"
    _, message = asked(stand_in, "alice", "how many reviews?")
    assert str(message.content) == "Genie did not answer: SQL_EXECUTION_EXCEPTION."


def test_waiting_for_genie_can_be_cancelled(stand_in: StandIn) -> None:
    stand_in.genie.status = "ASKING_AI"
    own = access(stand_in, "alice")
    [tool] = genie_tools(own, SPACE)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, tool, question="how many reviews?")
        while len(stand_in.workspace.sent("/messages/")) < 2:
            threading.Event().wait(0.01)
        own.statements.cancel()
        assert str(waiting.result(10).content) == "The question to Genie was cancelled."


@pytest.mark.parametrize(
    ("user", "space", "kind", "why"),
    [
        ("carol", SPACE, AccessDeniedError, "Can View"),
        ("alice", "01ff", TableNotFoundError, "There is no Genie space 01ff"),
        ("alice", "../../x", TableNotFoundError, "is not the id of a Genie space"),
    ],
)
def test_what_cannot_be_a_tool(stand_in: StandIn, user: str, space: str, kind: type[CatalogError], why: str) -> None:
    with pytest.raises(kind, match=why):
        genie_tools(access(stand_in, user), space)


def test_a_missing_scope_is_named(stand_in: StandIn) -> None:
    with pytest.raises(AccessDeniedError, match=r"was not given the scope dashboards\.genie, which"):
        genie_tools(access(stand_in, "alice", {"sql", "unity-catalog"}), SPACE)
