"""Pruning and legal holds as people and administrators type them, on an embedded server of their own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from tests.embedded import fresh_home

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTION = "how many suppliers are there?"


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    """How to log in as the superuser of a server of its own."""
    before = os.environ["MOORING_HOME"]
    with fresh_home() as home:
        os.environ["MOORING_HOME"] = str(home)
        try:
            yield mooring("db", "url", "--role", "admin").stdout.strip()
        finally:
            os.environ["MOORING_HOME"] = before


@pytest.fixture
def aged(superuser: str) -> None:
    """Two sessions of alice's and one of bob's; those named "old" were last used 40 days ago."""
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute("delete from mooring.threads")
        for person, session in (("alice", "old"), ("alice", "new"), ("bob", "old")):
            mooring("ask", QUESTION, "--as", person, "--session", session)
        conn.execute("update mooring.threads set updated_at = now() - interval '40 days' where thread_id = 'old'")


def mooring(*args: str, fails: bool = False) -> Any:
    done = CliRunner().invoke(app, args)
    assert (done.exit_code != 0) is fails, done.output
    return done


def pruned(*args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(mooring(*args, "-o", "json").stdout)
    return found


@pytest.mark.usefixtures("aged")
def test_a_person_prunes_what_is_their_own() -> None:
    dry = ("sessions", "prune", "--older-than", "30d", "--keep-last", "2", "--dry-run")
    found = {each["session"]: each for each in pruned(*dry)}
    assert {name: (each["owner"], each["whole"], each["blocked"]) for name, each in found.items()} == {
        "old": ("alice", True, None),
        "new": ("alice", False, None),
    }
    assert found["old"]["rows"] > found["old"]["checkpoints"] > 2
    assert found["old"]["bytes"] > 500
    new, old = sorted(mooring(*dry).stdout.splitlines())
    assert old.startswith("old\t")
    assert "would delete the session" in old
    assert new.startswith("new\t")
    assert f"would delete {found['new']['checkpoints']} checkpoints" in new
    assert pruned("sessions", "prune", "--older-than", "60d") == []

    assert {each["session"]: each for each in pruned(*dry[:-1])} == found
    assert pruned(*dry) == []
    assert [s["session"] for s in json.loads(mooring("sessions", "list", "-o", "json").stdout)] == ["new"]
    assert mooring("sessions", "show", "new").stdout.startswith(f"> {QUESTION}")
    assert [s["session"] for s in json.loads(mooring("sessions", "list", "--as", "bob", "-o", "json").stdout)] == [
        "old"
    ]


@pytest.mark.usefixtures("aged")
def test_an_administrator_holds_and_prunes() -> None:
    mooring("db", "hold", "bob", "old", "--reason", "case 2026-113")
    assert [
        (h["owner"], h["session"], h["reason"]) for h in json.loads(mooring("db", "holds", "-o", "json").stdout)
    ] == [("bob", "old", "case 2026-113")]
    assert "case 2026-113" in mooring("db", "holds").stdout

    refused = mooring("sessions", "delete", "old", "--as", "bob", fails=True)
    assert "under legal hold" in str(refused.exception)
    kept = pruned("db", "prune", "--older-than", "30d")
    assert [(each["owner"], each["session"], each["blocked"]) for each in kept] == [
        ("alice", "old", None),
        ("bob", "old", "legal hold"),
    ]
    assert "kept (legal hold)" in mooring("db", "prune", "--older-than", "30d").stdout
    assert "kept (legal hold)" in mooring("sessions", "prune", "--older-than", "30d", "--as", "bob").stdout

    mooring("db", "release", "bob", "old")
    assert mooring("db", "holds").stdout == ""
    assert "would delete the session" in mooring("db", "prune", "--older-than", "30d", "--dry-run").stdout
    assert mooring("db", "prune", "--older-than", "30d").stdout.split()[:2] == ["bob", "old"]
    assert json.loads(mooring("sessions", "list", "--as", "bob", "-o", "json").stdout) == []


@pytest.mark.usefixtures("superuser")
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("sessions", "prune", "--older-than", "30"), "12h, 30d, 8w"),
        (("sessions", "prune", "--older-than", "0d"), "12h, 30d, 8w"),
        (("db", "prune", "--older-than", "999999w"), "at most 100 years"),
        (("db", "prune", "--keep-last", str(2**31)), "2147483647"),
        (("sessions", "prune", "--keep-last", "0"), "--keep-last"),
        (("db", "hold", "alice", "new"), "--reason"),
        (("db", "hold", "carol", "new", "--reason", "x"), "'carol' has no thread 'new'"),
        (("db", "release", "alice", "new"), "mooring db holds"),
    ],
)
def test_what_cannot_be_is_told(args: tuple[str, ...], says: str) -> None:
    failed = mooring(*args, fails=True)
    assert says in failed.output + str(failed.exception)


def test_without_an_administrator_s_url_the_setting_is_named(superuser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_DATABASE_URL", superuser)
    for command in (
        ("db", "prune"),
        ("db", "holds"),
        ("db", "hold", "a", "b", "--reason", "c"),
        ("db", "release", "a", "b"),
    ):
        assert "set MOORING_ADMIN_URL" in str(mooring(*command, fails=True).exception)
    monkeypatch.setenv("MOORING_ADMIN_URL", "postgresql://nobody@127.0.0.1:1/x")
    assert "mend the host and port in MOORING_ADMIN_URL" in str(mooring("db", "prune", fails=True).exception)
