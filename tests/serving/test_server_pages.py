"""A caller's sessions as pages need them: list, read, export, rename, share, stop and delete, as oneself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.served import asked, failure, said

if TYPE_CHECKING:
    from tests.serving.served import Served

QUESTION = "how many franchises are there?"
ANSWER = "The number of franchises is 48."
NOT_FOUND = (404, "not_found")


@pytest.fixture
def kept(server: Served, session: str) -> str:
    """A session of alice's with one answer."""
    assert server.post("alice", asked(QUESTION, session)).status_code == 200
    return session


def test_sessions_are_listed_the_last_one_first(server: Served, kept: str) -> None:
    found = server.get("alice", "/sessions").json()
    assert (found[0]["session"], found[0]["title"]) == (kept, QUESTION)
    assert len(server.get("alice", "/sessions?limit=1").json()) == 1
    assert kept not in server.get("bob", "/sessions?limit=1000").text


def test_a_session_is_read_and_exported(server: Served, kept: str) -> None:
    read = server.get("alice", f"/sessions/{kept}/messages").json()
    assert [read["messages"][0]["content"], read["messages"][-1]["content"]] == [QUESTION, ANSWER]
    assert read["unfinished"] is False
    assert server.get("alice", f"/sessions/{kept}/export").json() == read


def test_a_session_is_renamed(server: Served, kept: str) -> None:
    with server.client("alice") as alice:
        assert alice.patch(f"/sessions/{kept}", json={"title": "shops"}).status_code == 204
        assert alice.get("/sessions?limit=1").json()[0]["title"] == "shops"
        assert failure(alice.patch("/sessions/none", json={"title": "x"})) == NOT_FOUND


def test_what_is_done_to_a_session_while_its_first_turn_runs_stays(patient: Served, session: str) -> None:
    deleted = f"{session}-deleted"
    with patient.client("alice") as alice, ThreadPoolExecutor(2) as people:
        turns = [people.submit(patient.post, "alice", asked("wait 4 words 2", each)) for each in (session, deleted)]
        for each in (session, deleted):
            while alice.get(f"/sessions/{each}/messages").status_code == 404:
                assert not any(turn.done() for turn in turns)
        assert alice.patch(f"/sessions/{session}", json={"title": "mine"}).status_code == 204
        assert alice.delete(f"/sessions/{deleted}").status_code == 204
        assert not turns[0].done()
        assert said(turns[0].result().json()) == "w0 w1"
        assert alice.get(f"/sessions/{session}/messages").json()["title"] == "mine"
        assert failure(turns[1].result()) == (409, "stale")
        assert failure(alice.get(f"/sessions/{deleted}/messages")) == NOT_FOUND


def test_a_session_is_deleted(server: Served, kept: str) -> None:
    with server.client("alice") as alice:
        assert alice.delete(f"/sessions/{kept}").status_code == 204
        assert failure(alice.get(f"/sessions/{kept}/messages")) == NOT_FOUND
        assert failure(alice.delete(f"/sessions/{kept}")) == NOT_FOUND


@pytest.mark.usefixtures("unshared_afterwards")
def test_a_shared_session_shows_what_its_reader_may_read(server: Served, kept: str) -> None:
    with server.client("alice") as alice, server.client("carol") as carol:
        theirs = f"/sessions/{kept}/messages?owner=alice"
        assert failure(carol.get(theirs)) == NOT_FOUND
        assert alice.put(f"/sessions/{kept}/shares", json={"shared_with": "carol"}).status_code == 204
        [share] = carol.get("/sessions/shares").json()
        assert (share["session"], share["owner"], share["role"]) == (kept, "alice", "viewer")
        read = carol.get(theirs).json()
        assert read["messages"][0]["content"] == QUESTION
        assert (read["messages"][-1]["content"], read["owner"]) == (None, "alice")
        # Ids and times hold any figures.
        shown = [(each["content"], [use["args"] for use in each["tool_calls"]]) for each in read["messages"][1:]]
        assert "48" not in str(shown)
        # A viewer asks nothing in it, and changes nothing.
        request = asked("hello", kept)
        request["custom_inputs"]["thread_owner"] = "alice"
        assert failure(server.post("carol", request)) == (403, "forbidden")
        assert failure(carol.post(f"/sessions/{kept}/stop?owner=alice"))[0] in (403, 404)
        assert alice.delete(f"/sessions/{kept}/shares/carol").status_code == 204
        assert failure(carol.get(theirs)) == NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"title": "mine"}),
        ("DELETE", "", None),
        ("PUT", "/shares", {"shared_with": "carol"}),
        ("DELETE", "/shares/carol", None),
    ],
)
def test_what_an_owner_alone_may_do_is_not_done_to_a_session_of_ones_own_of_that_name(
    server: Served, kept: str, method: str, path: str, body: Any
) -> None:
    with server.client("bob") as bob, server.client("alice") as alice:
        assert server.post("bob", asked("which tables can I read?", kept)).status_code == 200
        before = bob.get(f"/sessions/{kept}/messages").json()
        refused = bob.request(method, f"/sessions/{kept}{path}?owner=alice", json=body)
        assert failure(refused) == (403, "forbidden")
        assert bob.get(f"/sessions/{kept}/messages").json() == before
        assert bob.get("/sessions/shares").json() == []
        assert alice.get(f"/sessions/{kept}/messages").json()["title"] == QUESTION
        # No owner, and oneself as the owner, are the same.
        assert alice.patch(f"/sessions/{kept}?owner=alice", json={"title": "mine"}).status_code == 204
        assert alice.get(f"/sessions/{kept}/export?owner=").json()["owner"] is None


@pytest.mark.usefixtures("unshared_afterwards")
def test_an_editor_asks_as_themselves(server: Served, kept: str) -> None:
    with server.client("alice") as alice:
        shared = {"shared_with": "carol", "role": "editor"}
        assert alice.put(f"/sessions/{kept}/shares", json=shared).status_code == 204
    request = asked(QUESTION, kept)
    request["custom_inputs"]["thread_owner"] = "alice"
    answer = server.post("carol", request)
    assert answer.status_code == 200
    assert "48" not in said(answer.json())
    assert len(server.get("alice", f"/sessions/{kept}/messages").json()["messages"]) > 4


def test_nothing_runs_that_could_be_stopped(server: Served, kept: str) -> None:
    assert server.post("alice", {}, f"/sessions/{kept}/stop").json() == {"session": kept, "stopped": False}
    assert server.post("alice", {}, "/sessions/none/stop").json() == {"session": "none", "stopped": False}
    assert failure(server.get("alice", "/sessions/none/messages")) == NOT_FOUND


def test_an_answer_is_rated(server: Served, kept: str) -> None:
    with server.client("alice") as alice, server.client("carol") as carol:
        messages = alice.get(f"/sessions/{kept}/messages").json()["messages"]
        place = f"/sessions/{kept}/messages/{messages[-1]['id']}/feedback"
        given = alice.post(place, json={"rating": "down", "comment": "too few"}).json()
        assert (given["session"], given["message"], given["rating"]) == (kept, messages[-1]["id"], "down")
        assert alice.post(place, json={"rating": "up"}).json()["comment"] is None
        read = alice.get(f"/sessions/{kept}/messages").json()["messages"]
        assert [each["feedback"] for each in read[:-1]] == [None] * (len(read) - 1)
        assert read[-1]["feedback"] == {"rating": "up", "comment": None}
        # What is wrong is said, and nothing that was sent.
        bodies: list[Any] = [
            {},
            {"rating": "sideways"},
            {"rating": 1},
            {"rating": "up", "comment": "x" * 2001},
            [],
            "up",
        ]
        for body in bodies:
            assert failure(alice.post(place, json=body)) == (400, "invalid"), body
        assert failure(alice.post(place, json={"rating": "up", "comment": "\x00"})) == (400, "invalid")
        question = f"/sessions/{kept}/messages/{messages[0]['id']}/feedback"
        assert failure(alice.post(question, json={"rating": "up"})) == (400, "invalid")
        assert failure(alice.post(f"/sessions/{kept}/messages/none/feedback", json={"rating": "up"})) == NOT_FOUND
        assert failure(alice.post(f"/sessions/none/messages/{read[-1]['id']}/feedback", json={"rating": "up"})) == (
            NOT_FOUND
        )
        assert failure(carol.post(f"{place}?owner=alice", json={"rating": "up"})) == NOT_FOUND
        assert failure(server.post(None, {"rating": "up"}, place)) == (401, "unauthenticated")
        assert "sideways" not in server.log


@pytest.mark.usefixtures("unshared_afterwards")
def test_a_viewer_rates_what_they_may_read(server: Served, kept: str) -> None:
    with server.client("alice") as alice, server.client("carol") as carol:
        message = alice.get(f"/sessions/{kept}/messages").json()["messages"][-1]["id"]
        alice.put(f"/sessions/{kept}/shares", json={"shared_with": "carol"})
        theirs = f"/sessions/{kept}/messages/{message}/feedback?owner=alice"
        assert failure(carol.post(theirs, json={"rating": "up"})) == (403, "forbidden")
