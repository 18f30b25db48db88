"""Run the real command line, hold it up at a table, and watch from behind the scenes what it waits for and stores."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database

MOORING = str(Path(sys.executable).with_name("mooring"))
PATIENCE = 60.0


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def start(*command: str) -> subprocess.Popen[str]:
    """Start a program whose output is read later."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(*args: str) -> dict[str, Any]:
    """Ask with the command line, to the end."""
    return _json("ask", *args, "--output", "json")


def exported(session: str) -> dict[str, Any]:
    """The session as the command line exports it."""
    return _json("sessions", "export", session)


def _json(*args: str) -> dict[str, Any]:
    done = subprocess.run([MOORING, *args], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def count(conn: psycopg.Connection[Any], sql: str, *params: object) -> int:
    """The number that a query returns."""
    return int((conn.execute(sql.encode(), params).fetchone() or [0])[0])


def stored(admin: psycopg.Connection[Any], session: str, rows: str = "mooring.checkpoints") -> int:
    """How many rows of alice's session are committed."""
    joined = f"{rows} x join mooring.threads t on t.owner = x.owner and t.id = x.thread"
    return count(admin, f"select count(*) from {joined} where t.owner = 'alice' and t.thread_id = %s", session)


@contextmanager
def locked(database: Database, table: str, mode: str = "access exclusive") -> Iterator[psycopg.Connection[Any]]:
    """Lock a table until the end of the block, or of the connection's transaction."""
    assert database.superuser is not None
    with psycopg.connect(database.superuser) as conn:
        conn.execute(f"lock table {table} in {mode} mode".encode())
        yield conn
        conn.rollback()


def held_up(admin: psycopg.Connection[Any], by: psycopg.Connection[Any]) -> list[int]:
    """The server's processes that wait for what a connection has locked."""
    rows = admin.execute(
        "select pid from pg_stat_activity where %s = any(pg_blocking_pids(pid))", [by.info.backend_pid]
    )
    return [pid for (pid,) in rows]
