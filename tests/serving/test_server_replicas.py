"""Responses in the background, followed and stopped at another replica than the one that runs them."""

from __future__ import annotations

import json
import signal
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import openai
import psycopg
import pytest

from agent.responses.locator import response_id
from tests.chaos.watching import until
from tests.serving.served import PATIENT, asked, events_in, failure, said, served, token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.database import Database
    from tests.serving.served import Served

NOT_FOUND = (404, "not_found")
SQL = "query: select count(*) from bakehouse.suppliers"


@pytest.fixture
def other(lakehouse: Database, tmp_path: Path) -> Iterator[Served]:
    """A replica that its test may kill."""
    with served(tmp_path, **PATIENT, MOORING_GRACE_SECONDS="1") as running:
        yield running


def begin(server: Served, question: str, session: str, user: str = "alice") -> str:
    """Ask in the background, and return the response's id."""
    begun = server.post(user, asked(question, session, background=True))
    assert begun.status_code == 202, begun.text
    return str(begun.json()["id"])


def state(server: Served, response: str, user: str = "alice") -> Any:
    found = server.get(user, f"/responses/{response}")
    return found.json() if found.status_code == 200 else failure(found)


def stored(server: Served, session: str, count: int) -> bool:
    found = server.get("alice", f"/sessions/{session}/messages")
    return found.status_code == 200 and len(found.json()["messages"]) >= count


def test_it_is_polled_at_any_replica(server: Served, patient: Served, session: str) -> None:
    response = begin(patient, f"{SQL} -- wait 2", session)
    until(lambda: stored(server, session, 1))
    running = state(server, response)
    assert (running["id"], running["status"]) == (response, "in_progress")
    until(lambda: {state(each, response)["status"] for each in (server, patient)} == {"completed"})
    here, there = state(patient, response), state(server, response)
    assert said(there) == said(here) != ""
    assert there["output"] == here["output"]
    assert there["custom_outputs"] == here["custom_outputs"]
    assert (there["usage"], there["created_at"]) == (here["usage"], here["created_at"])
    assert failure(server.get("bob", f"/responses/{response}")) == NOT_FOUND


def test_it_is_gone_on_with_at_any_replica(server: Served, patient: Served, session: str) -> None:
    response = begin(patient, f"{SQL} -- wait 1", session)
    with openai.OpenAI(base_url=server.url, api_key=token("alice"), max_retries=0) as client:
        events = list(client.responses.retrieve(response, stream=True, starting_after=1))
    assert [event.sequence_number for event in events] == list(range(2, 2 + len(events)))
    assert "response.created" not in {event.type for event in events}
    done = [event.item for event in events if event.type == "response.output_item.done"]
    last = events[-1]
    assert last.type == "response.completed"
    assert [item.type for item in last.response.output] == [item.type for item in done]
    assert last.response.output_text == said(state(patient, response))
    whole = events_in(server.get("alice", f"/responses/{response}?stream=true").text)
    assert whole[0]["type"] == "response.created"


def test_where_its_replica_died_it_is_interrupted_until_its_owner_asks(
    patient: Served, other: Served, session: str
) -> None:
    response = begin(other, "wait 2", session)
    until(lambda: stored(patient, session, 1))
    with patient.client("alice") as client, client.stream("GET", f"/responses/{response}?stream=true") as following:
        lines = following.iter_lines()
        next(lines)
        other.end(signal.SIGKILL)
        events = events_in("\n".join(["event: response.created", *lines]))
    assert (events[-1]["type"], events[-1]["response"]["custom_outputs"]["unfinished"]) == ("response.incomplete", True)
    interrupted = state(patient, response)
    assert (interrupted["status"], interrupted["output"]) == ("incomplete", [])
    # Reading it runs nothing.
    assert len(patient.get("alice", f"/sessions/{session}/messages").json()["messages"]) == 1

    assert said(patient.post("alice", asked("hello", session)).json()).endswith("Answer 2 to 'hello'")

    finished = state(patient, response)
    assert (finished["status"], said(finished)) == ("completed", "Answer 1 to 'wait 2'")


def test_it_is_stopped_at_any_replica(server: Served, patient: Served, session: str) -> None:
    response = begin(patient, "wait 60", session)
    until(lambda: stored(server, session, 1))
    assert server.post("alice", {}, f"/responses/{response}/cancel").json()["status"] == "cancelled"
    assert state(server, response)["output"] == []
    until(lambda: state(patient, response)["status"] == "failed", 10)
    assert said(patient.post("alice", asked("hello", session)).json()) == "Answer 2 to 'hello'"


def test_one_that_ended_stops_nothing_that_came_after(server: Served, patient: Served, session: str) -> None:
    first = begin(patient, "hello", session)
    until(lambda: state(server, first)["status"] == "completed")
    second = begin(patient, "wait 2", session)
    until(lambda: stored(server, session, 3))
    assert server.post("alice", {}, f"/responses/{first}/cancel").json()["status"] == "completed"
    until(lambda: state(server, second)["status"] == "completed")
    assert said(state(server, second)) == "Answer 2 to 'wait 2'"


def test_one_that_waits_for_its_turn_is_in_progress(server: Served, patient: Served, session: str) -> None:
    first = begin(patient, "wait 2", session)
    until(lambda: stored(server, session, 1))
    second = begin(patient, "and then?", session)
    waiting = state(server, second)
    assert (waiting["status"], waiting["output"]) == ("in_progress", [])
    until(lambda: state(server, second)["status"] == "completed")
    assert said(state(server, first)) == "Answer 1 to 'wait 2'"
    assert said(state(server, second)) == "Answer 2 to 'and then?'"


def test_one_that_failed_says_so_everywhere(server: Served, patient: Served, session: str) -> None:
    response = begin(patient, "unreachable", session)
    until(lambda: state(server, response)["status"] == "failed")
    assert state(server, response)["error"]["code"] == state(patient, response)["error"]["code"] == "upstream"


def test_a_call_that_waits_is_shown_everywhere(
    lakehouse: Database, server: Served, session: str, tmp_path: Path
) -> None:
    with served(tmp_path, **PATIENT, MOORING_APPROVE="query") as careful:
        response = begin(careful, SQL, session)
        until(lambda: state(server, response)["status"] == "completed")
        assert state(server, response)["output"] == state(careful, response)["output"]
    assert state(server, response)["output"][-1]["type"] == "mcp_approval_request"


@pytest.mark.usefixtures("unshared_afterwards")
def test_an_editor_follows_what_they_asked_in_another_s_session(
    server: Served, patient: Served, session: str, admin: psycopg.Connection
) -> None:
    patient.post("alice", asked("hello", session))
    with patient.client("alice") as alice:
        alice.put(f"/sessions/{session}/shares", json={"shared_with": "carol", "role": "editor"})
    request = asked("wait 1", session, background=True)
    request["custom_inputs"]["thread_owner"] = "alice"
    response = patient.post("carol", request).json()["id"]
    until(lambda: state(server, response, "carol")["status"] == "completed")
    assert said(state(server, response, "carol")) == "Answer 2 to 'wait 1'"
    assert state(server, response, "alice") == NOT_FOUND
    with patient.client("alice") as alice:
        alice.delete(f"/sessions/{session}/shares/carol")
    assert state(server, response, "carol") == NOT_FOUND


def test_an_id_opens_nothing_that_its_bearer_may_not_read(server: Served, session: str) -> None:
    answered = server.post("alice", asked("how many franchises are there?", session)).json()
    question = server.get("alice", f"/sessions/{session}/messages").json()["messages"][0]["id"]
    assert said(state(server, response_id("alice", None, session, question))) == said(answered)
    for name, owner in (("bob", "alice"), ("bob", None), ("alice", None)):
        found = state(server, response_id(name, owner, session, question), "bob")
        assert found == NOT_FOUND or found["output"] == []
    assert (
        failure(server.post("bob", {}, f"/responses/{response_id('bob', 'alice', session, question)}/cancel"))
        == NOT_FOUND
    )


@pytest.mark.parametrize(
    "said",
    ["", "x", "[]", "{}", "[1,2,3,4,5,6]", '["a",null,"s","q","now",""]', "[" * 3000, '["a",["b"],"s","q",1,""]']
    # Of times that never were, or are still to come.
    + [json.dumps([sha256(b"alice").hexdigest()[:12], None, "s", "q", at, ""]) for at in (10**400, 10**11, -1)],
)
def test_what_is_no_id_is_not_found(server: Served, said: str) -> None:
    text = urlsafe_b64encode(said.encode()).decode().rstrip("=")
    for response in (f"resp_{text}", text or "-", f"resp_%00{text}", "resp_ÿ"):
        assert failure(server.get("alice", f"/responses/{response}")) == NOT_FOUND
        assert failure(server.post("alice", {}, f"/responses/{response}/cancel")) == NOT_FOUND


def test_a_stream_begins_at_its_beginning_or_later(server: Served, patient: Served, session: str) -> None:
    response = server.post("alice", asked("how many franchises are there?", session)).json()["id"]
    for replica in (server, patient):
        told = events_in(replica.get("alice", f"/responses/{response}?stream=true&starting_after=-1").text)
        assert [event["sequence_number"] for event in told] == list(range(len(told)))
        for number in (-2, -5, -(10**30)):
            refused = replica.get("alice", f"/responses/{response}?stream=true&starting_after={number}")
            assert failure(refused) == (400, "invalid")


def test_an_id_with_what_cannot_be_stored_is_refused(server: Served) -> None:
    for name, owner in (("a\x00", None), ("\ud800", None), ("s" * 2000, None), ("s", "o\x00")):
        text = json.dumps([_who("alice"), owner, name, "q", 1, ""])
        response = f"resp_{urlsafe_b64encode(text.encode()).decode().rstrip('=')}"
        assert failure(server.get("alice", f"/responses/{response}"))[0] in (400, 404)


def _who(name: str) -> str:
    from agent.responses.locator import locator_of

    located = locator_of(response_id(name, None, "s", "q"))
    assert located is not None
    return located.who
