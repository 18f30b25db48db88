"""The administrator's side of the database: migrate the schema, administer it, hand out connection strings."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from agent import external, local
from agent.database import Database, open_database
from agent.errors import MooringError
from agent.local.bootstrap import READERS, SERVICE
from agent.refusals import MIGRATOR, refused
from agent.settings import Settings
from checkpointer import DatabaseUnavailableError, GovernedPostgresSaver, administration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkpointer.administration import Administrator


def migrate_database(
    settings: Settings, login_role: str | None, auditor_role: str | None = None, chat_schema: str | None = None
) -> list[str]:
    """Bring the sessions' schema up to date; return the migrations applied.

    Raises:
        MooringError: The migrator or the runtime role is not configured, or the migrator cannot log in.
    """
    with open_database(settings) as database, _explained():
        return GovernedPostgresSaver.migrate(
            _admin(database),
            runtime_role=_runtime_role(settings),
            login_role=_login_role(settings, login_role),
            auditor_role=auditor_role,
            schema=settings.sessions_schema,
            chat_schema=chat_schema,
        )


@contextmanager
def administrator(settings: Settings) -> Iterator[Administrator]:
    """Connect as the schema's owner, who holds and prunes everybody's sessions.

    Raises:
        MooringError: The schema's owner is not configured, or cannot log in.
    """
    with (
        open_database(settings) as database,
        _explained(),
        administration.connect(_admin(database), schema=settings.sessions_schema) as connected,
    ):
        yield connected


def migration_text(
    settings: Settings, login_role: str | None, auditor_role: str | None = None, chat_schema: str | None = None
) -> str:
    """Return the SQL of a fresh migration, for a database administrator."""
    return GovernedPostgresSaver.migration_sql(
        runtime_role=_runtime_role(settings),
        login_role=_login_role(settings, login_role),
        auditor_role=auditor_role,
        schema=settings.sessions_schema,
        chat_schema=chat_schema,
    )


def connection_url(settings: Settings, user: str | None, role: str | None) -> str:
    """Return a URL that logs in as a person, or as a role: "service", "migrator" or "admin".

    The embedded server is started and kept running, so that the URL can be used.
    """
    if user is not None and role is not None:
        problem, remedy = "Both a person and a role were named", "pass either --as or --role"
        raise MooringError(problem, remedy)
    if not settings.external:
        local.start(settings.home)
    with open_database(settings) as database:
        return _url(_conninfo(settings, database, user, role))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except DatabaseUnavailableError as error:
        if reason := refused(error, MIGRATOR):
            raise reason from error
        raise


def _admin(database: Database) -> str:
    if database.admin is None:
        problem, remedy = "The schema's owner is not configured", "set MOORING_ADMIN_URL to log in as it"
        raise MooringError(problem, remedy)
    return database.admin


def _conninfo(settings: Settings, database: Database, user: str | None, role: str | None) -> str:
    if role is not None:
        conninfo = {"service": database.runtime, "migrator": database.admin, "admin": database.superuser}[role]
        if conninfo is None:
            problem = f"There is no connection string for the role {role!r}"
            remedy = "set MOORING_ADMIN_URL" if role == "migrator" else "only the embedded Postgres has one"
            raise MooringError(problem, remedy)
        return conninfo
    name = user or settings.user or database.default_user
    if name is None:
        problem, remedy = "It is not said whose connection string", "pass --as NAME, or --role service"
        raise MooringError(problem, remedy)
    return database.login(name)


def _url(conninfo: str) -> str:
    parts = {key: str(value) for key, value in conninfo_to_dict(conninfo).items() if value not in (None, "")}
    user = quote(parts.pop("user", ""), safe="")
    host, port = quote(parts.pop("host", ""), safe=","), parts.pop("port", "")
    password = f":{quote(parts.pop('password'), safe='')}" if "password" in parts else ""
    database = quote(parts.pop("dbname", ""), safe="")
    address = f"{user}{password}@{host}" if user else host
    parts.pop("require_auth", None)  # psql before 16 does not know it
    options = f"?{urlencode(parts, quote_via=quote)}" if parts else ""  # libpq takes a plus sign for itself
    return f"postgresql://{address}{f':{port}' if port else ''}/{database}{options}"


def _runtime_role(settings: Settings) -> str:
    if not settings.external:
        return SERVICE
    role = external.runtime_role(settings.database_url or "")
    if not role:
        problem, remedy = "The runtime role is not named", "put the user into MOORING_DATABASE_URL, or set PGUSER"
        raise MooringError(problem, remedy)
    return role


def _login_role(settings: Settings, login_role: str | None) -> str | None:
    return login_role or (None if settings.external else READERS)
