"""Why a connection to Postgres could not be made, in a sentence without a password.

libpq gives the reason as text only. It is searched for what Postgres says in English; what is not understood is told
from what libpq knows of the attempt. Of the text itself nothing is passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


class Reason(Enum):
    """What has to be mended."""

    ADDRESS = "address"
    """The name of the host, the port or the socket."""
    SERVER = "server"
    """Nothing answers there."""
    NOT_READY = "not ready"
    TLS = "tls"
    PASSWORD = "password"  # noqa: S105 - not one
    ROLE = "role"
    """The server knows it, and does not let it in, or does not know it."""
    DATABASE = "database"
    FULL = "full"
    """Every connection that the server, the role or the database may have is taken."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What happened, as a sentence without its full stop."""

    reason: Reason
    sentence: str


_PATTERNS = (
    # A password that a URL does not escape ends up in the name of the host, so that is not repeated.
    (r"resolve host|translate host name", Reason.ADDRESS, "The host of the database server cannot be found"),
    (
        r"too many connections|connection slots|too many clients",
        Reason.FULL,
        "The database server at {at} has no connection left for {user}",
    ),
    (r"starting up|shutting down|in recovery", Reason.NOT_READY, "The database server at {at} is not ready"),
    (r"no password supplied", Reason.PASSWORD, "There is no password for {user}"),
    (
        r"no encryption|SSL off",
        Reason.TLS,
        "The database server at {at} does not let {user} in without TLS, or not from here",
    ),
    (r"pg_hba\.conf", Reason.ROLE, "The database server at {at} does not let {user} in from here (pg_hba.conf)"),
    (r"not permitted to log in", Reason.ROLE, "The role {user} may not log in"),
    (r'FATAL:\s+role ".*" does not exist', Reason.ROLE, "The database server at {at} has no role {user}"),
    (r'FATAL:\s+database ".*" does not exist', Reason.DATABASE, "There is no database {database} at {at}"),
    (
        r'FATAL:\s+permission denied for database|database ".*" is not currently accepting',
        Reason.DATABASE,
        "{user} may not connect to the database {database}",
    ),
    (
        r"authentication failed|authentication method requirement",
        Reason.PASSWORD,
        "The database server at {at} refused the password of {user}",
    ),
    (r"SSL|TLS|certificate", Reason.TLS, "The database server at {at} and this program do not agree about TLS"),
)


def refusal(error: psycopg.OperationalError) -> Refusal:
    """Return why a connection could not be made."""
    conn = error.pgconn
    text = str(error)
    values = {"at": "its address", "user": "the role", "database": "that is named"}
    if conn is not None:
        host, port, user, database = (
            part.decode("utf-8", "replace") for part in (conn.host, conn.port, conn.user, conn.db)
        )
        values = {"at": f"{host}:{port}", "user": repr(user), "database": repr(database)}
    for pattern, reason, sentence in _PATTERNS:
        if re.search(pattern, text):
            return Refusal(reason, sentence.format(**values))
    if conn is not None and (conn.needs_password or conn.used_password or conn.used_gssapi):
        return Refusal(Reason.ROLE, "The database server at {at} does not let {user} in".format(**values))
    return Refusal(Reason.SERVER, "The database server cannot be reached at {at}".format(**values))
