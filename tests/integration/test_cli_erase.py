"""Erasing a person as an administrator types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage
from typer.testing import CliRunner

from agent.cli.app import app
from checkpointer.administration import connect
from tests.integration.test_transcripts import stored

if TYPE_CHECKING:
    from agent.database import Database
    from checkpointer import GovernedPostgresSaver, Principal


def test_a_person_is_erased_by_command(lakehouse: Database, saver: GovernedPostgresSaver, person: Principal) -> None:
    for name in ("a", "b"):
        stored(saver, {"messages": [HumanMessage("hello", id="1")]}, name)
    assert lakehouse.admin is not None
    with connect(lakehouse.admin) as admin:
        admin.hold(person.name, "b", reason="case")
        command = ["sessions", "erase", "--user", person.name]
        refused = CliRunner().invoke(app, command)
        assert refused.exit_code == 1
        assert len(saver.sessions()) == 2
        dry = CliRunner().invoke(app, [*command, "--except-held", "--dry-run"])
        assert dry.stdout.startswith(f"would erase of {person.name}: threads 1, checkpoints 1, items 1, writes 0")
        assert dry.stdout.endswith("kept (legal hold): b\n")
        done = json.loads(CliRunner().invoke(app, [*command, "--except-held", "-o", "json"]).stdout)
        assert (done["user"], done["dry_run"], done["held"], done["rows"]["threads"]) == (person.name, False, ["b"], 1)
        assert [session.thread_id for session in saver.sessions()] == ["b"]
        admin.release(person.name, "b")
    text = CliRunner().invoke(app, command).stdout
    assert text.startswith(f"erased of {person.name}: threads 1,")
    assert saver.sessions() == []
