"""SIGKILL while the second of two tool calls of one message runs: the first is not run again, and nothing is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agent import local
from agent.identity import log_in
from agent.settings import Settings
from checkpointer import GovernedPostgresSaver, acting_as
from tests.chaos.watching import PATIENCE, held_up, locked, start, stored, until

if TYPE_CHECKING:
    import subprocess

    import psycopg

    from agent.database import Database

pytestmark = pytest.mark.embedded

PROGRAM = str(Path(__file__).with_name("two_calls.py"))
MESSAGES = "(select * from mooring.writes where channel = 'messages')"


def ask(session: str, question: str, *queries: str) -> subprocess.Popen[str]:
    return start(sys.executable, PROGRAM, session, question, *queries)


@pytest.mark.parametrize("finished_first", [True, False])
def test_a_finished_call_is_not_run_again(
    lakehouse: Database, admin: psycopg.Connection[Any], finished_first: bool
) -> None:
    session, mark = f"killed-{uuid4().hex[:8]}", f"m{uuid4().hex[:8]}"
    quick = f"select count(*) as {mark} from bakehouse.reviews"
    slow = f"select count(*) as slow_{mark} from bakehouse.suppliers"
    queries = (quick, slow) if finished_first else (slow, quick)

    admin.execute("alter role alice set log_statement = 'all'")
    with locked(lakehouse, "bakehouse.suppliers") as lock:
        killed = ask(session, "two things", *queries)
        until(lambda: len(held_up(admin, lock)) == 1 and stored(admin, session, MESSAGES) >= 3)
        before = stored(admin, session)
        killed.kill()
        killed.communicate()

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
    assert stored(admin, session) > before

    admin.execute("alter role alice reset log_statement")
    log = local.status(Settings().home).log.read_text(errors="replace").splitlines()
    assert sum("DECLARE" in line and f" as {mark} " in line for line in log) == 1
