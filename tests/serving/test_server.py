"""The Responses protocol over HTTP: whole, streamed and in the background, with the clients that people have."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import openai
import pytest
import requests

from tests.chaos.watching import until
from tests.serving.elsewhere import deployed
from tests.serving.served import asked, events_in, said, token

if TYPE_CHECKING:
    from tests.serving.served import Served

QUESTION = "how many franchises are there?"
ANSWER = "The number of franchises is 48."
USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 12,
}


def openai_client(server: Served, user: str = "alice") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key=token(user), max_retries=0)


def stored(server: Served, session: str, user: str = "alice") -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = server.get(user, f"/sessions/{session}/messages").json()["messages"]
    return messages


@pytest.mark.parametrize("path", ["/responses", "/invocations"])
def test_a_question_is_answered_whole(server: Served, session: str, path: str) -> None:
    response = server.post("alice", asked(QUESTION, session), path)
    answer = response.json()
    assert (response.status_code, answer["status"], said(answer)) == (200, "completed", ANSWER)
    assert answer["custom_outputs"] == {"thread_id": session, "sources": ["lakehouse.bakehouse.franchises"]}
    kinds = [item["type"] for item in answer["output"]]
    assert kinds[:2] == ["function_call", "function_call_output"]
    assert kinds[-1] == "message"


def test_a_stream_tells_what_happens_in_order(server: Served, session: str) -> None:
    response = server.post("alice", asked(QUESTION, session, stream=True))
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_in(response.text)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["type"] == "response.completed"
    whole = events[-1]["response"]
    assert whole["usage"]["total_tokens"] == whole["usage"]["input_tokens"] + whole["usage"]["output_tokens"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == whole["output"]
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.done"] == list(
        range(len(done))
    )


def test_ids_of_a_stream_are_those_of_the_stored_messages(patient: Served, session: str) -> None:
    question = "query: select count(*) from bakehouse.suppliers"
    events = events_in(patient.post("alice", asked(question, session, stream=True)).text)
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert len(deltas) > 3
    messages = stored(patient, session)
    assert {event["item_id"] for event in deltas} == {messages[-1]["id"]}
    assert "".join(event["delta"] for event in deltas) == messages[-1]["content"]
    [call] = [m["tool_calls"][0] for m in messages if m["tool_calls"]]
    items = {item["type"]: item for item in events[-1]["response"]["output"]}
    assert items["function_call"]["call_id"] == call["id"] == items["function_call_output"]["call_id"]
    assert items["message"]["id"] == messages[-1]["id"]
    assert events[-1]["response"]["usage"] == USAGE


def test_the_client_of_openai_creates_and_streams(server: Served, session: str) -> None:
    with openai_client(server) as client:
        custom = {"custom_inputs": {"thread_id": session}}
        created = client.responses.create(model="mooring", input=QUESTION, extra_body=custom)
        assert (created.status, created.output_text) == ("completed", ANSWER)
        with client.responses.stream(model="mooring", input="and by country?", extra_body=custom) as stream:
            texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
            final = stream.get_final_response()
    assert final.output_text == "".join(texts)
    assert "country" in final.output_text
    assert len([m for m in stored(server, session) if m["role"] == "user"]) == 2


def test_the_client_of_openai_follows_a_response_in_the_background(patient: Served, session: str) -> None:
    with openai_client(patient) as client:
        custom = {"custom_inputs": {"thread_id": session}}
        begun = client.responses.create(model="m", input="wait 1", background=True, extra_body=custom)
        assert begun.status == "in_progress"
        assert client.responses.retrieve(begun.id).status == "in_progress"
        # After a reload of the page: from the third event on, to the end.
        again = [event.type for event in client.responses.retrieve(begun.id, stream=True, starting_after=1)]
        assert "response.created" not in again
        assert again[-1] == "response.completed"
        done = client.responses.retrieve(begun.id)
    assert (done.status, done.output_text) == ("completed", "Answer 1 to 'wait 1'")


def test_the_client_of_openai_cancels(patient: Served, session: str) -> None:
    with openai_client(patient) as client:
        custom = {"custom_inputs": {"thread_id": session}}
        begun = client.responses.create(model="m", input="wait 30", background=True, extra_body=custom)
        until(lambda: patient.get("alice", f"/sessions/{session}/messages").status_code == 200)
        cancelled = client.responses.cancel(begun.id, timeout=10)
        assert cancelled.status == "cancelled"
        # The session is free at once, and goes on.
        after = client.responses.create(model="m", input="hello", extra_body=custom, timeout=10)
    assert after.output_text == "Answer 2 to 'hello'"
    assert "Stopped" in stored(patient, session)[1]["content"]


def test_the_client_of_openai_raises_what_was_refused(server: Served) -> None:
    with openai_client(server) as client, pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="mooring", input="")
    assert refused.value.code == "invalid"
    with (
        openai.OpenAI(base_url=server.url, api_key="nothing", max_retries=0) as nobody,
        pytest.raises(openai.AuthenticationError),
    ):
        nobody.responses.create(model="mooring", input=QUESTION)


def test_the_client_of_mlflow_s_deployments_is_answered(server: Served, session: str) -> None:
    answered = deployed(server.url, asked(QUESTION, session), token("alice"))
    assert (said(answered), answered["custom_outputs"]["thread_id"]) == (ANSWER, session)
    plain = deployed(server.url, {"input": "and by country?", "context": {"conversation_id": session}}, token("alice"))
    assert "country" in said(plain)
    with pytest.raises(requests.HTTPError, match="401"):
        deployed(server.url, asked(QUESTION, session))
    with pytest.raises(requests.HTTPError, match="400"):
        deployed(server.url, {"messages": [{"role": "user", "content": QUESTION}]}, token("alice"))


def test_curl_sees_events_as_they_come(patient: Served, session: str) -> None:
    command = ["curl", "-sN", f"{patient.url}/responses", "-H", f"Authorization: Bearer {token('alice')}"]
    command += ["-H", "Content-Type: application/json", "-d", json.dumps(asked("words 60", session, stream=True))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        lines = []
        for line in curl.stdout:
            lines.append(line)
            if "output_text.delta" in line:
                break
        # The model has more than a second to go when its first word is here.
        assert stored(patient, session)[-1]["role"] == "user"
        lines += list(curl.stdout)
    assert events_in("".join(lines))[-1]["type"] == "response.completed"
