"""Options that several commands share, so that they are spelled once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


As = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Whose login to use (MOORING_USER); alice on the embedded sample."),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="text for people, json for programs.")]
SessionName = Annotated[str | None, typer.Option("--session", "-s", metavar="NAME", help="The session to go on with.")]
Continue = Annotated[bool, typer.Option("--continue", "-c", help="Go on with the session used last.")]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME", help="offline, openai:..., databricks:... (MOORING_MODEL)."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The session.")]
