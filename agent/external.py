"""Logins of callers on a Postgres that is not ours: same server and database, their own name and password.

The password is the caller's, from ~/.pgpass (or PGPASSFILE) or from a section of the pg service file whose user is
the caller. Whatever authenticates the runtime role - the URL's user, password and certificate, PGUSER, PGPASSWORD,
its service section - never stands in for it.
"""

from __future__ import annotations

import os
from configparser import Error as ConfigError
from configparser import RawConfigParser
from pathlib import Path

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agent.errors import MooringError

# What may pass from the runtime role's connection string to a caller's: an allow-list, so that a new way to
# authenticate does not.
SHARED = (
    "host",
    "hostaddr",
    "port",
    "dbname",
    "passfile",
    "options",
    "connect_timeout",
    "target_session_attrs",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "channel_binding",
    "require_auth",
    "gssencmode",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
)
ADDRESS = ("host", "hostaddr", "port", "dbname")


class LoginError(MooringError):
    """Nobody can log in under this name."""


class ServerAwayError(MooringError):
    """The server lets nobody in now, whoever asks."""


class ConnectionStringError(MooringError):
    """A connection string cannot be read."""


def parse(name: str, conninfo: str) -> dict[str, str]:
    """Read a connection string; `name` is the setting it came from. The error does not quote it."""
    try:
        return {key: str(value) for key, value in conninfo_to_dict(conninfo).items()}
    except ProgrammingError:
        raise ConnectionStringError(
            f"{name} is not a connection string", "write it as postgresql://user@host:5432/database?sslmode=require"
        ) from None


def login(runtime: str, user: str) -> str:
    """Build the connection string with which `user` logs in to the database of the runtime role."""
    check_name(user)
    sections = _service_sections()
    named = _named(runtime, sections)
    # Without a database libpq takes the one of the user's name: here the runtime role's, not the caller's.
    named.setdefault("dbname", named.get("user", ""))
    # An explicit empty value also makes libpq pass over the variable, here PGSSLCERT.
    shared = {"sslcert": ""} | {key: value for key, value in named.items() if key in SHARED}
    own = next((name for name, section in sections.items() if _is_login(section, user, shared)), None)
    if own is not None:
        return make_conninfo(**shared, user=user, service=own)
    # An explicit empty password makes libpq pass over PGPASSWORD and service files, and look into the passfile.
    return make_conninfo(**shared, user=user, password="")


def runtime_role(runtime: str) -> str | None:
    """Name whom libpq would log in as: by the connection string, its service, PGUSER or the operating system."""
    return _named(runtime, _service_sections()).get("user")


def check_name(user: str) -> None:
    """Refuse what libpq would take for no name at all, and so replace by another."""
    if not user.strip() or "\0" in user:
        raise LoginError("a user needs a name", "give one with --as or MOORING_USER")


def _named(runtime: str, sections: dict[str, dict[str, str]]) -> dict[str, str]:
    """Put together what names the runtime role's server and user: the string, its service, PG* variables."""
    given = parse("MOORING_DATABASE_URL", runtime)
    service = given.get("service")
    if service is not None and service not in sections:
        raise LoginError(f"the service {service} is not in the pg service file", "add it, or set PGSERVICEFILE")
    return {**_defaults(), **sections.get(service or "", {}), **given}


def _is_login(section: dict[str, str], user: str, address: dict[str, str]) -> bool:
    here = all(section.get(key) in (None, address.get(key)) for key in ADDRESS)
    return here and section.get("user") == user and "password" in section


def _defaults() -> dict[str, str]:
    """Ask libpq for the address that PG* variables and PGSERVICE give; everything else it reads again by itself."""
    found = {option.keyword.decode(): option.val for option in pq.Conninfo.get_defaults()}
    return {key: value.decode() for key in (*ADDRESS, "user") if (value := found.get(key)) is not None}


def _service_sections() -> dict[str, dict[str, str]]:
    path = Path(os.environ.get("PGSERVICEFILE") or Path.home() / ".pg_service.conf")
    parser = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",), default_section="")
    try:
        parser.read(path, encoding="utf-8")
    except (ConfigError, UnicodeDecodeError):
        raise LoginError(f"{path} is not a pg service file", "see the Postgres manual, 34.17") from None
    return {name: dict(parser[name]) for name in parser.sections()}
