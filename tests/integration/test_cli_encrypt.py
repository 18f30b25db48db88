"""Encryption as an operator turns it on: keys, the sessions that are there already, and a key that is changed."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from agent import local
from tests.embedded import fresh_home
from tests.integration.test_cli import mooring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW = (f"{name}={b64encode(bytes([n]) * 32).decode()}" for n, name in enumerate(("old", "new")))
QUESTION = "how many reviews are there?"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A server of its own, whose sessions are everybody's."""
    with fresh_home() as found:
        local.start(found)
        yield found


def told(home: Path, *args: str, keys: str = "", code: int = 0) -> str:
    done = mooring(*args, MOORING_HOME=str(home), MOORING_ENCRYPTION_KEYS=keys)
    assert done.returncode == code, done.stdout + done.stderr
    for key in (OLD, NEW):
        assert key.partition("=")[2] not in done.stdout + done.stderr
    return done.stdout + done.stderr


def encrypted(home: Path, keys: str, *args: str, code: int = 0) -> dict[str, Any]:
    found = json.loads(told(home, "db", "encrypt", "-o", "json", *args, keys=keys, code=code))
    return {each["session"]: each for each in found}


def test_sessions_are_encrypted_and_gone_on_with_under_changing_keys(home: Path, tmp_path: Path) -> None:
    told(home, "ask", QUESTION, "--session", "first")
    told(home, "ask", QUESTION, "--session", "his", "--as", "bob")
    told(home, "ask", QUESTION, "--session", "second", keys=OLD)

    # with keys, nothing in the clear is read; and nothing encrypted without
    assert "mooring db encrypt" in told(home, "sessions", "show", "first", keys=OLD, code=1)
    assert "MOORING_ENCRYPTION_KEYS" in told(home, "sessions", "show", "second", code=1)
    assert "mooring db encrypt" in told(home, "doctor", keys=OLD, code=1)

    dry = encrypted(home, OLD, "--dry-run")
    assert encrypted(home, OLD, "--user", "bob").keys() == {"his"}
    assert encrypted(home, OLD) == {name: dry[name] for name in ("first",)}
    assert all(each["rows"] > 3 and each["blocked"] is None for each in dry.values())
    assert "240" in told(home, "sessions", "show", "first", keys=OLD)
    assert "encrypted under the key 'old'" in told(home, "doctor", keys=OLD)

    # a new key: both sessions go on, are encrypted under it, and the old one is no longer needed
    file = tmp_path / "keys"
    file.write_text(f"{NEW}\n{OLD}\n")
    told(home, "ask", "and per rating?", "--session", "first", keys=f"file:{file}")
    told(home, "db", "hold", "alice", "second", "--reason", "case")
    report = told(home, "db", "encrypt", keys=f"file:{file}", code=1)
    assert "alice\tsecond\tkept (legal hold)\n" in report
    assert "encrypted under the key new: 2 sessions, " in report
    told(home, "db", "release", "alice", "second")
    assert encrypted(home, f"file:{file}").keys() == {"second"}
    assert encrypted(home, NEW) == {}
    assert "240" in told(home, "sessions", "show", "second", keys=NEW)
    assert "second" in told(home, "sessions", "list", keys=NEW)
    told(home, "sessions", "share", "first", "--with", "bob", keys=NEW)
    shown = told(home, "sessions", "show", "first", "--owner", "alice", "--as", "bob", keys=NEW)
    assert QUESTION in shown
    assert "withheld" in shown
    assert "240" not in shown


def test_keys_that_cannot_be_used_are_told_and_not_shown(home: Path) -> None:
    for keys, *command in (("c2VjcmV0", "ask", QUESTION), ("new=c2VjcmV0", "db", "encrypt"), ("file:/none", "doctor")):
        shown = told(home, *command, keys=keys, code=1)
        assert "MOORING_ENCRYPTION_KEYS cannot be used" in shown
        assert "c2VjcmV0" not in shown
        assert "Traceback" not in shown
    assert "set MOORING_ENCRYPTION_KEYS" in told(home, "db", "encrypt", code=1)
