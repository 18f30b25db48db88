"""JSON on stdout, the same way for every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.schemas import Schema


def print_json(value: Schema | Sequence[Schema], *, indent: int | None = None) -> None:
    """Print a model, or a list of models."""
    from pydantic_core import to_json

    typer.echo(to_json(value, indent=indent))
