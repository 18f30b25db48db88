"""SIGKILL of `mooring ask` in the middle of a turn: the next one finishes the turn, then answers what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agent.identity import log_in
from agent.transcript import transcript_of
from checkpointer import GovernedPostgresSaver, acting_as
from tests.chaos.watching import MOORING, answer, count, exported, held_up, locked, start, stored, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from agent.database import Database
    from agent.schemas import Transcript

pytestmark = pytest.mark.embedded

QUESTION = "how many suppliers are there?"
ANOTHER = "how many reviews are there?"
TURN = ["user", "assistant", "tool", "assistant", "tool", "assistant"]
# What each node of such a turn wrote, but for the last one.
RESULTS = "(select * from mooring.writes where channel = 'messages')"
LATE = (
    "insert into bakehouse.suppliers"
    " select 1000, 'Late', ingredient, city, country, continent, approved from bakehouse.suppliers limit 1"
)


@pytest.fixture
def session() -> str:
    return f"killed-{uuid4().hex[:8]}"


@pytest.fixture
def suppliers(admin: psycopg.Connection[Any]) -> Iterator[int]:
    """How many there are; afterwards again."""
    yield count(admin, "select count(*) from bakehouse.suppliers")
    admin.execute("delete from bakehouse.suppliers where supplier_id = 1000")


def committed(lakehouse: Database, session: str) -> Transcript:
    """What the latest checkpoint holds."""
    caller = log_in(lakehouse, "alice")
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver, acting_as(caller.principal):
        return transcript_of(saver, session)


def cut_off(admin: psycopg.Connection[Any], processes: list[int]) -> None:
    """End processes of the server."""
    admin.execute("select pg_terminate_backend(pid, 5000) from unnest(%s::int[]) pid", [processes])


def test_a_turn_killed_in_a_tool_call_is_finished(
    lakehouse: Database, admin: psycopg.Connection[Any], session: str
) -> None:
    with locked(lakehouse, "bakehouse.suppliers") as data:
        asking = start(MOORING, "ask", QUESTION, "--session", session)
        until(lambda: len(held_up(admin, data)) == 1)
        asking.kill()
        asking.communicate()
    interrupted = committed(lakehouse, session)
    assert interrupted.unfinished
    assert [m.role for m in interrupted.messages] == TURN[:4]

    answered = answer(ANOTHER, "--continue")

    found = exported(session)
    messages = found["messages"]
    assert found["unfinished"] is False
    assert [m["role"] for m in messages] == TURN * 2
    assert len({m["id"] for m in messages}) == len(TURN * 2)
    assert [m["content"] for m in messages if m["role"] == "user"] == [QUESTION, ANOTHER]
    assert (answered["session"], answered["answer"]) == (session, messages[-1]["content"])
    # A node that ran again would have given its message another id.
    assert [m["id"] for m in messages[:4]] == [m.id for m in interrupted.messages]
    assert [use["status"] for m in messages for use in m["tool_calls"]] == ["success"] * 4


@pytest.mark.parametrize("server_notices", [True, False])
def test_a_turn_killed_while_a_result_is_stored_is_finished(
    lakehouse: Database, admin: psycopg.Connection[Any], session: str, suppliers: int, server_notices: bool
) -> None:
    # given a query whose result waits to be stored, with the checkpoint after it
    with locked(lakehouse, "bakehouse.suppliers") as data:
        asking = start(MOORING, "ask", QUESTION, "--session", session)
        until(lambda: len(held_up(admin, data)) == 1)
        with locked(lakehouse, "mooring.checkpoints", "share") as memory:
            data.rollback()
            until(lambda: len(held_up(admin, memory)) == 1)

            # when the program is killed there, and the statement that waits goes with it or is committed after all
            asking.kill()
            asking.communicate()
            if server_notices:
                cut_off(admin, held_up(admin, memory))
    if server_notices:
        assert [m.role for m in committed(lakehouse, session).messages] == TURN[:4]
    else:
        until(lambda: stored(admin, session, RESULTS) == len(TURN[:-1]))
    kept = stored(admin, session, RESULTS) == len(TURN[:-1])
    admin.execute(LATE)

    answer(QUESTION, "--session", session)

    # then its answer is of the result that was stored, or of a new query where none was; the next one is of a new query
    messages = exported(session)["messages"]
    assert [m["role"] for m in messages] == TURN * 2
    assert len({m["id"] for m in messages}) == len(TURN * 2)
    assert str(suppliers if kept else suppliers + 1) in messages[len(TURN) - 1]["content"]
    assert str(suppliers + 1) in messages[-1]["content"]
