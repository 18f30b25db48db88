"""What people and programs are shown of what they may not read any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from agent.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

pytestmark = pytest.mark.embedded

FIGURE = "735194628"


@pytest.fixture
def table(admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A table that alice reads."""
    schema = f"till_{uuid4().hex[:8]}"
    admin.execute(f"create schema {schema}".encode())
    admin.execute(f"create table {schema}.receipts as select {FIGURE} as amount".encode())
    admin.execute(f"grant usage on schema {schema} to alice; grant select on {schema}.receipts to alice".encode())
    yield f"{schema}.receipts"
    admin.execute(f"drop schema {schema} cascade".encode())


def mooring(*args: str) -> str:
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_is_withheld_reads_so_in_json_and_says_why_in_text(admin: psycopg.Connection[Any], table: str) -> None:
    session = f"s-{uuid4().hex[:8]}"
    asked = json.loads(mooring("ask", f"what is the total amount in {table}?", "--session", session, "-o", "json"))
    assert FIGURE in asked["answer"].replace(",", "")
    assert asked["withheld"] is None
    before = mooring("sessions", "export", session)
    assert '"withheld": {' not in before

    admin.execute(f"revoke select on {table} from alice".encode())

    for command in (("sessions", "show", session, "-o", "json"), ("sessions", "export", session)):
        printed = mooring(*command)
        assert FIGURE not in printed.replace(",", "")
        messages = json.loads(printed)["messages"]
        assert messages[0]["content"] is not None
        closed = [message for message in messages if message["withheld"]]
        assert closed[-1] == messages[-1]
        for message in closed:
            assert message["content"] is None
            assert message["withheld"]["sources"] == [f"lakehouse.{table}"]
            assert "may not read now" in message["withheld"]["reason"]
        uses = [use for message in messages for use in message["tool_calls"]]
        assert uses[-1]["withheld"]["sources"] == [f"lakehouse.{table}"]
        assert uses[-1]["rows"] is None
    text = mooring("sessions", "show", session)
    assert FIGURE not in text.replace(",", "")
    assert text.count(f"derived from lakehouse.{table}, which you may not read now") == len(closed)

    admin.execute(f"grant select on {table} to alice".encode())
    assert mooring("sessions", "export", session) == before


def test_why_explains_a_decision(admin: psycopg.Connection[Any], table: str) -> None:
    session = f"s-{uuid4().hex[:8]}"
    mooring("ask", f"what is the total amount in {table}?", "--session", session)
    last = len(json.loads(mooring("sessions", "export", session))["messages"]) - 1
    shown = mooring("why", session)
    assert f"{last} assistant: shown\n  lakehouse.{table}, read whole\n    You may read it now" in shown
    assert "0 user: shown, derived from no table" in shown

    admin.execute(f"revoke select on {table} from alice".encode())

    text = mooring("why", session, "--message", str(last))
    grant = f"GRANT SELECT ON {table} TO alice"
    assert text.splitlines() == [
        f"{last} assistant: withheld",
        f"  lakehouse.{table}, read whole",
        "    You may not read it now.",
        f"    missing: {grant}",
        f"    ask {admin.info.user}",
    ]
    told = json.loads(mooring("why", session, "-o", "json"))
    assert told["session"] == session
    assert [message["number"] for message in told["messages"]] == list(range(last + 1))
    assert [message["withheld"] for message in told["messages"]] == [
        bool(message["reasons"]) for message in told["messages"]
    ]
    assert told["messages"][last]["reasons"] == [
        {
            "source": f"lakehouse.{table}",
            "seen": "whole",
            "expires_at": None,
            "held": False,
            "rule": "You may not read it now.",
            "missing": [grant],
            "grantors": [admin.info.user],
        }
    ]
    for wrong in (("why", session, "--message", "99"), ("why", "no-such"), ("why", session, "--as", "bob")):
        assert CliRunner().invoke(app, wrong).exit_code == 1
    admin.execute(grant.encode())
    assert mooring("why", session) == shown
