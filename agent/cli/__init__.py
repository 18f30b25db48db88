"""The command line, `mooring`."""

from __future__ import annotations

import logging
import os
import sys

# What Typer returns for a Ctrl-C, and shells for a process that one has ended.
_INTERRUPTED = 130


def main() -> None:
    """Run the command line; every failure is one line on stderr and a non-zero exit code."""
    from agent.cli.app import app

    # What libraries warn of is told once, by the error that comes of it, and may quote what is not for a terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:
            # A chat model's call cannot be cancelled, and an interpreter that ends by itself would wait for its thread.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(_INTERRUPTED)
        if code:
            sys.exit(code)
    except BrokenPipeError:
        # The reader went away (`| head`): silence the flush at exit as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:  # noqa: BLE001 - the last place before a stack trace would reach a person
        from agent.cli.failures import report

        sys.exit(report(error))
