"""What a fresh cluster is given: roles, the database, the sample lakehouse and the checkpointer's schema.

Every step may be run again, so a bootstrap that was killed half-way is simply repeated.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from agent.local import lakehouse
from agent.local.cluster import SUPERUSER

if TYPE_CHECKING:
    from collections.abc import Callable

DATABASE = "lakehouse"
MIGRATOR = "mooring_migrator"
SERVICE = "mooring_service"
READERS = "mooring_user"
PEOPLE = ("alice", "bob", "carol")
LOGINS = (SUPERUSER, MIGRATOR, SERVICE, *PEOPLE)

SQL = Path(__file__).with_name("sql")


def bootstrap(conninfo: Callable[[str, str], str], passwords: dict[str, str], *, marker: Path) -> None:
    """Set the cluster up unless `marker` says that this very set-up was done. Call it under the start lock.

    `conninfo` takes a role and a database.
    """
    digest = _digest()
    if marker.exists() and marker.read_text() == digest:
        return
    with psycopg.connect(conninfo(SUPERUSER, "postgres"), autocommit=True) as conn:
        _take_turn(conn)
        _create_roles(conn, passwords)
        _create_database(conn)
    with psycopg.connect(conninfo(SUPERUSER, DATABASE)) as conn:
        _take_turn(conn)
        conn.execute((SQL / "database.sql").read_bytes())
        lakehouse.load(conn)
    from checkpointer import GovernedPostgresSaver  # an import of a second, needed once

    GovernedPostgresSaver.migrate(conninfo(MIGRATOR, DATABASE), runtime_role=SERVICE, login_role=READERS)
    marker.write_text(digest)


def _take_turn(conn: psycopg.Connection) -> None:
    """Wait for the server to end what it still does for a bootstrap that was killed. The lock is the database's."""
    conn.execute("select pg_advisory_lock(hashtext('mooring bootstrap'))")


def _create_roles(conn: psycopg.Connection, passwords: dict[str, str]) -> None:
    conn.execute((SQL / "roles.sql").read_bytes())
    for role in LOGINS:
        # The verifier, not the password, travels and could be logged.
        verifier = conn.pgconn.encrypt_password(passwords[role].encode(), role.encode(), b"scram-sha-256")
        conn.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier.decode())))


def _create_database(conn: psycopg.Connection) -> None:
    if conn.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone() is None:
        conn.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def _digest() -> str:
    """Fingerprint everything that a bootstrap runs, without importing it."""
    checkpointer = importlib.util.find_spec("checkpointer")
    folders = [SQL, *(Path(folder) for folder in (checkpointer and checkpointer.submodule_search_locations) or [])]
    files = sorted(path for folder in folders for path in folder.rglob("*.sql"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
