"""Who the caller is, proven by credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import psycopg

from agent.errors import MooringError
from agent.external import LoginError
from agent.refusals import login_refused
from checkpointer import Principal

if TYPE_CHECKING:
    from agent.database import Database
    from agent.settings import Settings
    from agent.workspace import WorkspaceCaller


class Proven(Protocol):
    """Somebody whose principal their credentials have proven."""

    @property
    def principal(self) -> Principal:
        """Who they are."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal, and the connection string that logs in as them and nobody else."""

    principal: Principal
    conninfo: str
    groups: frozenset[str] = frozenset()
    """Of which they are a member in the database, which looks by itself at every statement."""


_WHO = """
select session_user::text, r.rolsuper or r.rolbypassrls,
  array(
    select g.rolname::text from pg_catalog.pg_roles g
    where not g.rolcanlogin and pg_catalog.pg_has_role(session_user, g.oid, 'MEMBER')
  )
from pg_catalog.pg_roles r where r.rolname = session_user
"""


def log_in(database: Database, user: str) -> Caller:
    """Log in to the database as `user`; the name alone proves nothing.

    Raises:
        LoginError: The login failed, or is one that row-level security does not hold.
        ServerAwayError: The server lets nobody in now.
        MooringError: The database cannot hold every text.
    """
    conninfo = database.login(user)
    try:
        with psycopg.connect(conninfo, connect_timeout=10, application_name="mooring login") as conn:
            _require_utf8(conn)
            row = conn.execute(_WHO).fetchone()
    except psycopg.OperationalError as error:
        raise login_refused(error, database, user) from error
    if row is None or row[1]:
        msg = f"{user!r} reads past row-level security"
        raise LoginError(msg, "log in as an ordinary role; superusers and roles with BYPASSRLS hold no sessions")
    return Caller(Principal(row[0]), conninfo, frozenset(row[2]))


def _require_utf8(conn: psycopg.Connection) -> None:
    encoding = conn.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        problem = f"The database {conn.info.dbname!r} is encoded as {encoding}, which does not hold every text"
        raise MooringError(problem, "use one that was created with ENCODING 'UTF8' TEMPLATE template0")


def profile_of(settings: Settings, user: str | None, profile: str | None) -> str | None:
    """Return the profile of Databricks that proves the caller; None where a login to the database does."""
    if user is not None and profile is not None:
        raise MooringError("--as and --profile name two people", "give one of them")
    return profile or (settings.profile if user is None else None)


def workspace_caller(profile: str | None) -> WorkspaceCaller:
    """Return whom a profile's login to Databricks belongs to, without one that of the SDK's default credentials.

    Raises:
        MooringError: The packages are not installed, or the workspace does not say.
    """
    try:
        from agent.workspace import default_caller
    except ImportError as error:
        problem = "The package for Databricks is not installed"
        raise MooringError(problem, "pip install 'mooring[databricks]'") from error
    return default_caller(profile)
