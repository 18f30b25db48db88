"""A model or a tool that fails in the middle of a turn: it is told in a line, and the session can be gone on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pexpect
import pytest

from agent.catalogs import catalog_of
from agent.conversation import Answered, Conversation, GivenUp
from agent.errors import TurnError
from agent.graph import build_graph
from agent.identity import log_in
from agent.settings import Settings
from checkpointer import GovernedPostgresSaver
from tests.integration.provider.langchain_ollama import SECRET, SQL, ChatOllama

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from tools import PostgresCatalog, QueryResult, TableDescription, TableList

pytestmark = pytest.mark.embedded

MOORING = str(Path(sys.executable).with_name("mooring"))
PROVIDER = Path(__file__).with_name("provider")
FAILED = "mooring: The model failed (ConnectionError): try again, check the key of its provider, "
NOTE = "The model or a tool failed; this was not answered."
TOOL_LINES = [f"· query {SQL}", "  1 row from lakehouse.bakehouse.suppliers"]


@pytest.fixture(autouse=True)
def provider(lakehouse: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that a test starts talk to the model that fails when it is told to."""
    monkeypatch.setenv("PYTHONPATH", str(PROVIDER), prepend=os.pathsep)
    monkeypatch.setenv("MOORING_MODEL", "ollama:any")


@pytest.fixture
def session() -> str:
    return f"failed-{uuid4().hex[:8]}"


def mooring(*args: str, given: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **env}
    return subprocess.run(
        [MOORING, *args], input=given, capture_output=True, text=True, timeout=120, env=variables, check=False
    )


def exported(session: str) -> list[tuple[str, str]]:
    messages = json.loads(mooring("sessions", "export", session).stdout)["messages"]
    return [(message["role"], message["content"]) for message in messages]


def test_a_model_that_fails_is_told_and_the_next_question_is_answered(session: str) -> None:
    failed = mooring("ask", "are you unreachable?", "--session", session)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert len(failed.stderr.splitlines()) == 1
    assert failed.stderr.startswith(FAILED)
    assert "--model or MOORING_MODEL" in failed.stderr
    assert SECRET not in failed.stderr
    # At once, and not only when the next question would be held up by it.
    assert exported(session) == [("user", "are you unreachable?"), ("assistant", NOTE)]

    answered = mooring("ask", "and now?", "--session", session)
    assert (answered.returncode, answered.stdout) == (0, "Answer to question 2\n\n")
    assert exported(session) == [
        ("user", "are you unreachable?"),
        ("assistant", NOTE),
        ("user", "and now?"),
        ("assistant", "Answer to question 2"),
    ]
    listed = {info["session"]: info["title"] for info in json.loads(mooring("sessions", "list", "-o", "json").stdout)}
    assert listed[session] == "are you unreachable?"


def test_a_killed_turn_that_fails_again_is_given_up(session: str) -> None:
    command = [MOORING, "ask", "a slow query", "--session", session]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as asking:
        assert asking.stdout is not None
        assert [asking.stdout.readline().rstrip() for _ in range(2)] == TOOL_LINES
        asking.kill()

    answered = mooring("ask", "and now?", "--session", session, HURRY="1")
    assert (answered.returncode, answered.stderr) == (0, f"Session {session}\n")
    # Its checkpoint may have been missing, and the stored result is shown again then.
    assert [line for line in answered.stdout.splitlines() if line not in TOOL_LINES] == [
        "Finishing the turn that was interrupted.",
        "The model failed (ConnectionError); that turn is closed without an answer.",
        "Answer to question 2",
        "",
    ]
    roles = [role for role, _ in exported(session)]
    assert roles == ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert exported(session)[3][1] == NOTE


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("be silent", "The model answered nothing"),
        ("be garbled", "The model asked for a tool in a way that cannot be read"),
        ("be tireless", "The model asked for tools 25 times and did not answer"),
    ],
)
def test_a_model_that_does_not_answer_is_told_and_the_next_question_is_answered(
    session: str, question: str, told: str
) -> None:
    failed = mooring("ask", question, "--session", session, "-o", "json")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith(f"mooring: {told}: ")
    messages = exported(session)
    assert messages[-1][1].endswith("this was not answered.")
    assert [role for role, _ in messages].count("tool") == (25 if question == "be tireless" else 0)
    assert mooring("ask", "and now?", "--session", session).stdout == "Answer to question 2\n\n"


def test_what_no_encoding_knows_is_asked_as_a_sign_that_it_was_there(session: str) -> None:
    command = [MOORING.encode(), b"ask", b"what is \xff\xfe?", b"--session", session.encode()]
    assert subprocess.run(command, capture_output=True, timeout=120, check=True).stdout == b"Answer to question 1\n\n"
    assert exported(session)[0] == ("user", "what is \ufffd\ufffd?")


def test_ctrl_c_gives_the_shell_back_while_the_model_is_asked(session: str) -> None:
    asking: Any = pexpect.spawn(MOORING, ["ask", "a slow answer", "--session", session], encoding="utf-8", timeout=60)
    asking.expect("Thinking")
    _wait_for_question(session)
    since = time.monotonic()
    asking.sendintr()
    asking.expect("Stopped. What was found so far is kept.")
    asking.expect(pexpect.EOF)
    asking.close()
    assert (asking.exitstatus, time.monotonic() - since < 10) == (130, True)
    assert exported(session)[-1] == ("assistant", "Stopped before the answer was finished.")
    listed = {info["session"]: info["title"] for info in json.loads(mooring("sessions", "list", "-o", "json").stdout)}
    assert listed[session] == "a slow answer"


def _wait_for_question(session: str) -> None:
    end = time.monotonic() + 60
    while not mooring("sessions", "export", session).stdout:
        assert time.monotonic() < end


def test_a_chat_in_a_pipe_goes_on_and_ends_with_a_failure(session: str) -> None:
    given = "query though unreachable\nand now?\n"
    done = mooring("chat", "--session", session, given=given)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(FAILED)
    assert done.stdout.splitlines() == [
        "> query though unreachable",
        *TOOL_LINES,
        "> and now?",
        "Answer to question 2",
        "",
    ]
    # What the failed turn had found is kept.
    assert [role for role, _ in exported(session)] == ["user", "assistant", "tool", "assistant", "user", "assistant"]


def test_a_chat_on_a_terminal_goes_on(session: str) -> None:
    chat: Any = pexpect.spawn(MOORING, ["chat", "--session", session], encoding="utf-8", timeout=60)
    chat.expect("> ")
    chat.sendline("are you unreachable?")
    chat.expect(r"mooring: The model failed \(ConnectionError\).*> ")
    chat.sendline("and now?")
    chat.expect("Answer to question 2.*> ")
    chat.sendeof()
    chat.expect(pexpect.EOF)
    chat.close()
    assert chat.exitstatus == 0


class BrokenCatalog:
    """Fails in a way that no catalog foresees; its words quote a row."""

    def __init__(self) -> None:
        self.calls = 0

    def list_tables(self) -> TableList:
        raise LookupError(SECRET)

    def describe_table(self, table: str) -> TableDescription:
        raise LookupError(SECRET)

    def query(self, sql: str) -> QueryResult:
        self.calls += 1
        raise LookupError(SECRET)

    def cancel(self) -> None:
        """Nothing runs."""


@pytest.fixture
def catalog(lakehouse: Database) -> Iterator[PostgresCatalog]:
    with catalog_of(Settings(), log_in(lakehouse, "alice")) as opened:
        yield opened


def test_a_tool_that_fails_unforeseen_ends_the_turn_and_not_the_session(
    lakehouse: Database, session: str, catalog: PostgresCatalog
) -> None:
    broken = BrokenCatalog()
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver:
        graph, caller = build_graph(ChatOllama(model="any"), saver), log_in(lakehouse, "alice")
        failing = Conversation(graph, saver, caller, broken, session)
        with pytest.raises(TurnError, match=r"The tool query failed \(LookupError\)") as failure:
            list(failing.ask("query"))
        assert SECRET not in str(failure.value)
        assert [message.text for message in failing.messages()] == ["query", "", NOTE, NOTE]

        *events, last = Conversation(graph, saver, caller, catalog, session).ask("query")
    assert isinstance(last, Answered)
    assert last.answer.answer == "Answer to question 2"
    assert not any(isinstance(event, GivenUp) for event in events)
    assert broken.calls == 1
