"""What a workspace offers beyond tables, in the whole agent: the caller's own, told where missing, and governed."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.conversation import Answered
from agent.host import open_host
from agent.settings import Settings
from agent.workspace import apps_caller
from tests.databricks.asking import ask, seen_by_model
from tests.databricks.genie import SPACE
from tests.databricks.servers import EXTERNAL
from tests.databricks.serving import tool_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from agent.host import Host
    from tests.databricks.stand_in import StandIn

pytestmark = [
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="databricks-langchain is not for this Python"),
    pytest.mark.usefixtures("profiles"),
]
MADE = """
drop schema if exists offering cascade;
create schema offering;
create function offering.mine() returns bigint language sql as 'select count(*) from lakehouse.bakehouse.reviews';
create function offering.hers() returns int language sql as 'select 1';
revoke execute on all functions in schema offering from public;
grant usage on schema offering to alice, bob;
grant execute on function offering.mine to alice, bob;
grant execute on function offering.hers to alice;
"""
MINE, HERS = "lakehouse.offering.mine", "lakehouse.offering.hers"
TOOL = "function_lakehouse_offering_mine"


@pytest.fixture(scope="module", autouse=True)
def made(lakehouse: Database) -> Iterator[None]:
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(4714)")
        conn.execute(MADE)
        yield
        conn.execute("drop schema offering cascade")


def offered(stand_in: StandIn) -> set[str]:
    """The names of the tools that the model was offered, at its last call."""
    last = stand_in.workspace.sent("/serving-endpoints/")[-1]
    return {tool["function"]["name"] for tool in last.body["tools"]}


def test_a_tool_works_with_the_callers_credentials(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_FUNCTIONS", MINE)
    for user, told in (("alice", [[240]]), ("bob", None)):
        stand_in.workspace.requests.clear()
        stand_in.serving.replies += [tool_call(TOOL), {"role": "assistant", "content": "So many."}]
        answer = ask(user, "how many are mine?")
        assert answer["answer"] == "So many."
        assert answer["sources"] == [f"function {MINE}"]
        [said] = seen_by_model(stand_in)
        assert (json.loads(said)["rows"] == told) is (user == "alice")
        assert stand_in.workspace.users() == {user}


def test_what_cannot_be_had_is_told_in_a_line_and_the_chat_goes_on(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORING_FUNCTIONS", f"{MINE}, {HERS}, lakehouse.offering.gone")
    answer = ask("bob", "hello?")
    assert answer["answer"] == "Hello bob"
    lines = answer["told"].splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        f"Without the function {HERS}",
        "Without the function lakehouse.offering.gone",
    ]
    assert "does not have EXECUTE" in lines[0]
    assert offered(stand_in) == {"list_tables", "describe_table", "query", TOOL}
    [instructions] = [
        m["content"]
        for m in stand_in.workspace.sent("/serving-endpoints/")[-1].body["messages"]
        if m["role"] == "system"
    ]
    assert lines[0] in instructions
    assert stand_in.workspace.users() == {"bob"}


def test_without_settings_nothing_is_asked(stand_in: StandIn) -> None:
    assert ask("alice", "hello?")["told"] == ""
    assert offered(stand_in) == {"list_tables", "describe_table", "query"}
    assert not stand_in.workspace.sent("/functions/")


def test_what_was_derived_is_withheld_when_the_right_is_gone(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown() -> str:
        command = ["sessions", "show", session, "-p", "alice", "-o", "json"]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    monkeypatch.setenv("MOORING_FUNCTIONS", MINE)
    stand_in.serving.replies += [tool_call(TOOL), {"role": "assistant", "content": "So many."}]
    session = ask("alice", "how many are mine?")["session"]
    assert "So many." in shown()
    stand_in.functions.changes[MINE] = {"routine_definition": "select 1"}
    assert "So many." not in shown()
    assert f"function {MINE}" in shown()
    stand_in.functions.changes.clear()
    assert "So many." in shown()


def test_doctor_tells_what_is_offered(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_FUNCTIONS", f"{MINE},{HERS}")
    result = CliRunner().invoke(app, ["doctor", "-p", "bob", "-o", "json"], catch_exceptions=False)
    checks: dict[str, dict[str, Any]] = {check["name"]: check for check in json.loads(result.stdout)}
    assert checks[f"function {MINE}"] == {
        "name": f"function {MINE}",
        "ok": True,
        "detail": TOOL,
        "remedy": None,
    }
    assert not checks[f"function {HERS}"]["ok"]
    assert "does not have EXECUTE" in checks[f"function {HERS}"]["detail"]


def test_each_kind_is_offered_and_has_its_line(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.indexes.add("lakehouse.bakehouse.reviews", "review_id", "review", "lakehouse.bakehouse.reviews")
    for kind, name in (
        ("FUNCTIONS", MINE),
        ("GENIE_SPACES", SPACE),
        ("MCP_SERVERS", EXTERNAL),
        ("VECTOR_INDEXES", "lakehouse.bakehouse.reviews"),
    ):
        monkeypatch.setenv(f"MOORING_{kind}", name)
    assert ask("alice", "hello?")["told"] == ""
    assert {TOOL, f"genie_{SPACE}", "search_lakehouse_bakehouse_reviews", "mcp_external_github_slow"} < offered(
        stand_in
    )
    stand_in.genie.people.clear()
    stand_in.servers.refused.add("alice")
    kinds = [line.partition(":")[0] for line in ask("alice", "hello?")["told"].splitlines()]
    assert kinds == [f"Without the Genie space {SPACE}", f"Without the MCP server {EXTERNAL}"]
    assert stand_in.workspace.users() == {"alice"}


def test_two_callers_at_once_never_swap(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_FUNCTIONS", MINE)
    monkeypatch.setenv("DATABRICKS_HOST", stand_in.workspace.url)
    both = threading.Barrier(2)

    def rule(messages: list[dict[str, Any]]) -> dict[str, Any]:
        last = messages[-1]
        return {"role": "assistant", "content": last["content"]} if last["role"] == "tool" else tool_call(TOOL)

    def answered(host: Host, user: str) -> list[int]:
        said = []
        for turn in range(4):
            caller = apps_caller({"x-forwarded-access-token": stand_in.workspace.token(user)})
            with host.conversation(caller, f"{user}-{turn}") as conversation:
                both.wait(30)
                *_, last = conversation.ask("how many are mine?")
                assert isinstance(last, Answered)
                said.append(json.loads(last.answer.answer)["rows"][0][0])
        return said

    stand_in.serving.rule = rule
    with open_host(Settings()) as host, ThreadPoolExecutor(2) as pool:
        alice, bob = pool.map(lambda user: answered(host, user), ("alice", "bob"))
    assert alice == [240] * 4
    assert len(set(bob)) == 1
    assert bob[0] < 240
    for request in stand_in.workspace.sent("/sql/statements$"):
        principal = {tag["key"]: tag["value"] for tag in request.body["query_tags"]}["principal"]
        assert request.user == principal
