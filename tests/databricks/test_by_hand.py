"""The stand-in by hand: what it prints is all that a chat needs, with its sessions on its Lakebase."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from agent.cli.app import app

if TYPE_CHECKING:
    from agent.database import Database

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def printed(lakehouse: Database) -> Iterator[dict[str, str]]:
    """The variables that it prints."""
    program = [sys.executable, "-m", "tests.databricks"]
    with subprocess.Popen(program, cwd=REPOSITORY, env=os.environ, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            found: dict[str, str] = {}
            while "PGDATABASE" not in found:
                line = running.stdout.readline()
                assert line, found
                found.update(re.findall(r"([A-Z_]+)=(\S+)", line))
            yield found
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(60) == 0


def test_people_chat_with_what_it_prints(printed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in printed.items():
        monkeypatch.setenv(name, value)

    def said(*command: str) -> str:
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    question = "how many reviews are there?"
    assert "The number of reviews is 240." in said("ask", question, "-p", "stand-in")
    assert "The number of reviews is 24." in said("ask", question, "-p", "bob")
    assert said("sessions", "list", "-p", "bob").count(question) == 1
