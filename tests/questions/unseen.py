"""Schemas that the model has never seen, each in one login's sight only.

They are made by the first process that needs them and dropped by the last one that leaves: xdist's workers share one
server. Two advisory locks tell who is first and last, and vanish with whoever is killed.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agent.identity import Caller
from checkpointer import Principal

if TYPE_CHECKING:
    from collections.abc import Iterator

# Login: the file that makes what it reads, and the schemas in there.
READERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "dora": ("shop", ("shop",)),
    "emil": ("clinic", ("clinic",)),
    "frida": ("library", ("lib",)),
    "gus": ("web", ("web",)),
    "hana": ("depot", ("depot", "archive")),
    "ivo": ("gym", ("gym",)),
    "juno": ("cinema", ("cinema",)),
    "kofi": ("gallery", ("gallery",)),
    "lena": ("vet", ("vet",)),
    "mira": ("mail", ("mail",)),
    "nils": ("fleet", ("fleet",)),
    "olga": ("hospital", ("ward",)),
    "pia": ("airline", ("airline",)),
    "quin": ("campus", ("campus",)),
    "rosa": ("wind", ("wind",)),
    "sven": ("trade", ("trade",)),
    "tess": ("tours", ("tours",)),
    "uma": ("harbour", ("quay",)),
}

_FOLDER = Path(__file__).with_name("schemas")
_TURN, _MEMBERS = "select {}(hashtext('questions: turn'))", "select {}(hashtext('questions: members'))"

Conn = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def unseen_schemas(superuser: str) -> Iterator[dict[str, Caller]]:
    """Make the schemas and their logins, and return the callers by name."""
    with psycopg.connect(superuser, autocommit=True) as conn:
        with _alone(conn):
            if not conn.execute("select 1 from pg_roles where rolname = any (%s)", [list(READERS)]).fetchone():
                _make(conn, superuser)
            conn.execute(_lock(_MEMBERS, "pg_advisory_lock_shared"))
        try:
            yield {login: Caller(Principal(login), _conninfo(superuser, login)) for login in READERS}
        finally:
            with _alone(conn):
                conn.execute(_lock(_MEMBERS, "pg_advisory_unlock_shared"))
                (last,) = conn.execute(_lock(_MEMBERS, "pg_try_advisory_lock")).fetchone() or (False,)
                if last:
                    _drop(conn)


@contextmanager
def _alone(conn: Conn) -> Iterator[None]:
    conn.execute(_lock(_TURN, "pg_advisory_lock"))
    try:
        yield
    finally:
        conn.execute(_lock(_TURN, "pg_advisory_unlock"))


def _lock(statement: str, function: str) -> bytes:
    return statement.format(function).encode()


def _make(conn: Conn, superuser: str) -> None:
    with conn.transaction():
        conn.execute((_FOLDER / "_dice.sql").read_bytes())
        for login, (file, schemas) in READERS.items():
            conn.execute((_FOLDER / f"{file}.sql").read_bytes())
            name, names = sql.Identifier(login), sql.SQL(", ").join(map(sql.Identifier, schemas))
            password = sql.Literal(_password(superuser, login))
            conn.execute(sql.SQL("create role {} login password {}").format(name, password))
            conn.execute(sql.SQL("grant mooring_user to {}").format(name))
            conn.execute(sql.SQL("grant usage on schema {} to {}").format(names, name))
            conn.execute(sql.SQL("grant select on all tables in schema {} to {}").format(names, name))


def _drop(conn: Conn) -> None:
    with conn.transaction():
        schemas = [sql.Identifier(schema) for _, schemas in READERS.values() for schema in schemas]
        conn.execute(sql.SQL("drop schema {} cascade").format(sql.SQL(", ").join(schemas)))
        conn.execute(sql.SQL("drop role {}").format(sql.SQL(", ").join(map(sql.Identifier, READERS))))


def _conninfo(superuser: str, login: str) -> str:
    return make_conninfo(superuser, user=login, password=_password(superuser, login))


def _password(superuser: str, login: str) -> str:
    """Return what all workers know and nobody else: the server's folder has a random name."""
    return hashlib.sha256(f"{conninfo_to_dict(superuser)['passfile']} {login}".encode()).hexdigest()
