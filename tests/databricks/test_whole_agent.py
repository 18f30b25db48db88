"""The whole agent through a workspace: `mooring --profile` of two people, their data, sessions, model and logins."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.errors import MooringError
from tests.databricks.asking import ask, seen_by_model
from tests.databricks.lakebase import ENDPOINT as COMPUTE
from tests.databricks.serving import tool_call

if TYPE_CHECKING:
    import psycopg

    from tests.databricks.lakebase import Lakebase
    from tests.databricks.stand_in import StandIn

pytestmark = [
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="databricks-langchain is not for this Python"),
    pytest.mark.usefixtures("profiles"),
]
REVIEWS = "select count(*) as n from lakehouse.bakehouse.reviews"


def counting(stand_in: StandIn) -> None:
    """Let the model count the reviews, and then say something."""
    stand_in.serving.replies += [tool_call("query", sql=REVIEWS), {"role": "assistant", "content": "Counted."}]


def test_two_people_each_with_their_own_rows_and_sessions(stand_in: StandIn) -> None:
    counting(stand_in)
    alice = ask("alice", "how many reviews?")
    assert '"rows": [[240]]' in seen_by_model(stand_in)[0]
    assert stand_in.workspace.users() == {"alice"}
    counting(stand_in)
    bob = ask("bob", "how many reviews?", "--session", alice["session"])
    [told] = seen_by_model(stand_in)  # nothing of alice's session of this name
    assert '"rows": [[240]]' not in told
    assert bob["session"] == alice["session"]
    assert stand_in.workspace.users() == {"alice", "bob"}
    [first, second] = stand_in.workspace.sent("/sql/statements$")
    assert first.body["query_tags"] == [
        {"key": "session", "value": alice["session"]},
        {"key": "principal", "value": "alice"},
    ]
    assert (first.user, second.user) == ("alice", "bob")


def test_no_token_is_stored(stand_in: StandIn, admin: psycopg.Connection) -> None:
    counting(stand_in)
    session = ask("alice", "how many reviews?")["session"]
    [secret] = {r.headers["Authorization"].rpartition("-")[2] for r in stand_in.workspace.requests if r.user}
    stored = ""
    for table in ("threads", "items", "checkpoints", "writes"):
        stored += "".join(str(row) for row in admin.execute(f"select t::text from mooring.{table} t".encode()))
    assert session in stored
    for form in (secret, secret.encode().hex()):
        assert form not in stored


def test_an_answer_is_shown_to_whom_it_was_given(stand_in: StandIn) -> None:
    counting(stand_in)
    answer = ask("alice", "how many reviews?")
    assert answer["answer"] == "Counted."
    assert answer["sources"] == ["lakehouse.bakehouse.reviews"]


def test_what_unity_catalog_no_longer_shows_is_withheld_until_it_does(stand_in: StandIn) -> None:
    def shown() -> str:
        command = ["sessions", "show", session, "-p", "alice", "-o", "json"]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    counting(stand_in)
    session = ask("alice", "how many reviews?")["session"]
    assert "Counted." in shown()
    for change in ({"table_id": "another"}, {"row_filter": {"function_name": "lakehouse.bakehouse.f"}}):
        stand_in.unity.changes["lakehouse.bakehouse.reviews"] = change
        assert "Counted." not in shown()
        assert "lakehouse.bakehouse.reviews" in shown()
    stand_in.unity.changes.clear()
    assert "Counted." in shown()


def test_the_model_is_told_the_dialect_and_the_refusals(stand_in: StandIn) -> None:
    stand_in.serving.replies += [
        tool_call("query", sql="select * from bakehouse.reviews"),
        tool_call("query", sql="select * from lakehouse.hr.salaries"),
        {"role": "assistant", "content": "I may not."},
    ]
    assert ask("alice", "what does everybody earn?")["answer"] == "I may not."
    first = stand_in.workspace.sent("/serving-endpoints/")[0]
    described = {tool["function"]["name"]: tool["function"]["description"] for tool in first.body["tools"]}
    assert "(Databricks SQL)" in described["query"]
    unqualified, refused = seen_by_model(stand_in)
    assert "as catalog.schema.table" in unqualified
    assert "User does not have SELECT" in refused
    assert not stand_in.workspace.sent("/sql/statements$")


def test_every_command_about_sessions_takes_a_profile(stand_in: StandIn) -> None:
    counting(stand_in)
    session = ask("alice", "how many reviews?")["session"]
    for command in (
        ["sessions", "list"],
        ["sessions", "export", session],
        ["sessions", "rename", session, "another title"],
        ["sessions", "share", session, "--with", "bob"],
        ["sessions", "shares", session],
        ["sessions", "unshare", session, "--with", "bob"],
        ["sessions", "prune", "--older-than", "30d", "--dry-run"],
        ["why", session],
        ["audit", "--session", session],
        ["sessions", "transfer", session, "--to", "bob"],
        ["sessions", "delete", session],
    ):
        # The last is bob's by then, and so is no session of alice's.
        result = CliRunner().invoke(app, [*command, "--profile", "bob" if command[1] == "delete" else "alice"])
        assert result.exit_code == 0, command
    assert CliRunner().invoke(app, ["sessions", "list", "-p", "nobody"]).exit_code != 0


def test_doctor_tells_what_a_profile_reaches(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(profile: str) -> tuple[int, dict[str, Any]]:
        result = CliRunner().invoke(app, ["doctor", "-p", profile, "-o", "json"], catch_exceptions=False)
        return result.exit_code, {check["name"]: check for check in json.loads(result.stdout)}

    code, checks = told("alice")
    assert code == 0
    assert list(checks) == ["caller", "model", "sessions", "tables"]
    assert checks["caller"]["detail"].startswith(f"alice, proven by {stand_in.workspace.url}")
    assert checks["tables"]["detail"].endswith("that alice may read")
    assert stand_in.workspace.token("alice") not in str(checks)
    monkeypatch.delenv("DATABRICKS_WAREHOUSE_ID")
    code, checks = told("alice")
    assert code == 1
    assert "DATABRICKS_WAREHOUSE_ID" in checks["tables"]["remedy"]
    assert checks["sessions"]["ok"]
    code, checks = told("nobody")
    assert code == 1
    assert list(checks) == ["caller"]
    assert not checks["caller"]["ok"]


def test_a_profile_may_be_a_setting_and_as_is_somebody_else(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_PROFILE", "bob")
    result = CliRunner().invoke(app, ["ask", "hi", "-o", "json"], catch_exceptions=False)
    assert json.loads(result.stdout)["answer"] == "Hello bob"
    with pytest.raises(MooringError, match="two people"):
        CliRunner().invoke(app, ["ask", "hi", "-p", "bob", "--as", "alice"], catch_exceptions=False)


def test_without_a_warehouse_it_says_what_to_set(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABRICKS_WAREHOUSE_ID")
    with pytest.raises(MooringError, match="DATABRICKS_WAREHOUSE_ID"):
        CliRunner().invoke(app, ["ask", "hi", "-p", "bob"], catch_exceptions=False)


def test_sessions_on_lakebase_are_the_persons_own_login(
    stand_in: StandIn, lakebase: Lakebase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEBASE_ENDPOINT", COMPUTE)
    monkeypatch.setenv("PGPORT", str(lakebase.port))
    monkeypatch.setenv("PGDATABASE", "lakehouse")
    monkeypatch.setenv("MOORING_PROFILE", "alice")
    result = CliRunner().invoke(app, ["sessions", "list"], catch_exceptions=False)
    assert result.exit_code == 0
    assert {(login.user, login.encrypted, login.accepted) for login in lakebase.logins} == {("alice", True, True)}
    assert stand_in.workspace.users() == {"alice"}
