"""Clients that go away, and servers that end: what was begun is stored, and finished when its owner next asks."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.chaos.watching import until
from tests.serving.elsewhere import wait_for
from tests.serving.served import PATIENT, asked, events_in, failure, said, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from agent.database import Database
    from tests.serving.served import Served

# Other replicas take what the process of a lease has left, or is told to leave, without waiting for the lease to end.
AT_ONCE = 6.0


@pytest.fixture
def ending(lakehouse: Database, tmp_path: Path) -> Iterator[Served]:
    """A replica that is ended by its test, with little time for what is running."""
    with served(tmp_path, **PATIENT, MOORING_GRACE_SECONDS="1", MOORING_CLIENT_GONE="cancel") as running:
        yield running


def messages(server: Served, session: str) -> list[dict[str, Any]]:
    found = server.get("alice", f"/sessions/{session}/messages")
    return found.json()["messages"] if found.status_code == 200 else []


def read_until(lines: Iterator[str], what: str) -> list[str]:
    """Read a stream until something is in it."""
    read = []
    for line in lines:
        read.append(line)
        if what in line:
            break
    return read


def go_away(server: Served, request: dict[str, Any], what: str) -> None:
    """Ask, and close the connection in the middle of the answer."""
    with server.client("alice") as client, client.stream("POST", "/responses", json=request) as response:
        read_until(response.iter_lines(), what)


def test_a_turn_whose_client_goes_away_is_finished(patient: Served, session: str) -> None:
    go_away(patient, asked("words 40", session, stream=True), "output_text.delta")
    until(lambda: len(messages(patient, session)) == 2)
    assert messages(patient, session)[-1]["content"].endswith("w39")


def test_or_is_cancelled_where_that_is_set(ending: Served, patient: Served, session: str) -> None:
    go_away(ending, asked("words 1000", session, stream=True), "output_text.delta")
    until(lambda: len(messages(patient, session)) == 2, 10)
    assert "Stopped" in messages(patient, session)[-1]["content"]
    assert said(patient.post("alice", asked("hello", session)).json()) == "Answer 2 to 'hello'"


def test_a_server_that_is_told_to_end_finishes_what_is_short(ending: Served, session: str) -> None:
    with ending.client("alice") as client:
        request = asked("words 20", session, stream=True)
        with client.stream("POST", "/responses", json=request) as response:
            lines = response.iter_lines()
            read = read_until(lines, "output_text.delta")
            ending.process.send_signal(signal.SIGTERM)
            read += list(lines)
    assert events_in("\n".join(read))[-1]["type"] == "response.completed"
    assert ending.process.wait(10) == 0
    assert "Traceback" not in ending.log


def test_what_takes_longer_is_finished_at_another_replica_at_once(
    ending: Served, patient: Served, session: str
) -> None:
    sql = "query: select count(*) from bakehouse.suppliers -- wait 20"
    with ending.client("alice") as client, client.stream("POST", "/responses", json=_slow(session)) as response:
        lines = response.iter_lines()
        read = read_until(lines, "response.in_progress")
        until(lambda: bool(messages(patient, session)))
        start = time.monotonic()
        ending.process.send_signal(signal.SIGTERM)
        read += list(lines)
    last = events_in("\n".join(read))[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["custom_outputs"]["unfinished"] is True
    assert ending.process.wait(10) == 0
    assert time.monotonic() - start < AT_ONCE, sql
    _finished_at(patient, session)


def test_what_a_killed_replica_has_begun_is_finished_at_another(ending: Served, patient: Served, session: str) -> None:
    with ending.client("alice") as client, client.stream("POST", "/responses", json=_slow(session)) as response:
        lines = response.iter_lines()
        read_until(lines, "response.in_progress")
        until(lambda: bool(messages(patient, session)))
        ending.end(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            list(lines)
    _finished_at(patient, session)


@pytest.mark.parametrize("custom", [{}, {"message_id": "m1"}], ids=["by its words", "by its id"])
def test_what_got_no_further_than_its_question_is_answered_once(
    patient: Served, admin: psycopg.Connection[Any], session: str, custom: dict[str, str]
) -> None:
    request = asked("hello", session)
    request["custom_inputs"] |= custom
    assert patient.post("alice", request).status_code == 200
    _cut(admin, session)

    again = patient.post("alice", request).json()

    assert [part["text"] for item in again["output"] for part in item["content"]] == ["Answer 1 to 'hello'"]
    assert [m["content"] for m in messages(patient, session)] == ["hello", "Answer 1 to 'hello'"]
    _cut(admin, session)
    assert said(patient.post("alice", asked("more", session)).json()) == "Answer 1 to 'hello'Answer 2 to 'more'"
    kept = ["hello", "Answer 1 to 'hello'", "more", "Answer 2 to 'more'"]
    assert [m["content"] for m in messages(patient, session)] == kept


def test_what_got_no_further_than_its_question_keeps_that_when_it_is_stopped(
    patient: Served, admin: psycopg.Connection[Any], session: str
) -> None:
    assert patient.post("alice", asked("hello", session)).status_code == 200
    _cut(admin, session)
    assert patient.post("alice", {}, f"/sessions/{session}/stop").status_code == 200
    assert [m["content"] for m in messages(patient, session)][:1] == ["hello"]
    assert "Stopped" in messages(patient, session)[1]["content"]


def _cut(admin: psycopg.Connection[Any], session: str) -> None:
    """Leave of a session what its process had stored when it had taken the first question, and nothing else."""
    [thread] = admin.execute("select id from mooring.threads where thread_id = %s", [session]).fetchone() or [None]
    assert admin.execute("delete from mooring.checkpoints where thread = %s and seq > 0", [thread]).rowcount
    admin.execute("delete from mooring.writes where thread = %s", [thread])
    admin.execute("update mooring.threads set epoch = epoch + 1 where id = %s", [thread])


def _slow(session: str) -> dict[str, Any]:
    return asked("wait 3", session, stream=True)


def _finished_at(server: Served, session: str) -> None:
    """The same question again finishes its turn, and is stored once; the model's three seconds are all it takes."""
    start = time.monotonic()
    again = server.post("alice", asked("wait 3", session))
    assert (again.status_code, said(again.json())) == (200, "Answer 1 to 'wait 3'")
    assert time.monotonic() - start < 3 + AT_ONCE
    assert [m["content"] for m in messages(server, session)] == ["wait 3", "Answer 1 to 'wait 3'"]


def test_another_replica_stops_a_turn(ending: Served, patient: Served, session: str) -> None:
    begun = ending.post("alice", asked("wait 60", session, background=True)).json()
    until(lambda: bool(messages(patient, session)))
    stopped = patient.post("alice", {}, f"/sessions/{session}/stop").json()
    assert stopped == {"session": session, "stopped": True}
    assert "Stopped" in messages(patient, session)[-1]["content"]
    # The replica that ran it learns of it when it renews its lease.
    until(lambda: ending.get("alice", f"/responses/{begun['id']}").json()["status"] == "failed", 10)
    assert ending.get("alice", f"/responses/{begun['id']}").json()["error"]["code"] == "stale"
    assert said(ending.post("alice", asked("hello", session)).json()) == "Answer 2 to 'hello'"


def test_the_same_process_stops_it_at_once(patient: Served, session: str) -> None:
    begun = patient.post("alice", asked("wait 60", session, background=True)).json()
    until(lambda: bool(messages(patient, session)))
    start = time.monotonic()
    assert patient.post("alice", {}, f"/sessions/{session}/stop").json()["stopped"] is True
    until(lambda: patient.get("alice", f"/responses/{begun['id']}").json()["status"] == "cancelled", 5)
    assert time.monotonic() - start < AT_ONCE
    assert patient.post("alice", {}, f"/sessions/{session}/stop").json()["stopped"] is False


def test_health_answers_while_models_take_their_time(patient: Served, session: str) -> None:
    ids = [patient.post("alice", asked("wait 5", f"{session}-{i}", background=True)).json()["id"] for i in range(8)]
    took = []
    with patient.client(None) as client:
        for _ in range(30):
            start = time.monotonic()
            assert client.get("/health").json() == {"status": "healthy"}
            took.append(time.monotonic() - start)
            time.sleep(0.03)
    assert sorted(took)[26] < 0.1, took
    assert {patient.get("alice", f"/responses/{each}").json()["status"] for each in ids} == {"in_progress"}
    for each in ids:
        patient.post("alice", {}, f"/responses/{each}/cancel")


def test_ready_tells_when_the_database_is_away_and_back(lakehouse: Database, tmp_path: Path, session: str) -> None:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    from tests.integration.proxy import Proxy

    there = conninfo_to_dict(lakehouse.runtime)
    with Proxy(str(there["host"]), int(str(there["port"]))) as proxy:
        port = proxy.port
        url = make_conninfo(lakehouse.runtime, host="127.0.0.1", port=str(port))
        with served(tmp_path, MOORING_DATABASE_URL=url) as server:
            wait_for(f"{server.url}/ready")
            assert server.get(None, "/ready").json() == {"status": "ready"}
            proxy.__exit__()
            start = time.monotonic()
            away = server.get(None, "/ready")
            assert time.monotonic() - start < AT_ONCE
            assert (away.status_code, away.json()["status"]) == (503, "unavailable")
            assert "database" in away.json()["reason"]
            assert server.get(None, "/health").status_code == 200
            # It is not the caller's fault, whose token is as good as before.
            refused = server.get("alice", "/sessions")
            assert failure(refused) == (502, "upstream")
            # Where the database is stands in the log, for whoever runs the server.
            assert str(port) not in away.text + refused.text
            assert str(port) in server.log
            with Proxy(str(there["host"]), int(str(there["port"])), port):
                wait_for(f"{server.url}/ready", 20)


def test_workers_share_nothing_but_the_database(lakehouse: Database, tmp_path: Path, session: str) -> None:
    with served(tmp_path, "--workers", "2", **PATIENT) as server:
        for i in range(1, 7):
            answer = server.post("alice", asked(f"question {i}", session)).json()
            assert said(answer) == f"Answer {i} to 'question {i}'"
        assert server.end() < 15
        assert "Traceback" not in server.log
