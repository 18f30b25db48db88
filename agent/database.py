"""The one database of an installation: the embedded Postgres, or the one that MOORING_DATABASE_URL or PG* name."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from agent import external, local
from agent.errors import MooringError
from agent.local.bootstrap import MIGRATOR, SERVICE
from agent.local.cluster import SUPERUSER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.settings import Settings


@dataclass(frozen=True)
class Database:
    """Connection strings by role. The embedded ones hold no password; an external URL holds what it was given."""

    runtime: str = field(repr=False)
    """The role that runs the agent and owns nothing."""
    admin: str | None = field(repr=False)
    """The migrator, who owns the schema `mooring`; None when MOORING_ADMIN_URL is not set."""
    superuser: str | None = field(repr=False)
    """The superuser of the embedded server; None elsewhere."""
    embedded: bool
    setting: str
    """What names it."""
    default_user: str | None
    """Whom to log in as when nobody is named."""
    _login: Callable[[str], str] = field(repr=False)

    def login(self, user: str) -> str:
        """Build the connection string that logs in as this person, by their own password and nobody else's.

        Raises LoginError for a name that cannot be one, and on the embedded server for one that it does not know.
        """
        return self._login(user)


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database, starting the embedded server if that is the one; the last to leave stops it.

    Raises DatabaseNotConfiguredError in a container of Model Serving or Databricks Apps without a configured database,
    and MooringError where only the migrator's is configured.
    """
    if settings.external:
        yield external_database(settings)
        return
    if settings.admin_url is not None:
        problem = "MOORING_ADMIN_URL names a database for the migrator, and none is named for the runtime role"
        remedy = "set MOORING_DATABASE_URL as well, or unset it to use the embedded Postgres"
        raise MooringError(problem, remedy)
    with local.joined(settings.home) as server:
        yield Database(
            runtime=server.conninfo(SERVICE),
            admin=server.conninfo(MIGRATOR),
            superuser=server.conninfo(SUPERUSER),
            embedded=True,
            setting=settings.setting,
            default_user="alice",
            _login=server.login,
        )


def external_database(settings: Settings) -> Database:
    """Describe the configured database without connecting. An empty `runtime` makes libpq read the PG* variables."""
    runtime = settings.database_url or ""
    external.parse("MOORING_DATABASE_URL", runtime)
    external.parse("MOORING_ADMIN_URL", settings.admin_url or "")
    return Database(
        runtime=runtime,
        admin=settings.admin_url,
        superuser=None,
        embedded=False,
        setting=settings.setting,
        default_user=None,
        _login=partial(external.login, runtime),
    )
