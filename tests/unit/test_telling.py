"""A person reads of sessions, whatever the checkpointer calls them, and their own names stay as they are."""

from __future__ import annotations

import psycopg
import pytest

from agent.telling import told
from checkpointer import CheckpointerError, errors

NAME = "Bob's thread"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errors.ThreadNotFoundError(NAME), f'You have no session "{NAME}"; `mooring sessions list` shows yours.'),
        (errors.ThreadNotFoundError("thread", "ann"), "'ann' has no session 'thread'."),
        (errors.ViewerError("thread", "ann"), "Session 'thread' of 'ann' is shared with you as a viewer"),
        (errors.NotSharedError(NAME, "threads"), f"Session \"{NAME}\" is not shared with 'threads'."),
        (errors.ThreadBusyError("a", 3), "Session 'a' is busy with another run."),
        (
            errors.StaleLeaseError("a"),
            "This run no longer holds session 'a': another one took over, or the session was",
        ),
        (errors.ThreadDeletedError("a"), "The session was deleted while it was answered"),
        (errors.WithheldItemGoneError("a"), "Content of session 'a' that is withheld was deleted meanwhile."),
        (errors.ThreadHeldError("a"), "Session 'a' is under legal hold"),
        (
            errors.ErasureHeldError("ann", ["a thread", "b"]),
            "Of 'ann' these sessions are under legal hold: 'a thread', 'b'.",
        ),
        (errors.ThreadNotHeldError("a", "ann"), "'ann' has no session 'a' under legal hold."),
        (
            errors.DatabaseUnavailableError("The sessions' database has the thread 'a'."),
            "The sessions' database has the session 'a'.",
        ),
    ],
)
def test_threads_are_sessions(error: CheckpointerError, says: str) -> None:
    assert told(error).startswith(says)
    assert "checkpoint" not in told(error)


def test_an_embedded_server_that_is_gone_starts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOORING_DATABASE_URL", "PGHOST", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect("host=127.0.0.1 port=1 dbname=lakehouse user=alice")
    error = errors.DatabaseUnavailableError("It is away.")
    error.__cause__ = refused.value
    assert "try again; the embedded server is started again by itself" in told(error)
    monkeypatch.setenv("MOORING_DATABASE_URL", "postgresql://somewhere/else")
    assert "mend the host and port in MOORING_DATABASE_URL" in told(error)
