"""The command line, `mooring`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

# What shells say of a process that a signal has ended. The first is what Typer returns for a Ctrl-C as well.
_INTERRUPTED, _TERMINATED, _UNREAD = 130, 143, 141


class _TerminatedError(BaseException):
    """The process is told to end: what is open is closed, so that the last to leave stops the server."""


def main() -> None:
    """Run the command line; every failure is one line on stderr and a non-zero exit code."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    # What libraries warn of is told once, by the error that comes of it, and may quote what is not for a terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    code = _run()
    if code in (_INTERRUPTED, _TERMINATED):
        # A chat model's call cannot be cancelled, and an interpreter that ends by itself would wait for its thread.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    if code:
        sys.exit(code)


def _run() -> int:
    from agent.cli.app import app

    try:
        return app(standalone_mode=False) or 0
    except _TerminatedError:
        return _TERMINATED
    except BrokenPipeError:
        # The reader went away (`| head`).
        _write_no_more()
        return _UNREAD
    except Exception as error:  # noqa: BLE001 - the last place before a stack trace would reach a person
        from agent.cli.failures import report

        code = report(error)
        if isinstance(error, OSError):
            _write_no_more()
        return code


def _end(*_: object) -> None:
    raise _TerminatedError


def _write_no_more() -> None:
    """Silence the flush at the interpreter's end, which would fail as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
