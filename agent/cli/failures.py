"""Turn an exception into one line with a remedy."""

from __future__ import annotations

import os
import sys
import traceback

from agent.errors import MooringError
from agent.telling import told
from checkpointer import CheckpointerError


def report(error: Exception) -> int:
    """Print the error on stderr and return the exit code.

    Messages of other people's libraries may quote rows, settings or credentials, so only our own are printed.
    """
    if os.environ.get("MOORING_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, MooringError | CheckpointerError):
        line = " ".join((told(error) if isinstance(error, CheckpointerError) else str(error)).split())
    else:
        line = (
            f"Something went wrong that should not have ({type(error).__name__}): nothing that was acknowledged is "
            "lost; run `mooring doctor`, or set MOORING_DEBUG=1 to see where it happened."
        )
    print(f"mooring: {line}", file=sys.stderr)  # noqa: T201 - stderr is for people here
    return 1
