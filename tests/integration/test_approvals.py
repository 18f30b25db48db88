"""Calls that wait for a person's approval, through the command line and the Responses protocol, across processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pexpect
import pytest
from mlflow.types.responses import ResponsesAgentRequest

from agent.serving import MooringAgent

if TYPE_CHECKING:
    import psycopg

    from agent.database import Database

pytestmark = pytest.mark.embedded

MOORING = str(Path(sys.executable).with_name("mooring"))
QUESTION = "how many franchises are there?"
ANSWER = "The number of franchises is 48."


@pytest.fixture(autouse=True)
def approved_first(lakehouse: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_APPROVE", "query")


@pytest.fixture
def session() -> str:
    return f"approve-{uuid4().hex[:8]}"


def mooring(*arguments: str, fails: bool = False) -> str:
    done = subprocess.run([MOORING, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode != 0) is fails, done.stderr
    return done.stderr if fails else done.stdout


def asked(session: str, question: str = QUESTION) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(mooring("ask", question, "--session", session, "-o", "json"))
    return answer


def waiting(answer: dict[str, Any]) -> dict[str, Any]:
    [use] = [use for use in answer["tools"] if use["status"] == "waiting"]
    found: dict[str, Any] = use
    return found


def follow_up(session: str) -> dict[str, Any]:
    """A call that was thought of with what the session has read before."""
    mooring("approve", session, waiting(asked(session))["id"], "yes")
    return waiting(asked(session, "and by country?"))


def test_a_query_waits_with_its_sql_and_runs_when_it_is_approved_in_another_process(session: str) -> None:
    answer = asked(session)
    use = waiting(answer)
    assert (use["name"], "select count(*)" in use["args"]["sql"]) == ("query", True)
    assert [each["status"] for each in answer["tools"] if each["name"] != "query"] == ["success"]
    shown = json.loads(mooring("sessions", "show", session, "-o", "json"))
    assert [use["status"] for message in shown["messages"] for use in message["tool_calls"]][-1] == "waiting"
    decided = json.loads(mooring("approve", session, use["id"], "yes", "-o", "json"))
    assert (decided["answer"], decided["tools"][-1]["status"]) == (ANSWER, "success")
    assert "No call" in mooring("approve", session, use["id"], "yes", fails=True)


def test_a_session_that_is_shown_tells_how_to_decide(session: str) -> None:
    use = waiting(asked(session))
    shown = mooring("sessions", "show", session)
    assert f"mooring approve {session} {use['id']} yes|no" in shown
    assert "unapproved" in shown
    assert "interrupted" not in shown
    mooring("approve", session, use["id"], "no")
    assert "mooring approve" not in mooring("sessions", "show", session)


def test_a_refused_call_is_not_run_and_the_session_goes_on(session: str) -> None:
    use = waiting(asked(session))
    decided = json.loads(mooring("approve", session, use["id"], "no", "-o", "json"))
    assert (decided["tools"][-1]["status"], decided["tools"][-1]["sources"]) == ("error", [])
    assert "48" not in decided["answer"]
    assert waiting(asked(session))["name"] == "query"


def test_another_question_closes_what_waits(session: str) -> None:
    use = waiting(asked(session))
    assert waiting(asked(session, "how many suppliers are there?"))["id"] != use["id"]
    messages = json.loads(mooring("sessions", "export", session))["messages"]
    results = {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}
    assert results[use["id"]] == "This was not approved: another question was asked."
    assert "No call" in mooring("approve", session, use["id"], "yes", fails=True)


@pytest.mark.usefixtures("unshared_afterwards")
def test_who_decides_is_the_owner_or_an_editor_who_may_read_what_is_asked(session: str) -> None:
    use = follow_up(session)
    decide = ("approve", session, use["id"], "yes", "--owner", "alice")
    assert "session" in mooring(*decide, "--as", "bob", fails=True)
    mooring("sessions", "share", session, "--with", "bob")
    assert "as a viewer" in mooring(*decide, "--as", "bob", fails=True)
    mooring("sessions", "share", session, "--with", "carol", "--role", "editor")
    assert "withheld from you" in mooring(*decide, "--as", "carol", fails=True)
    assert "No call" in mooring("approve", session, use["id"], "yes", "--as", "bob", fails=True)
    assert "country" in mooring("approve", session, use["id"], "yes")


def test_what_may_not_be_read_any_more_is_not_approved(session: str, admin: psycopg.Connection) -> None:
    use = follow_up(session)
    admin.execute("revoke select on bakehouse.franchises from alice")
    try:
        assert "withheld from you" in mooring("approve", session, use["id"], "yes", fails=True)
    finally:
        admin.execute("grant select on bakehouse.franchises to alice")
    mooring("approve", session, use["id"], "yes")


def test_all_calls_wait_where_all_have_to_be_approved(session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_APPROVE", "all")
    assert waiting(asked(session))["name"] == "list_tables"


def test_a_chat_asks_on_the_terminal(session: str) -> None:
    chat = pexpect.spawn(MOORING, ["chat", "--session", session], encoding="utf-8", timeout=60)
    chat.expect("> ")
    chat.sendline(QUESTION)
    chat.expect(r"Run query \(\S+\)\? \[y/N\] ")
    chat.sendline("y")
    chat.expect("The number of franchises is 48")
    chat.expect("> ")
    chat.sendeof()
    chat.expect(pexpect.EOF)
    chat.close()
    assert chat.exitstatus == 0


def request(session: str, item: dict[str, Any]) -> ResponsesAgentRequest:
    return ResponsesAgentRequest.model_validate({"input": [item], "custom_inputs": {"thread_id": session}})


def test_it_goes_out_as_an_approval_request_and_comes_back_as_its_response(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORING_USER", "alice")
    agent = MooringAgent()
    try:
        first = agent.predict(request(session, {"role": "user", "content": QUESTION}))
        asks = first.output[-1].model_dump()
    finally:
        agent.close()
    assert (asks["type"], asks["name"]) == ("mcp_approval_request", "query")
    assert "select count(*)" in json.loads(asks["arguments"])["sql"]
    response = {"type": "mcp_approval_response", "approval_request_id": asks["id"], "approve": True}
    again = MooringAgent()
    try:
        second = again.predict(request(session, response))
        assert second.output[-1].model_dump()["content"][0]["text"] == ANSWER
        with pytest.raises(RuntimeError, match=r"^conflict: No call"):
            again.predict(request(session, response))
    finally:
        again.close()
    assert os.environ["MOORING_APPROVE"] == "query"
