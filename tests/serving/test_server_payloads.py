"""Requests that cannot be answered: each is a documented refusal that quotes nothing, and the server goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.responses import CODES
from tests.serving.served import asked, events_in, failure, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving.served import Served

CANARY = "canary-9f31"
INVALID, TOO_LARGE = (400, "invalid"), (413, "too_large")


def message(**fields: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": CANARY} | fields]}


def nested(depth: int) -> bytes:
    return b'{"input": "x", "custom_inputs": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


REFUSED: dict[str, Any] = {
    "no JSON": b'{"input": "canary-9f31"',
    "no UTF-8": b'{"input": "\xff\xfe"}',
    "nothing": b"",
    "no object": [CANARY],
    "a number": 4711,
    "deep": b'{"input": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep inputs": nested(20_000),
    "no input": {"custom_inputs": {}},
    "empty input": {"input": []},
    "empty text": {"input": ""},
    "blank text": message(content="  \n "),
    "no content": message(content=None),
    "input of another type": {"input": {CANARY: 1}},
    "content of another type": message(content=17),
    "an unknown role": message(role=CANARY),
    "the role of the system": message(role="system"),
    "the role of a developer": message(role="developer"),
    "the role of a tool": message(role="tool"),
    "an unknown type": {"input": [{"type": CANARY, "role": "user", "content": CANARY}]},
    "an unknown part": message(content=[{"type": CANARY, "text": CANARY}]),
    "an image": message(content=[{"type": "input_image", "image_url": f"data:image/png;base64,{CANARY}"}]),
    "a file": message(content=[{"type": "input_file", "file_id": CANARY}]),
    "a file itself": message(content=[{"type": "input_file", "file_data": CANARY, "filename": CANARY}]),
    "a sound": message(content=[{"type": "input_audio", "input_audio": {"data": CANARY, "format": "wav"}}]),
    "an image behind text": message(
        content=[{"type": "input_text", "text": CANARY}, {"type": "input_image", "image_url": CANARY}]
    ),
    "ten thousand parts of nothing": message(content=[{"type": "input_text", "text": ""}] * 10_000),
    "no parts": message(content=[]),
    "a part that is none": message(content=[CANARY]),
    "a part without its text": message(content=[{"type": "input_text"}]),
    "a text of another type": message(content=[{"type": "input_text", "text": {CANARY: 1}}]),
    "items that are none": {"input": [None, 1, CANARY]},
    "no items": {"input": None},
    "a role of another type": message(role=[CANARY]),
    "no role": {"input": [{"content": CANARY}]},
    "a message's id of another type": message() | {"custom_inputs": {"message_id": [CANARY]}},
    "a long message's id": message() | {"custom_inputs": {"message_id": CANARY * 100}},
    "a context of another type": message() | {"context": CANARY},
    "a conversation of another type": message() | {"context": {"conversation_id": {CANARY: 1}}},
    "a conversation of OpenAI's": message() | {"conversation": CANARY},
    "a decision of another type": {
        "input": [{"type": "mcp_approval_response", "approval_request_id": [CANARY], "approve": CANARY}]
    },
    "two decisions about a call": {
        "input": [
            {"type": "mcp_approval_response", "approval_request_id": f"{prefix}{CANARY}", "approve": yes}
            for prefix, yes in (("apr_", True), ("", False))
        ]
    },
    "a decision without a call": {"input": [{"type": "mcp_approval_response", "approve": True}]},
    "the agent's word last": message(role="assistant"),
    "nested items": {"input": [[{"role": "user", "content": CANARY}]]},
    "inputs of another type": message() | {"custom_inputs": [CANARY]},
    "a key of another type": message() | {"metadata": {CANARY: {CANARY: 1}}},
    "a session of another type": message() | {"custom_inputs": {"thread_id": {CANARY: 1}}},
    "a long session": message() | {"custom_inputs": {"thread_id": CANARY * 100_000}},
    "a session with NUL": message() | {"custom_inputs": {"thread_id": f"{CANARY}\0"}},
    "a session of a lone surrogate": message() | {"custom_inputs": {"thread_id": f"{CANARY}\ud800"}},
    "an owner with NUL": message() | {"custom_inputs": {"thread_id": "t", "thread_owner": f"{CANARY}\0"}},
    "a response before": message() | {"previous_response_id": CANARY},
}


@pytest.mark.parametrize("path", ["/responses", "/invocations"])
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_understood_is_told_as_such(server: Served, what: str, path: str) -> None:
    response = server.post("alice", REFUSED[what], path)
    assert failure(response) == INVALID
    assert CANARY not in response.text
    assert CANARY not in server.log
    assert "Traceback" not in server.log


def test_more_than_four_megabytes_are_refused_at_once(server: Served) -> None:
    assert failure(server.post("alice", asked("x" * 4_000_000))) == TOO_LARGE
    assert failure(server.post("alice", b"[" * 9_000_000)) == TOO_LARGE
    assert server.get(None, "/health").status_code == 200


def test_a_message_of_nearly_four_megabytes_is_taken(patient: Served, session: str) -> None:
    response = patient.post("alice", asked("words 2 " + "x" * 3_900_000, session))
    assert (response.status_code, said(response.json())) == (200, "w0 w1")


def test_ten_thousand_items_are_too_many(server: Served) -> None:
    items = [{"role": "user", "content": f"{CANARY} {i}"} for i in range(10_000)]
    response = server.post("alice", {"input": items})
    assert failure(response) == TOO_LARGE
    assert CANARY not in response.text


def test_what_is_far_too_long_to_be_read_ends_the_request(server: Served, session: str) -> None:
    # Without a length, as one that streams its body.
    def chunks() -> Iterator[bytes]:
        yield b'{"input": "'
        for _ in range(200):
            yield b"x" * 100_000

    with server.client("alice") as client:
        response = client.post("/responses", content=chunks(), headers={"Content-Type": "application/json"})
    assert failure(response) == TOO_LARGE
    assert server.get("alice", f"/sessions/{session}/messages").status_code == 404


def test_a_decision_about_no_call_is_a_conflict(server: Served, session: str) -> None:
    item = {"type": "mcp_approval_response", "approval_request_id": f"apr_{CANARY}", "approve": True}
    response = server.post("alice", {"input": [item], "custom_inputs": {"thread_id": session}})
    assert failure(response) == (409, "conflict")
    assert CANARY not in response.text
    assert server.get("alice", f"/sessions/{session}/messages").status_code == 404


def test_what_is_passed_over_is_not_logged(server: Served, session: str) -> None:
    unread: dict[str, Any] = {"tools": [{"type": CANARY}], "truncation": CANARY, "reasoning": {"effort": CANARY}}
    response = server.post("alice", asked("how many franchises are there?", session) | unread)
    assert response.status_code == 200
    assert CANARY not in server.log


def test_what_is_not_true_is_no_stream_and_no_background(server: Served, session: str) -> None:
    for flags in ({"stream": 0}, {"stream": None}, {"background": "yes"}, {"background": 1}):
        response = server.post("alice", asked("how many franchises are there?", session) | flags)
        assert (response.status_code, said(response.json())) == (200, "The number of franchises is 48."), flags


def test_text_that_no_encoding_knows_is_answered(server: Served, session: str) -> None:
    question = "how many franchises\ud800 are\0 there?"
    for stream in (False, True):
        response = server.post("alice", asked(question, session, stream=stream))
        assert response.status_code == 200
        last = events_in(response.text)[-1]["response"] if stream else response.json()
        assert last["status"] == "completed"
    stored = server.get("alice", f"/sessions/{session}/messages")
    assert "how many franchises\ufffd are\0 there?" in [m["content"] for m in stored.json()["messages"]]


def test_a_client_that_sends_such_text_back_contradicts_nothing(server: Served, session: str) -> None:
    question = "how many franchises\ud800 are there?"
    first = said(server.post("alice", asked(question, session)).json())
    items = [{"role": "user", "content": question}, {"role": "assistant", "content": first}]
    items += [{"role": "user", "content": "which tables can I read?"}]
    again = server.post("alice", {"input": items, "custom_inputs": {"thread_id": session}})
    assert again.status_code == 200, again.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sessions?limit=0", INVALID),
        ("GET", f"/sessions?limit={CANARY}", INVALID),
        ("GET", f"/sessions/{'x' * 300}/messages", INVALID),
        ("GET", "/sessions/a%00b/messages", INVALID),
        ("PATCH", "/sessions/s", INVALID),
        ("PUT", "/sessions/s/shares", INVALID),
        ("GET", f"/{CANARY}", (404, "not_found")),
        ("GET", "/responses", (405, "invalid")),
    ],
)
def test_pages_are_told_in_the_same_way(server: Served, method: str, path: str, status: tuple[int, str]) -> None:
    with server.client("alice") as client:
        response = client.request(method, path, content=json.dumps({"title": {CANARY: 1}, "role": CANARY}))
    assert failure(response) == status
    assert CANARY not in response.text


def test_an_address_tells_which_methods_it_takes(server: Served) -> None:
    refused = server.get("alice", "/responses")
    assert (refused.headers["allow"], refused.json()["error"]["message"]) == ("POST", "This address takes POST")


def test_a_title_that_cannot_be_stored_is_refused(server: Served, session: str) -> None:
    server.post("alice", asked("how many franchises are there?", session))
    with server.client("alice") as client:
        refused = client.patch(f"/sessions/{session}", json={"title": f"{CANARY}\0"})
    assert failure(refused) == INVALID
    assert CANARY not in refused.text


def test_what_a_provider_says_stays_inside(patient: Served, session: str) -> None:
    for stream in (False, True):
        response = patient.post("alice", asked(f"unreachable {CANARY}", session, stream=stream))
        assert "sk-secret" not in response.text
        if not stream:
            assert failure(response) == (502, "upstream")
            continue
        failed = events_in(response.text)
        assert [event["type"] for event in failed[-2:]] == ["error", "response.failed"]
        assert failed[-2]["code"] == "upstream"
    assert "sk-secret" not in patient.log
    assert CANARY not in patient.log


def test_every_code_has_a_status_and_a_sentence() -> None:
    assert all(400 <= status < 600 and when.endswith(".") for status, when in CODES.values())
