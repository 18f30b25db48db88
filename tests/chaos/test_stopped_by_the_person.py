"""Ctrl-C during an answer: the answer ends, what it ran in the database too, the turn is kept, the session goes on."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pexpect
import pytest

from tests.chaos.watching import MOORING, PATIENCE, exported, held_up, locked, start, until

if TYPE_CHECKING:
    import subprocess

    import psycopg

    from agent.database import Database

pytestmark = pytest.mark.embedded

QUESTION = "how many suppliers are there?"
QUERY = r"select count\(\*\) from bakehouse.suppliers"
PROGRAM = str(Path(__file__).with_name("two_calls.py"))
# By itself a query gives up after 10 s in front of a lock. The rest is a busy machine's.
SOON = 5.0


@pytest.fixture
def session() -> str:
    return f"stopped-{uuid4().hex[:8]}"


def interrupt(program: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C, and return what the program printed until its end, which comes soon."""
    program.send_signal(signal.SIGINT)
    return program.communicate(timeout=SOON)


def statuses(transcript: dict[str, Any]) -> list[str]:
    return [use["status"] for m in transcript["messages"] for use in m["tool_calls"]]


def test_ctrl_c_ends_the_answer_and_keeps_the_turn(
    lakehouse: Database, admin: psycopg.Connection[Any], session: str
) -> None:
    with locked(lakehouse, "bakehouse.suppliers") as lock:
        asking = start(MOORING, "ask", QUESTION, "--session", session)
        until(lambda: len(held_up(admin, lock)) == 1)
        _, err = interrupt(asking)
        assert held_up(admin, lock) == []
    assert asking.returncode == 130
    assert err == f"Stopped. What was found so far is kept. Session {session}\n"

    kept = exported(session)
    assert kept["unfinished"] is False
    assert kept["messages"][0]["content"] == QUESTION
    assert kept["messages"][-1]["content"].startswith("Stopped")
    assert statuses(kept) == ["success", "error"]


def test_ctrl_c_ends_all_queries_that_run_at_once(
    lakehouse: Database, admin: psycopg.Connection[Any], session: str
) -> None:
    queries = [f"select {n}, count(*) from bakehouse.suppliers" for n in (1, 2)]
    with locked(lakehouse, "bakehouse.suppliers") as lock:
        asking = start(sys.executable, PROGRAM, session, QUESTION, *queries)
        until(lambda: len(held_up(admin, lock)) == 2)
        assert interrupt(asking) == ("model called\nstopped\n", "")
        assert held_up(admin, lock) == []
    kept = exported(session)
    assert kept["unfinished"] is False
    assert statuses(kept) == ["error", "error"]


def test_ctrl_c_in_a_chat_leads_back_to_its_prompt(
    lakehouse: Database, admin: psycopg.Connection[Any], session: str
) -> None:
    with locked(lakehouse, "bakehouse.suppliers") as lock:
        # given a chat that finishes the turn of a killed program, whose query still waits in the server
        killed = start(MOORING, "ask", QUESTION, "--session", session)
        until(lambda: len(held_up(admin, lock)) == 1)
        killed.kill()
        killed.communicate()
        chat = pexpect.spawn(MOORING, ["chat", "--session", session], encoding="utf-8", timeout=PATIENCE)
        chat.expect("Finishing the turn that was interrupted")
        for _ in range(2):
            # The query is on the screen while it runs, until Ctrl-C.
            chat.expect(QUERY)
            until(lambda: len(held_up(admin, lock)) == 2)
            chat.sendintr()
            chat.expect("Stopped.*kept.*> ", timeout=SOON)
            assert len(held_up(admin, lock)) == 1
            chat.sendline(QUESTION)
        chat.expect(QUERY)
    chat.expect("1 row from lakehouse.bakehouse.suppliers.*27.*> ")
    chat.sendeof()
    chat.expect(pexpect.EOF)
    chat.close()
    assert chat.exitstatus == 0
    assert statuses(exported(session)) == ["success", "error", "success", "error", "success", "success"]
