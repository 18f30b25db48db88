"""Questions of a profile's owner, through the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from agent.cli.app import app

if TYPE_CHECKING:
    from tests.databricks.stand_in import StandIn


def ask(profile: str, question: str, *options: str) -> dict[str, Any]:
    """Ask as a profile's owner, and return the answer as the command prints it."""
    command = ["ask", question, "--profile", profile, "-o", "json", *options]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    found: dict[str, Any] = json.loads(result.stdout)
    return found | {"told": result.stderr}


def seen_by_model(stand_in: StandIn) -> list[str]:
    """What the model was told by tools, at its last call."""
    last = stand_in.workspace.sent("/serving-endpoints/")[-1]
    return [message["content"] for message in last.body["messages"] if message["role"] == "tool"]
