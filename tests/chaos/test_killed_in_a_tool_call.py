"""SIGKILL while the second of two tool calls of one message runs: the first is not run again, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from agent import local
from agent.identity import log_in
from agent.settings import Settings
from checkpointer import GovernedPostgresSaver, acting_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.database import Database

PROGRAM = str(Path(__file__).with_name("two_calls.py"))
PATIENCE = 60.0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def count(conn: psycopg.Connection[Any], sql: str, *params: str) -> int:
    return int((conn.execute(sql, params).fetchone() or [0])[0])


def ask(session: str, question: str, *queries: str) -> subprocess.Popen[str]:
    command = [sys.executable, PROGRAM, session, question, *queries]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("finished_first", [True, False])
def test_a_finished_call_is_not_run_again(
    lakehouse: Database, admin: psycopg.Connection[Any], finished_first: bool
) -> None:
    assert lakehouse.superuser is not None
    session, mark = f"killed-{uuid4().hex[:8]}", f"m{uuid4().hex[:8]}"
    quick = f"select count(*) as {mark} from bakehouse.reviews"
    slow = f"select count(*) as slow_{mark} from bakehouse.suppliers"
    queries = (quick, slow) if finished_first else (slow, quick)
    rows = (
        "select count(*) from mooring.{} x join mooring.threads t on t.owner = x.owner and t.id = x.thread"
        " where t.owner = 'alice' and t.thread_id = %s"
    )

    admin.execute("alter role alice set log_statement = 'all'")
    with psycopg.connect(lakehouse.superuser) as locking:
        locking.execute("lock table bakehouse.suppliers")
        killed = ask(session, "two things", *queries)
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like %s"
        until(lambda: count(admin, waiting, f"%slow_{mark}%") == 1)
        until(lambda: count(admin, f"{rows.format('writes')} and x.channel = 'messages'", session) >= 3)
        before = count(admin, rows.format("checkpoints"), session)
        killed.kill()
        killed.communicate()
        locking.rollback()

    out, err = ask(session, "and again", "select 1", "select 2").communicate(timeout=PATIENCE)
    assert err == ""
    # The interrupted turn needed the model once more, for its answer; the next question twice.
    assert out.splitlines() == ["model called", "answered done", "model called", "model called", "answered done"]

    caller = log_in(lakehouse, "alice")
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver, acting_as(caller.principal):
        found = saver.get_tuple({"configurable": {"thread_id": session}})
        assert found is not None
        messages = found.checkpoint["channel_values"]["messages"]
    assert [m.type for m in messages] == ["human", "ai", "tool", "tool", "ai"] * 2
    assert len({m.id for m in messages}) == 10
    assert [m.text for m in messages[2:4]] != [m.text for m in messages[7:9]]
    assert count(admin, rows.format("checkpoints"), session) > before

    admin.execute("alter role alice reset log_statement")
    log = local.status(Settings().home).log.read_text(errors="replace").splitlines()
    assert sum("DECLARE" in line and f" as {mark} " in line for line in log) == 1
