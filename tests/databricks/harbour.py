"""A server as Lakebase's: with its extension, a project's owner who may make roles, and databases of theirs."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg

from tests.integration.foreign import Foreign, foreign_server

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "0f4e2f4c-1d1f-4b5e-9a57-service"
OWNER, DORA, EMIL = "owner@example.com", "dora@example.com", "emil@example.com"
CONTROL = "default_version = '1.0'\ntrusted = true\nrelocatable = true\n"
EXTENSION = """
create function databricks_create_role(identity_name text, identity_type text) returns void language plpgsql as
$$ begin execute format('create role %I login password %L', identity_name, '{password}'); end $$;
"""


@contextmanager
def lakebase_server(owner: str = OWNER) -> Iterator[Foreign]:
    """Run the server, with a project's owner.

    A stand-in for its extension is in a folder that other accounts can read.
    """
    extensions = Path(tempfile.mkdtemp(prefix="mooring-extensions-"))
    extensions.chmod(0o755)
    folder = extensions / "extension"
    folder.mkdir()
    try:
        with foreign_server(18) as foreign:
            (folder / "databricks_auth.control").write_text(CONTROL)
            (folder / "databricks_auth--1.0.sql").write_text(EXTENSION.format(password=foreign.password))
            with psycopg.connect(foreign.url("administrator", "postgres"), autocommit=True) as conn:
                conn.execute(f"alter system set extension_control_path = '{extensions}:$system'".encode())
                conn.execute("select pg_reload_conf()")
                conn.execute(f"create role \"{owner}\" login createrole password '{foreign.password}'".encode())
            yield foreign
    finally:
        shutil.rmtree(extensions)


def new_database(server: Foreign, name: str | None = None, owner: str = OWNER) -> str:
    """Make a database of the owner's, and return its name."""
    name = name or f"lake_{uuid4().hex[:8]}"
    with psycopg.connect(server.url("administrator", "postgres"), autocommit=True) as conn:
        conn.execute(f'create database {name} owner "{owner}" encoding UTF8 template template0'.encode())
    return name


def url(server: Foreign, role: str, database: str) -> str:
    return server.url(role.replace("@", "%40"), database)
