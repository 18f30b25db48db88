"""Why the database did not let a role in, with the setting that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg_pool import PoolTimeout

from agent.errors import MooringError
from agent.external import LoginError, ServerAwayError
from checkpointer import DatabaseUnavailableError, SourceError
from tools.postgres.refusals import Reason, refusal

if TYPE_CHECKING:
    from agent.database import Database

MIGRATOR = "MOORING_ADMIN_URL"

_REMEDIES = {
    Reason.ADDRESS: "mend the host in {setting}; there a password has %40 for @ and %2F for /",
    Reason.SERVER: "start it, or mend the host and port in {setting}",
    Reason.NOT_READY: "try again in a moment",
    Reason.TLS: "mend sslmode or sslrootcert in {setting}",
    Reason.PASSWORD: "mend the user or the password in {setting}",
    Reason.ROLE: "name a role in {setting} that may log in, or have this one let in",
    Reason.DATABASE: "mend the database in {setting}, or have it created and CONNECT granted",
    Reason.FULL: "try again in a moment, or have the limit raised",
}
_OF_PEOPLE = (Reason.PASSWORD, Reason.ROLE)
# The setting of the embedded server, which whoever comes next starts again.
_EMBEDDED = "MOORING_HOME"


def login_refused(error: psycopg.OperationalError, database: Database, user: str) -> LoginError | ServerAwayError:
    """Return why somebody cannot log in to a database."""
    found = refusal(error)
    if found.reason not in _OF_PEOPLE:
        return ServerAwayError(found.sentence, _remedy(found.reason, database.setting))
    known = "alice, bob and carol can" if database.embedded else "keep the password in ~/.pgpass or a service file"
    problem = f"Cannot log in to the database as {user!r} ({found.sentence})"
    return LoginError(problem, f"choose somebody who can log in with --as ({known})")


def refused(error: DatabaseUnavailableError | SourceError, setting: str) -> MooringError | None:
    """Return why a role cannot log in that a setting names; None where the database did not say."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.OperationalError) or isinstance(cause, PoolTimeout):
        return None
    found = refusal(cause)
    return MooringError(found.sentence, _remedy(found.reason, setting))


def _remedy(reason: Reason, setting: str) -> str:
    if setting == _EMBEDDED and reason in (Reason.SERVER, Reason.NOT_READY):
        return "try again; the embedded server is started again by itself"
    return _REMEDIES[reason].format(setting=setting)
