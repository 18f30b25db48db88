"""Ctrl-C during an answer: the answer ends, the turn is kept, and the session goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg

if TYPE_CHECKING:
    from agent.database import Database

MOORING = str(Path(sys.executable).with_name("mooring"))
PATIENCE = 60.0


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MOORING, *args], capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_ctrl_c_ends_the_answer_and_keeps_the_turn(lakehouse: Database) -> None:
    assert lakehouse.superuser is not None
    session = f"stopped-{uuid4().hex[:8]}"
    with (
        psycopg.connect(lakehouse.superuser) as locking,
        psycopg.connect(lakehouse.superuser, autocommit=True) as watch,
    ):
        locking.execute("lock table bakehouse.suppliers")
        asking = subprocess.Popen(
            [MOORING, "ask", "how many suppliers are there?", "--session", session],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'alice'"
            " and query ilike '%%from bakehouse.suppliers%%'"
        )
        end = time.monotonic() + PATIENCE
        while watch.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < end
            time.sleep(0.05)
        asking.send_signal(signal.SIGINT)
        _, err = asking.communicate(timeout=PATIENCE)
        locking.rollback()
    assert asking.returncode == 130
    assert "Traceback" not in err

    kept = json.loads(run("sessions", "export", session).stdout)
    assert kept["unfinished"] is False
    assert kept["messages"][0]["content"] == "how many suppliers are there?"
    assert kept["messages"][-1]["content"].startswith("Stopped")
    going_on = run("ask", "how many suppliers are there?", "--session", session, "-o", "json")
    assert json.loads(going_on.stdout)["tools"][-1]["rows"] == 1
