"""Bring the schema up to date, as its owner, and check that it is, as the runtime role."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from checkpointer.errors import DatabaseUnavailableError, SchemaError, UnsafeRoleError
from checkpointer.operations import Operation, Statement
from checkpointer.principal import storable
from checkpointer.queries import script

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = "mooring db migrate"
_DEVELOPMENT = (
    "Schema {schema!r} was made by code that was never released, and cannot be brought up to date. Drop it and run "
    f"`{COMMAND}`; for the embedded Postgres, `mooring db stop` and set another MOORING_HOME."
)


def migrations() -> Iterator[tuple[int, str]]:
    """Yield version and file name of every migration, in order."""
    folder = files("checkpointer") / "sql" / "migrations"
    for name in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")):
        yield int(name.split("_")[0]), name


def migration_sql(
    schema: str,
    runtime_role: str,
    login_role: str | None,
    auditor_role: str | None = None,
    chat_schema: str | None = None,
) -> str:
    """Return everything that a fresh migration runs, for a database administrator to read or to run with psql."""
    _check_names(schema, chat_schema)
    parts = ["begin;"]
    for version, name in migrations():
        text = script(f"migrations/{name}", schema=schema, runtime_role=runtime_role)
        parts += [f"-- {name}", text, _recorded(schema, version, name)]
    if login_role:
        parts.append(script("login.sql", schema=schema, login_role=login_role))
    if auditor_role:
        parts.append(script("auditor.sql", schema=schema, auditor_role=auditor_role))
    parts += _chat(schema, chat_schema, runtime_role, login_role)
    return "\n".join([*parts, "commit;", ""])


def migrate(
    admin_dsn: str,
    schema: str,
    runtime_role: str,
    login_role: str | None,
    auditor_role: str | None = None,
    chat_schema: str | None = None,
) -> list[str]:
    """Apply what is missing, each migration in a transaction of its own; return the names of those applied.

    Any number of processes may do so at once: they take turns under an advisory lock. The version moves only with a
    migration that succeeded, so a failed one resumes where it stopped.
    """
    _check_names(schema, chat_schema)
    applied: list[str] = []
    with connected(admin_dsn, "mooring migrate", prepare_threshold=None) as conn, _permitted(conn):
        _check_role(conn, runtime_role, "LOGIN PASSWORD '...'")
        if auditor_role:
            _check_role(conn, auditor_role, "NOLOGIN")
        for version, name in migrations():
            with conn.transaction():
                _lock(conn, schema)
                done = _applied(conn, schema)
                if version in done:
                    continue
                if version < max(done, default=0):
                    raise SchemaError(_DEVELOPMENT.format(schema=schema))
                _execute(conn, script(f"migrations/{name}", schema=schema, runtime_role=runtime_role))
                _execute(conn, _recorded(schema, version, name))
                applied.append(name)
        if login_role:
            with conn.transaction():
                _lock(conn, schema)
                _execute(conn, script("login.sql", schema=schema, login_role=login_role))
        if auditor_role:
            with conn.transaction():
                _lock(conn, schema)
                _execute(conn, script("auditor.sql", schema=schema, auditor_role=auditor_role))
        with conn.transaction():
            _lock(conn, schema)
            try:
                for text in _chat(schema, chat_schema, runtime_role, login_role):
                    _execute(conn, text)
            except (psycopg.errors.WrongObjectType, psycopg.errors.InvalidTableDefinition) as error:
                msg = (
                    f"Schema {chat_schema!r} has chats or messages of its own, which stay as they are. Choose another "
                    "schema for those of sessions."
                )
                raise SchemaError(msg) from error
    return applied


def connected(admin_dsn: str, application: str, **options: Any) -> psycopg.Connection[Any]:
    """Connect as the schema's owner.

    Raises:
        DatabaseUnavailableError: Nobody can log in like this; its cause says why.
    """
    try:
        return psycopg.connect(admin_dsn, autocommit=True, application_name=application, **options)
    except psycopg.OperationalError as error:
        msg = (
            "The sessions' database cannot be reached as its administrator; the cause of this error says why. Check "
            "MOORING_ADMIN_URL and its password."
        )
        raise DatabaseUnavailableError(msg) from error


@contextmanager
def _permitted(conn: psycopg.Connection[Any]) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        user, database = conn.info.user, conn.info.dbname
        msg = (
            f"Role {user!r} may not migrate ({error.diag.message_primary}). Connect as the schema's owner, or before "
            f"the first migration run: GRANT CREATE ON DATABASE {_quote(database)} TO {_quote(user)}."
        )
        raise SchemaError(msg) from error


def _chat(schema: str, chat_schema: str | None, runtime_role: str, login_role: str | None) -> list[str]:
    """Return the scripts of the views that AppKit reads, none without a schema for them."""
    if chat_schema is None:
        return []
    readers = [role for role in (runtime_role, login_role) if role]
    return [script("chat.sql", schema=schema, chat=chat_schema, reader=reader) for reader in readers]


def verify(schema: str) -> Operation[str]:
    """Check that the schema is there and current, and that policies bind the connection's role.

    Returns:
        Which schema of which database it is; no other has the same.

    Raises:
        SchemaError: It is missing, out of reach or older than this code.
        UnsafeRoleError: The role owns governed tables, is superuser or has BYPASSRLS, or may become such a role.
    """
    [[(present, usable, role)]] = yield [Statement("check_schema", {"schema": schema})]
    if not present:
        msg = f"The database has no schema {schema!r} with sessions. Run `{COMMAND}`."
        raise SchemaError(msg)
    if not usable:
        msg = (
            f"Role {role!r} may not use schema {schema!r}. Connect as the runtime role that it was migrated with, or "
            f"run `{COMMAND}` with this one."
        )
        raise SchemaError(msg)
    [[(version, place)], roles] = yield [
        Statement("check_version", {}),
        Statement("check_role", {"schema": schema}),
    ]
    newest = max(number for number, _ in migrations())
    if version is None or version < newest:
        msg = f"Schema {schema!r} is at version {version or 0}, this code needs {newest}. Run `{COMMAND}`."
        raise SchemaError(msg)
    if roles:
        raise UnsafeRoleError(_unsafe(role, *roles[0]))
    return str(place)


def _unsafe(role: str, culprit: str, is_super: bool, bypasses: bool, owns: list[str]) -> str:
    who = f"Role {role!r}" if role == culprit else f"Role {role!r}, a member of {culprit!r},"
    mend = f"REVOKE {_quote(culprit)} FROM {_quote(role)}" if role != culprit else None
    if is_super:
        # Taking that from it could leave the server without any.
        another = "connect as another role, made with CREATE ROLE mooring_service LOGIN PASSWORD '...'"
        why, mend = "is superuser", mend or f"{another}, after `{COMMAND}` for it"
    elif bypasses:
        why, mend = "has BYPASSRLS", mend or f"ALTER ROLE {_quote(role)} NOBYPASSRLS"
    else:
        why, mend = f"owns {', '.join(owns)}", mend or "connect as a role that owns nothing"
    return (
        f"{who} {why}: row-level security would not hold it, and it could read everybody's sessions. "
        f"Mend it with: {mend}."
    )


def _check_names(*schemas: str | None) -> None:
    """Refuse what Postgres would cut off, or keeps for itself."""
    for name in schemas:
        if name is None:
            continue
        if not 0 < len(name.encode("utf-8", "replace")) < 64 or not storable(name) or name.startswith("pg_"):
            msg = f"{name!r} cannot be a schema's name. Choose one of 1 to 63 bytes that does not start with pg_."
            raise SchemaError(msg)


def _check_role(conn: psycopg.Connection, role: str, options: str) -> None:
    if not conn.execute("select from pg_catalog.pg_roles where rolname = %s", [role]).fetchall():
        msg = f"Role {role!r} does not exist. Run: CREATE ROLE {_quote(role)} {options}."
        raise SchemaError(msg)


def _lock(conn: psycopg.Connection, schema: str) -> None:
    conn.execute("select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext(%s))", [f"mooring migrate {schema}"])


def _applied(conn: psycopg.Connection, schema: str) -> set[int]:
    table = conn.execute(
        "select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relname = 'migrations'",
        [schema],
    ).fetchone()
    if table is None:
        return set()
    rows = conn.execute(sql.SQL("select version from {}").format(sql.Identifier(schema, "migrations"))).fetchall()
    return {int(version) for (version,) in rows}


def _recorded(schema: str, version: int, name: str) -> str:
    statement = sql.SQL("insert into {} (version, name) values ({}, {});")
    return statement.format(sql.Identifier(schema, "migrations"), version, name).as_string(None)


def _execute(conn: psycopg.Connection, text: str) -> None:
    conn.execute(text.encode())  # a packaged script, its variables quoted by psycopg


def _quote(name: str) -> str:
    return sql.Identifier(name).as_string(None)
