"""Sharing as people type it, on the sample lakehouse."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from typer.testing import CliRunner

from agent.cli import failures
from agent.cli.app import app

pytestmark = [pytest.mark.embedded, pytest.mark.usefixtures("unshared_afterwards")]

QUESTION = "how many transactions are there?"


def mooring(*args: str) -> Any:
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done


def refusal(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What a command prints when it fails."""
    done = CliRunner().invoke(app, args)
    assert isinstance(done.exception, Exception)
    assert failures.report(done.exception) == 1
    return capsys.readouterr().err


@pytest.fixture
def session(lakehouse: object) -> str:
    """A session of alice's about a table of which bob sees a part."""
    name = f"plans-{uuid4().hex[:8]}"
    mooring("ask", QUESTION, "--session", name)
    return name


def test_a_viewer_sees_placeholders_and_an_editor_goes_on(session: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = ("sessions", "show", session, "--as", "bob", "--owner", "alice")
    asked = ("ask", QUESTION, "--session", session, "--as", "bob", "--owner", "alice", "-o", "json")
    missing = refusal(capsys, *shown)
    assert "'alice' has no session" in missing
    assert "'alice' has no session" in refusal(capsys, *asked)

    mooring("sessions", "share", session, "--with", "bob")

    hers = mooring("sessions", "show", session).stdout
    seen = mooring(*shown).stdout
    figure = json.loads(mooring("sessions", "export", session).stdout)["messages"][-1]["content"]
    assert figure in hers
    assert figure not in seen
    assert "withheld: derived from lakehouse.bakehouse.transactions" in seen
    exported = json.loads(mooring("sessions", "export", session, "--as", "bob", "--owner", "alice").stdout)
    assert exported["owner"] == "alice"
    assert "shared with you as a viewer" in refusal(capsys, *asked)

    mooring("sessions", "share", session, "--with", "bob", "--role", "editor")

    answer = json.loads(mooring(*asked).stdout)
    assert (answer["session"], answer["owner"]) == (session, "alice")
    assert answer["answer"] not in mooring("sessions", "show", session).stdout
    last = ("ask", QUESTION, "--continue", "--as", "bob", "--owner", "alice", "-o", "json")
    assert json.loads(mooring(*last).stdout)["session"] == session


def test_shares_are_listed_taken_back_and_gone_with_the_session(
    session: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mooring("sessions", "share", session, "--with", "group:analysts", "--role", "editor")
    mooring("sessions", "share", session, "--with", "bob")
    listed = json.loads(mooring("sessions", "shares", session, "-o", "json").stdout)
    assert [(s["owner"], s["session"], s["shared_with"], s["role"]) for s in listed] == [
        ("alice", session, "group:analysts", "editor"),
        ("alice", session, "bob", "viewer"),
    ]
    assert session in mooring("sessions", "shares", "--as", "bob").stdout

    mooring("sessions", "unshare", session, "--with", "bob")
    assert session not in mooring("sessions", "shares", "--as", "bob").stdout
    assert "is not shared with 'bob'" in refusal(capsys, "sessions", "unshare", session, "--with", "bob")

    mooring("sessions", "transfer", session, "--to", "bob")
    assert "You have no session" in refusal(capsys, "sessions", "show", session)
    assert session in mooring("sessions", "list", "--as", "bob").stdout


def test_an_owner_without_a_session_is_no_session(lakehouse: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name one with --session" in refusal(capsys, "ask", QUESTION, "--owner", "bob")
    nothing = refusal(capsys, "ask", QUESTION, "--owner", "bob", "--continue")
    assert "no session to continue" in nothing


def test_the_audit_tells_of_it(session: str) -> None:
    mooring("sessions", "share", session, "--with", "bob")
    mooring("sessions", "show", session, "--as", "bob", "--owner", "alice")
    mooring("sessions", "export", session)

    told = json.loads(mooring("audit", "--session", session, "--since", "7d", "-o", "json").stdout)

    assert {entry["owner"] for entry in told} == {"alice"}
    assert [(entry["actor"], entry["act"]) for entry in reversed(told)] == [
        ("alice", "wrote"),
        ("alice", "read"),
        ("alice", "shared"),
        ("bob", "opened"),
        ("bob", "withheld"),
        ("alice", "exported"),
    ]
    assert told[-2]["tables"] == ["lakehouse.bakehouse.transactions"]
    assert told[-3]["role"] == "viewer"
    read = mooring("audit", "--table", "bakehouse.transactions", "--user", "alice", "--session", session).stdout.split()
    assert read[2:5] == ["alice", "read", "alice"]
    assert "shared" not in read
    his = json.loads(mooring("audit", "--session", session, "--as", "bob", "-o", "json").stdout)
    assert {entry["act"] for entry in his} == {"shared", "opened", "withheld"}
    assert json.loads(mooring("audit", "--session", session, "--as", "carol", "-o", "json").stdout) == []


def test_only_auditors_break_the_glass(session: str, capsys: pytest.CaptureFixture[str], lakehouse: Any) -> None:
    broken = ("sessions", "show", session, "--as", "carol", "--owner", "alice", "--break-glass")
    assert CliRunner().invoke(app, broken).exit_code == 2
    assert "auditors' role" in refusal(capsys, *broken, "--reason", "case 7")
    group = "auditors_of_tests"  # a schema has one such role
    with psycopg.connect(lakehouse.superuser, autocommit=True) as admin:
        with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            admin.execute(f"create role {group}".encode())
        admin.execute(f"grant {group} to carol".encode())
        mooring("db", "migrate", "--auditor-role", group)
        assert group in mooring("db", "migrate", "--auditor-role", group, "--print").stdout
        try:
            hers = json.loads(mooring("sessions", "export", session).stdout)["messages"]
            seen = json.loads(mooring(*broken, "--reason", "case 7", "-o", "json").stdout)
            assert (seen["owner"], seen["messages"]) == ("alice", hers)
        finally:
            admin.execute(f"revoke {group} from carol".encode())
    assert "(case 7)" in mooring("audit", "--session", session).stdout
    assert "auditors' role" in refusal(capsys, *broken, "--reason", "case 7")


def test_an_answer_is_rated(session: str, capsys: pytest.CaptureFixture[str]) -> None:
    def last() -> Any:
        return json.loads(mooring("sessions", "show", session, "-o", "json").stdout)["messages"][-1]

    message = last()["id"]
    assert mooring("feedback", session, message, "up").stdout == ""
    given = json.loads(mooring("feedback", session, message, "down", "--comment", "too many", "-o", "json").stdout)
    assert (given["session"], given["message"], given["rating"]) == (session, message, "down")
    assert last()["feedback"] == {"rating": "down", "comment": "too many"}
    assert CliRunner().invoke(app, ["feedback", session, message, "sideways"]).exit_code == 2
    assert "no such message" in refusal(capsys, "feedback", session, "none", "up")
    assert "2000 characters" in refusal(capsys, "feedback", session, message, "up", "--comment", "x" * 2001)

    theirs = ("feedback", session, message, "up", "--as", "bob", "--owner", "alice")
    assert "'alice' has no session" in refusal(capsys, *theirs)
    mooring("sessions", "share", session, "--with", "bob")
    assert "withheld from you" in refusal(capsys, *theirs)
    assert last()["feedback"]["rating"] == "down"
