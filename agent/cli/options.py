"""Options that several commands share, so that they are spelled once."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


class Decision(StrEnum):
    """Whether a call may run."""

    YES = "yes"
    NO = "no"


class Rating(StrEnum):
    """What somebody thinks of an answer."""

    UP = "up"
    DOWN = "down"


class ShareRole(StrEnum):
    """What somebody may do whom a session is shared with."""

    VIEWER = "viewer"
    EDITOR = "editor"


_TITLE = 200
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def age(text: str) -> timedelta:
    """Read an age such as 30d."""
    match = re.fullmatch(r"([1-9]\d{0,5})([smhdw])", text)
    if match is None:
        raise typer.BadParameter("write it as a number and one of s, m, h, d, w: 12h, 30d, 8w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def time_to_live(text: str) -> timedelta:
    """Read an age that a policy of retention may have."""
    from checkpointer import Retention

    ttl = age(text)
    try:
        Retention(ttl=ttl)
    except ValueError:
        raise typer.BadParameter("at most 100 years") from None
    return ttl


def session_name(text: str) -> str:
    """Read the name of a session that may begin with it."""
    if text != text.strip() or not text.isprintable() or not text:
        raise typer.BadParameter("a name is printable text without spaces around it")
    return text


def title(text: str) -> str:
    """Read a title."""
    line = " ".join(text.split())
    if not line or not line.isprintable() or len(line) > _TITLE:
        raise typer.BadParameter(f"write it in 1 to {_TITLE} printable characters")
    return line


As = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Whose login to use (MOORING_USER); alice on the embedded sample."),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", "-p", metavar="NAME", help="Your login to Databricks (MOORING_PROFILE)."),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="text for people, json for programs.")]
SessionName = Annotated[
    str | None,
    typer.Option("--session", "-s", metavar="NAME", parser=session_name, help="The session to begin or go on with."),
]
Owner = Annotated[
    str | None,
    typer.Option(
        "--owner", metavar="OWNER", parser=session_name, help="Whose session it is, where somebody shares theirs."
    ),
]
Continue = Annotated[bool, typer.Option("--continue", "-c", help="Go on with the session used last.")]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME", help="offline, openai:..., databricks:... (MOORING_MODEL)."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The session.")]
Title = Annotated[str, typer.Argument(metavar="TITLE", parser=title, help="One line of at most 200 characters.")]
NameOrAll = Annotated[str | None, typer.Argument(metavar="NAME", help="The session; without, all.")]
With = Annotated[
    str,
    typer.Option("--with", metavar="WHO", parser=session_name, help="A person, or group:NAME for a group's members."),
]
To = Annotated[str, typer.Option("--to", metavar="NAME", parser=session_name, help="Whose it will be.")]
Role = Annotated[ShareRole, typer.Option(help="viewer reads, editor goes on with it.")]
OlderThan = Annotated[
    timedelta | None,
    typer.Option(metavar="AGE", parser=time_to_live, help="Delete sessions not used for so long: 12h, 30d, 8w."),
]
Since = Annotated[timedelta | None, typer.Option(metavar="AGE", parser=age, help="Only so far back: 12h, 7d, 8w.")]
KeepLast = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=2**31 - 1, help="Of the others keep the last N checkpoints."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]
