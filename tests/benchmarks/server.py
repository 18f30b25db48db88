"""The one Postgres that all peers are measured on: an embedded server of its own, thrown away afterwards.

Every measurement gives each peer a fresh database, owned by a role that is no superuser. Autovacuum is off and time
does not start a checkpoint, so that nobody pays for what another peer left behind; a measurement vacuums, analyses and
checkpoints by itself where it says so. All other settings are those that the embedded server has on a laptop.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agent import local
from agent.local.cluster import SUPERUSER
from tests.embedded import fresh_home

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = """
select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema)'
"""


class BenchServer:
    """A running server and its superuser's connection."""

    def __init__(self, superuser: str) -> None:
        self._superuser = superuser
        self._conn = psycopg.connect(superuser, autocommit=True)
        self._databases = 0
        server = conninfo_to_dict(superuser)
        self.host, self.port = str(server["host"]), int(str(server["port"]))
        self.version = str(self._conn.execute("show server_version").fetchall()[0][0])

    def close(self) -> None:
        """Close the superuser's connection."""
        self._conn.close()

    def role(self, name: str) -> str:
        """Make a login that may do nothing yet; return its connection string, password included."""
        password = secrets.token_hex(16)
        self._do("create role {} login password {}", sql.Identifier(name), sql.Literal(password))
        return make_conninfo(self._superuser, user=name, password=password)

    def drop_role(self, name: str) -> None:
        """Drop a login whose databases are gone."""
        self._do("drop role {}", sql.Identifier(name))

    def database(self, owner: str) -> str:
        """Make an empty database; return its name."""
        self._databases += 1
        name = f"bench_{self._databases}"
        self._do("create database {} owner {}", sql.Identifier(name), sql.Identifier(owner))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database with whoever is still connected."""
        self._do("drop database {} with (force)", sql.Identifier(name))

    def wal(self) -> int:
        """Return how many bytes of WAL the server has written since it was made."""
        return int(self._conn.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchall()[0][0])

    def checkpoint(self) -> None:
        """Write everything out. The first change to each existing page after it logs the page whole."""
        self._conn.execute("checkpoint")

    @contextmanager
    def inside(self, database: str) -> Iterator[psycopg.Connection]:
        """Connect to a database as superuser, to look behind the scenes and to seed."""
        with psycopg.connect(make_conninfo(self._superuser, dbname=database), autocommit=True) as conn:
            yield conn

    def size(self, database: str) -> int:
        """Return the bytes of all tables with their indexes and TOAST."""
        with self.inside(database) as conn:
            return int(conn.execute(SIZE).fetchall()[0][0])

    def settle(self, database: str) -> None:
        """Bring tables into the state that autovacuum leaves behind, then write everything out."""
        with self.inside(database) as conn:
            conn.execute("vacuum analyze")
        self.checkpoint()

    def configure(self) -> None:
        """Keep the server from working on its own while somebody is measured."""
        for name, value in (("autovacuum", "off"), ("checkpoint_timeout", "1h")):
            self._do("alter system set {} = {}", sql.Identifier(name), sql.Literal(value))
        self._conn.execute("select pg_reload_conf()")

    def _do(self, command: str, *parts: sql.Composable) -> None:
        self._conn.execute(sql.SQL(command).format(*parts))  # literals of this file


@contextmanager
def bench_server() -> Iterator[BenchServer]:
    """Start a server of its own in a folder of its own; both are gone afterwards."""
    with fresh_home("bench") as home, local.joined(home) as joined:
        server = BenchServer(joined.conninfo(SUPERUSER))
        server.configure()
        try:
            yield server
        finally:
            server.close()
