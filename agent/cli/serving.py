"""`mooring log-model`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.packaging import log_model
from agent.schemas import LoggedModel
from agent.settings import Settings


def run_log_model(register: str | None, alias: str | None, output: Format) -> None:
    """Log the model."""
    logged = log_model(Settings(), register=register, alias=alias)
    if output is Format.JSON:
        print_json(LoggedModel(**asdict(logged)))
        return
    typer.echo(logged.model_uri)
