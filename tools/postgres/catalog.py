"""Tables of a Postgres database, seen by somebody who logged in to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from tools.catalog import Column, Labels, Limits, QueryResult, Table, TableDescription, TableList
from tools.errors import (
    CatalogBusyError,
    CatalogUnavailableError,
    QueryCancelledError,
    QueryRefusedError,
    TableNotFoundError,
)
from tools.postgres import guard
from tools.postgres.calls import Call, Calls
from tools.postgres.failures import Read, explain
from tools.postgres.refusals import refusal
from tools.postgres.rows import declared, fetch
from tools.postgres.values import read_as_json

if TYPE_CHECKING:
    from types import TracebackType
    from typing import LiteralString, Self

Conn = psycopg.Connection[tuple[Any, ...]]

_CONNECTION: dict[str, Any] = {
    "application_name": "mooring catalog",
    "autocommit": True,
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# What queries and results mean must not hang on the role's own settings.
_BEGIN = """
select set_config('statement_timeout', %(ms)s, true), set_config('lock_timeout', %(lock)s, true),
  set_config('idle_in_transaction_session_timeout', %(idle)s, true),
  set_config('standard_conforming_strings', 'on', true),
  set_config('datestyle', 'ISO', true), set_config('intervalstyle', 'iso_8601', true), set_config('jit', 'off', true)
"""
_LOCK_SECONDS = 10
_CONNECTIONS = 4
# After so long without a connection the server is asked why there is none.
_SOON_SECONDS = 1.0


class PostgresCatalog:
    """The tables of one database as one login sees them. Threads may share it.

    Args:
        conninfo: Connection string of the caller's own login. The database decides what they may read; a login that
            is superuser or bypasses row-level security is for the caller's side to refuse.
        limits: What one query may cost.
        excluded_schemas: Schemas that are not for queries.
        labelled_by: The schema whose function `labels_of` tells how the login sees a table; without, labels are names.
    """

    def __init__(
        self,
        conninfo: str,
        limits: Limits | None = None,
        excluded_schemas: tuple[str, ...] = ("mooring",),
        labelled_by: str | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._excluded = excluded_schemas
        self._labelled_by = labelled_by
        self._conninfo = conninfo
        self._calls = Calls()
        self._turns = threading.BoundedSemaphore(_CONNECTIONS)
        self._pool = ConnectionPool(
            conninfo,
            kwargs=dict(_CONNECTION),
            configure=read_as_json,
            check=ConnectionPool.check_connection,
            min_size=0,
            max_size=_CONNECTIONS,
            max_idle=300,
            max_lifetime=1800,
            timeout=15,
            reconnect_timeout=15,
            open=False,
            name="mooring catalog",
        )

    def __enter__(self) -> Self:
        """Open the catalog; it connects at the first call."""
        self._pool.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self._pool.close()

    def cancel(self) -> None:
        """Cancel the statements that run now, for whichever thread; what is between two statements goes on."""
        self._calls.cancel()

    def list_tables(self) -> TableList:
        """List the tables that the caller may read, by schema and name."""
        most = self._limits.tables
        with self._reading() as conn:
            rows = conn.execute(_sql("list_tables"), {"excluded": list(self._excluded), "most": most + 1}).fetchall()
        tables = [
            Table(name, kind, comment, dict(zip(columns, types, strict=True)))
            for name, kind, comment, columns, types in rows
        ]
        return TableList(tables[:most], len(tables) > most)

    def describe_table(self, table: str) -> TableDescription:
        """Describe one table, named as in SQL, by `schema.table`, or with the database before them.

        Raises:
            TableNotFoundError: There is none of this name.
            AccessDeniedError: The caller may not read it; the database itself says so.
        """
        with self._reading() as conn:
            oid, schema, name = self._find(conn, table)
            # The database is asked by the act of reading, which nothing of ours could get wrong.
            conn.execute(sql.SQL("select from {} limit 0").format(sql.Identifier(schema, name)))
            labels = self._labels(conn, [(oid, schema, name)])
            rows = conn.execute(_sql("describe"), {"relation": oid}).fetchall()
            sources = frozenset({f"{conn.info.dbname}.{schema}.{name}"})
        if not rows:
            raise TableNotFoundError(f"{table} has no columns that you may read.")
        name, kind, comment, estimate, *_ = rows[0]
        return TableDescription(name, kind, comment, estimate, [Column(*row[4:]) for row in rows], sources, labels)

    def query(self, sql: str) -> QueryResult:
        """Run one read-only query.

        Raises:
            QueryRefusedError: It is not one read-only query; nothing was run.
            AccessDeniedError, TableNotFoundError, QueryFailedError, QueryTimeoutError: The database refused it,
                does not know a table, found it wrong, or took too long.
        """
        names = guard.check(sql, self._excluded)
        read = Read()
        with self._reading(read) as conn:
            database = conn.info.dbname
            named = _resolve(conn, names.tables)
            _refuse_hidden_functions(conn, names, [oid for oid, _, _ in named])
            read.sources = frozenset(f"{database}.{schema}.{name}" for _, schema, name in named)
            read.labels = frozenset((source, None) for source in read.sources)
            with declared(conn, "mooring", sql.encode()) as planned:
                scanned = conn.execute(_sql("locked"), {"named": [oid for oid, _, _ in named]}).fetchall()
                read.sources |= {f"{database}.{schema}.{name}" for _, schema, name, _ in scanned}
                # Planning took locks that changes of policies wait for, so what is labelled is what is read.
                direct = [(oid, schema, name) for oid, schema, name, behind in scanned if not behind]
                read.labels = self._labels(conn, [*named, *direct])
                read.planning = False
                columns, rows, truncated = fetch(conn, planned, names.text, self._limits)
        too_large = truncated and len(rows) < self._limits.rows
        return QueryResult(columns, rows, truncated, too_large, read.sources, read.labels)

    def _labels(self, conn: Conn, relations: list[tuple[int, str, str]]) -> Labels:
        if self._labelled_by is None:
            return frozenset((f"{conn.info.dbname}.{schema}.{name}", None) for _, schema, name in relations)
        labels_of = sql.SQL("select source, fingerprint from {}(%s::bigint[]::oid[])").format(
            sql.Identifier(self._labelled_by, "labels_of")
        )
        return frozenset(conn.execute(labels_of, [[oid for oid, _, _ in relations]]).fetchall())

    def _find(self, conn: Conn, table: str) -> tuple[int, str, str]:
        parts = guard.table_name(table)
        if len(parts) == 3 and parts[0] == conn.info.dbname:
            parts = parts[1:]
        schema, name = parts if len(parts) == 2 else (None, parts[0] if len(parts) == 1 else "")
        if not name:
            raise TableNotFoundError("That is not a table's name. list_tables shows the tables that you may read.")
        found = [] if guard.is_closed(schema, name, self._excluded) else _resolve(conn, frozenset({(schema, name)}))
        if not found:
            raise TableNotFoundError(f"There is no table {table}. list_tables shows the tables that you may read.")
        return found[0]

    @contextmanager
    def _connection(self) -> Iterator[Conn]:
        """Give a connection. There is one for each whose turn it is, so who waits for it waits for the server."""
        if not self._turns.acquire(timeout=self._limits.waiting):
            seconds = f"{self._limits.waiting:g} s"
            raise CatalogBusyError(
                f"The database is busy with your other queries since {seconds}. Ask for less at once."
            )
        try:
            conn = self._connected()
            try:
                yield conn
            finally:
                self._pool.putconn(conn)
        finally:
            self._turns.release()

    def _connected(self) -> Conn:
        try:
            return self._pool.getconn(_SOON_SECONDS)
        except PoolTimeout:
            try:
                # The pool tries again and again, and does not tell why it has to.
                psycopg.connect(self._conninfo, **_CONNECTION).close()
                return self._pool.getconn()
            except psycopg.OperationalError as error:
                raise CatalogUnavailableError(f"{refusal(error).sentence}. Try again in a moment.") from None

    @contextmanager
    def _reading(self, read: Read | None = None) -> Iterator[Conn]:
        """Give a connection in a read-only transaction, and turn the database's errors into ours."""
        read = read or Read()
        limits = self._limits
        call: Call | None = None
        try:
            with self._connection() as conn:
                try:
                    with self._calls.on(conn) as call:
                        conn.execute("begin read only")
                        settings = {"ms": limits.seconds, "lock": min(_LOCK_SECONDS, limits.seconds), "idle": 60}
                        conn.execute(_BEGIN, {key: str(int(value * 1000)) for key, value in settings.items()})
                        yield conn
                finally:
                    if not conn.closed:
                        conn.execute("rollback")
        except PoolClosed:
            raise
        except psycopg.Error as error:
            if call is not None and call.cancelled and isinstance(error, psycopg.errors.QueryCanceled):
                raise QueryCancelledError("The query was cancelled.", read.sources, read.labels) from None
            raise explain(error, seconds=limits.seconds, read=read) from None


def _resolve(conn: Conn, tables: frozenset[tuple[str | None, str]]) -> list[tuple[int, str, str]]:
    if not tables:
        return []
    schemas, names = zip(*tables, strict=True)
    return conn.execute(_sql("resolve"), {"schemas": list(schemas), "names": list(names)}).fetchall()


def _refuse_hidden_functions(conn: Conn, names: guard.Names, relations: list[int]) -> None:
    found = conn.execute(
        _sql("hidden_functions"),
        {
            "functions": list(names.functions),
            "aliases": list(names.aliases),
            "attributes": list(names.attributes),
            "operators": list(names.operators),
            "types": list(names.words),
            "relations": relations,
        },
    ).fetchone()
    if found:
        raise QueryRefusedError(
            f"The query was not run: it would call the function {found[0]}, and what that reads cannot be known."
        )


@cache
def _sql(name: str) -> LiteralString:
    return (files("tools.postgres") / "sql" / f"{name}.sql").read_text("utf-8")
