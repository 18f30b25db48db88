"""Which session a request goes on with, and what of the conversation that it sends is new there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.chaos.watching import until
from tests.serving.served import asked, conversation, failure, said

if TYPE_CHECKING:
    from tests.serving.served import Served

FIRST, SECOND = "how many franchises are there?", "and by country?"


def texts(server: Served, session: str, user: str = "alice") -> list[str]:
    """What people and the agent have said to each other, without tools."""
    messages = server.get(user, f"/sessions/{session}/messages").json()["messages"]
    return [m["content"] for m in messages if m["role"] != "tool" and not m["tool_calls"]]


def answered(server: Served, request: dict[str, Any]) -> str:
    response = server.post("alice", request)
    assert response.status_code == 200, response.text
    return said(response.json())


def test_the_whole_conversation_sent_again_is_not_doubled(server: Served, session: str) -> None:
    first = answered(server, conversation(FIRST, session=session))
    second = answered(server, conversation(FIRST, first, SECOND, session=session))
    third = answered(server, conversation(FIRST, first, SECOND, second, "which tables can I read?", session=session))
    assert texts(server, session) == [FIRST, first, SECOND, second, "which tables can I read?", third]


def test_what_tools_brought_may_be_sent_back_as_it_came(server: Served, session: str) -> None:
    first = server.post("alice", conversation(FIRST, session=session)).json()
    items = [*conversation(FIRST, session=session)["input"], *first["output"], {"role": "user", "content": SECOND}]
    assert "country" in answered(server, {"input": items, "custom_inputs": {"thread_id": session}})
    assert len(texts(server, session)) == 4


def test_the_last_messages_alone_go_on(server: Served, session: str) -> None:
    first = answered(server, asked(FIRST, session))
    second = answered(server, asked(SECOND, session))
    assert "country" in second
    third = {"input": [{"role": "assistant", "content": second}, {"role": "user", "content": FIRST}]}
    answered(server, third | {"custom_inputs": {"thread_id": session}})
    assert texts(server, session) == [FIRST, first, SECOND, second, FIRST, first]


def test_a_question_that_is_answered_is_given_its_answer_again(server: Served, session: str) -> None:
    first = answered(server, asked(FIRST, session))
    request = conversation(FIRST, first, SECOND, session=session)
    once, again = server.post("alice", request).json(), server.post("alice", request).json()
    assert (said(once), once["output"]) == (said(again), again["output"])
    assert len(texts(server, session)) == 4


def test_another_conversation_than_the_stored_one_is_refused(server: Served, session: str) -> None:
    first = answered(server, asked(FIRST, session))
    for others in (
        conversation("something else", first, SECOND, session=session),
        conversation(FIRST, "The number of franchises is 49.", SECOND, session=session),
        conversation("before", "that", FIRST, first, SECOND, session=session),
    ):
        assert failure(server.post("alice", others)) == (409, "conflict")
        assert failure(server.post("alice", others | {"stream": True})) == (409, "conflict")
    assert texts(server, session) == [FIRST, first]


def test_a_conversation_of_no_session_says_that_one_is_to_be_named(server: Served, session: str) -> None:
    request = conversation("how many franchises are there?", "The number of franchises is 48.", "and?", session=session)
    del request["custom_inputs"]
    refused = server.post("alice", request)
    assert failure(refused) == (409, "conflict")
    assert "custom_outputs.thread_id" in refused.json()["error"]["message"]


def test_a_question_whose_turn_failed_is_asked_again(patient: Served, session: str) -> None:
    failed = patient.post("alice", asked("unreachable", session))
    assert failure(failed) == (502, "upstream")
    # A client has nothing where the answer would be, then or later.
    assert answered(patient, conversation("unreachable", "hello", session=session)["input"] and asked("hello", session))
    after = {"input": [{"role": "user", "content": text} for text in ("unreachable", "hello")]}
    after["input"] += [{"role": "assistant", "content": "Answer 2 to 'hello'"}, {"role": "user", "content": "more"}]
    assert answered(patient, after | {"custom_inputs": {"thread_id": session}}) == "Answer 3 to 'more'"
    assert "sk-secret" not in patient.log


def test_requests_at_once_take_turns(patient: Served, session: str) -> None:
    answered(patient, asked("hello", session))
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda text: answered(patient, asked(text, session)), ["wait 1 a", "wait 1 b"]))
    assert sorted(texts(patient, session)[2:]) == sorted(["wait 1 a", "wait 1 b", *both])
    assert {text.partition(" to ")[0] for text in both} == {"Answer 2", "Answer 3"}


def test_the_same_request_twice_at_once_is_one_question(patient: Served, session: str) -> None:
    first = answered(patient, asked("hello", session))
    request = conversation("hello", first, "wait 1", session=session)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: answered(patient, request), range(2)))
    assert both == ["Answer 2 to 'wait 1'"] * 2
    assert texts(patient, session) == ["hello", first, "wait 1", both[0]]


def test_a_message_with_an_id_is_stored_once_and_its_answer_comes_again(patient: Served, session: str) -> None:
    def named(text: str, message_id: str) -> dict[str, Any]:
        request = asked(text, session)
        return request | {"custom_inputs": request["custom_inputs"] | {"message_id": message_id}}

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: answered(patient, named("wait 1", "m1")), range(2)))
    assert both == ["Answer 1 to 'wait 1'"] * 2
    assert answered(patient, named("more", "m2")) == "Answer 2 to 'more'"
    assert answered(patient, named("wait 1", "m1")) == both[0]
    assert texts(patient, session) == ["wait 1", both[0], "more", "Answer 2 to 'more'"]
    assert patient.get("alice", f"/sessions/{session}/messages").json()["messages"][0]["id"] == "m1"
    assert failure(patient.post("alice", named("another", "m1"))) == (409, "conflict")
    answer = patient.get("alice", f"/sessions/{session}/messages").json()["messages"][1]["id"]
    assert failure(patient.post("alice", named("wait 1", answer))) == (409, "conflict")
    assert failure(patient.post("alice", named("unreachable", "m3"))) == (502, "upstream")
    assert failure(patient.post("alice", named("unreachable", "m3"))) == (502, "upstream")
    assert texts(patient, session)[:4] == ["wait 1", both[0], "more", "Answer 2 to 'more'"]


def test_a_question_whose_turn_is_running_is_not_asked_again(patient: Served, session: str) -> None:
    first = answered(patient, asked("hello", session))
    request = conversation("hello", first, "wait 2", session=session)
    begun = patient.post("alice", request | {"background": True}).json()
    until(lambda: len(texts(patient, session)) == 3)
    assert answered(patient, request) == "Answer 2 to 'wait 2'"
    assert patient.get("alice", f"/responses/{begun['id']}").json()["status"] == "completed"
    assert texts(patient, session)[2:] == ["wait 2", "Answer 2 to 'wait 2'"]


def test_a_session_is_named_by_the_request_or_new(server: Served, session: str) -> None:
    context = {"conversation_id": session, "user_id": "bob"}
    named = server.post("alice", asked(FIRST, context=context)).json()["custom_outputs"]["thread_id"]
    assert named == session
    both = asked(FIRST, f"{session}-b", context=context)
    assert server.post("alice", both).json()["custom_outputs"]["thread_id"] == f"{session}-b"
    new = {server.post("alice", asked(FIRST)).json()["custom_outputs"]["thread_id"] for _ in range(2)}
    assert len(new) == 2
    assert len(texts(server, new.pop())) == 2


def test_two_people_may_use_one_name(server: Served, session: str) -> None:
    answered(server, asked(FIRST, session))
    theirs = server.post("bob", asked(FIRST, session)).json()
    assert said(theirs) != ""
    assert len(texts(server, session, "bob")) == 2
    assert len(texts(server, session)) == 2
