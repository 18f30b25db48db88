"""Failures of a request: a code from a list, a sentence with a remedy, and nothing of what is inside."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from agent.approvals import ApprovalError
from agent.errors import CallerError, MooringError, ScopeError, TurnError
from agent.external import LoginError, ServerAwayError
from agent.local.errors import UnknownLoginError
from agent.telling import told
from checkpointer import (
    CheckpointerError,
    DatabaseUnavailableError,
    MessageNotFoundError,
    MessageWithheldError,
    NoPrincipalError,
    NotAuditorError,
    NotSharedError,
    StaleLeaseError,
    ThreadBusyError,
    ThreadDeletedError,
    ThreadHeldError,
    ThreadNotFoundError,
    ViewerError,
)

CODES = {
    "invalid": (400, "The request is not one that is understood; the message says what is wrong with it."),
    "unauthenticated": (401, "It is not proven who asks."),
    "forbidden": (403, "Who asks is known, and may not do this."),
    "not_found": (404, "There is no such session, or none that the caller may see."),
    "busy": (409, "Another turn of the session is running."),
    "conflict": (409, "The request's conversation is not the stored one."),
    "stale": (409, "Another turn took over, or the session was deleted meanwhile; nothing of this one was stored."),
    "too_large": (413, "The request is larger than 4 MB, or holds too many items."),
    "timeout": (504, "The turn took too long. What it found is stored, and the next request finishes it."),
    "upstream": (502, "The model, a tool or the database failed. The question is stored."),
    "internal": (500, "Something went wrong that should not have."),
}
"""By code, the status of HTTP, and when it comes."""

_LOG = logging.getLogger(__name__)
_AWAY = (
    "The database of the sessions does not answer now; nothing that was acknowledged is lost. Ask again in a moment."
)
_INTERNAL = "Something went wrong that should not have; nothing that was acknowledged is lost. Ask again."
_CHECKPOINTER: tuple[tuple[type[CheckpointerError], str], ...] = (
    (ThreadBusyError, "busy"),
    (ThreadDeletedError, "stale"),
    (StaleLeaseError, "stale"),
    (ThreadNotFoundError, "not_found"),
    (NotSharedError, "not_found"),
    (MessageNotFoundError, "not_found"),
    (MessageWithheldError, "forbidden"),
    (ViewerError, "forbidden"),
    (NotAuditorError, "forbidden"),
    (ThreadHeldError, "forbidden"),
    (NoPrincipalError, "unauthenticated"),
    (DatabaseUnavailableError, "upstream"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a caller is told."""

    code: str
    message: str

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return CODES[self.code][0]


class FailureError(Exception):
    """A request cannot be answered; its failure says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(code, message)


def failure_of(error: BaseException) -> Failure:
    """Return what a caller is told of an error. Messages of others may quote rows or secrets, and are not told.

    Where the database is, and why it lets nobody in, is for whoever runs it: the log tells.
    """
    if isinstance(error, FailureError):
        return error.failure
    if isinstance(error, CheckpointerError):
        code = next((code for kind, code in _CHECKPOINTER if isinstance(error, kind)), None)
        if code is None:
            code = "invalid" if isinstance(error, ValueError) else "internal"
        if code == "upstream":
            return _away(told(error))
        return Failure(code, _INTERNAL if code == "internal" else told(error))
    if isinstance(error, ScopeError):
        return Failure("forbidden", str(error))
    if isinstance(error, CallerError | LoginError | UnknownLoginError):
        return Failure("unauthenticated", str(error))
    if isinstance(error, ApprovalError):
        return Failure("conflict", str(error))
    if isinstance(error, ServerAwayError):
        return _away(str(error))
    if isinstance(error, TurnError):
        return Failure("upstream", str(error))
    if isinstance(error, MooringError):
        return Failure("internal", str(error))
    if isinstance(error, TimeoutError):
        return Failure("timeout", "The turn took too long: ask again, and it is finished first")
    return Failure("internal", _INTERNAL)


def _away(why: str) -> Failure:
    _LOG.warning("The sessions' database cannot be used: %s", why)
    return Failure("upstream", _AWAY)
