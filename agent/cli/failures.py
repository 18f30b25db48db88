"""Turn an exception into one line with a remedy."""

from __future__ import annotations

import errno
import os
import sys
import traceback

from typer import TyperException

from agent.errors import MooringError
from agent.telling import told
from checkpointer import CheckpointerError


def report(error: Exception) -> int:
    """Print the error on stderr and return the exit code.

    Messages of other people's libraries may quote rows, settings or credentials, so only our own are printed.
    """
    if isinstance(error, TyperException):
        return _usage(error)
    if os.environ.get("MOORING_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        line = "The output, or a file, cannot be written: the disk is full. Make room, and run it again."
    elif isinstance(error, MooringError | CheckpointerError):
        line = " ".join((told(error) if isinstance(error, CheckpointerError) else str(error)).split())
    else:
        line = (
            f"Something went wrong that should not have ({type(error).__name__}): nothing that was acknowledged is "
            "lost; run `mooring doctor`, or set MOORING_DEBUG=1 to see where it happened."
        )
    _print(line)
    return 1


def _usage(error: TyperException) -> int:
    """Say what is wrong with the arguments. Where there are none, the message is the help."""
    message = error.format_message()
    ctx = getattr(error, "ctx", None)
    if ctx is not None and message == ctx.get_help():
        print(message, file=sys.stderr)  # noqa: T201
    else:
        _print(f"{' '.join(message.split()).rstrip('.')}; see: {ctx.command_path if ctx else 'mooring'} --help")
    return error.exit_code


def _print(line: str) -> None:
    print(f"mooring: {line}", file=sys.stderr)  # noqa: T201 - stderr is for people here
