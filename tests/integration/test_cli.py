"""The command line as people and scripts use it: real processes, the sample lakehouse, the offline model."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

if TYPE_CHECKING:
    from agent.database import Database

pytestmark = pytest.mark.embedded

MOORING = str(Path(sys.executable).with_name("mooring"))


def mooring(*args: str, given: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    variables = {**os.environ, **env}
    return subprocess.run(
        [MOORING, *args], input=given, capture_output=True, text=True, timeout=600, env=variables, check=False
    )


def answer(*args: str, **env: str) -> dict[str, Any]:
    done = mooring("ask", *args, "-o", "json", **env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def name() -> str:
    """A session's name that no other test uses."""
    return f"s-{uuid4().hex[:8]}"


@pytest.mark.usefixtures("lakehouse")
class TestChat:
    def test_questions_in_a_pipe(self, name: str) -> None:
        done = mooring("chat", "--session", name, given="which tables can I read?\n\nhow many suppliers are there?\n")
        assert done.returncode == 0, done.stderr
        first, second = done.stdout.split("> ")[1:]
        for table in ("franchises", "suppliers", "transactions", "reviews"):
            assert f"bakehouse.{table}" in first
        assert "1 row from lakehouse.bakehouse.suppliers" in second

    @pytest.mark.parametrize("who", ["alice", "bob"])
    def test_a_ranking_and_what_leans_on_it(self, who: str, name: str, lakehouse: Database) -> None:
        given = "which tables can I read?\ntop 3 franchises by revenue\nand by country?\n"
        done = mooring("chat", "--as", who, "--session", name, given=given)
        assert done.returncode == 0, done.stderr
        _, ranked, grouped = done.stdout.split("> ")[1:]
        sales = "bakehouse.transactions join bakehouse.franchises f using (franchise_id)"
        with psycopg.connect(lakehouse.login(who)) as conn:
            top = conn.execute(
                f"select f.name, sum(total_price) from {sales} group by f.franchise_id order by 2 desc limit 3".encode()
            ).fetchall()
            each = conn.execute(
                f"select country, sum(total_price) from {sales} group by country order by 2 desc".encode()
            ).fetchall()
        assert [line for line in ranked.splitlines() if line.startswith("| ")][2:] == [
            f"| {shop} | {total:,.2f} |" for shop, total in top
        ]
        assert [line for line in grouped.splitlines() if line.startswith("| ")][2:] == [
            f"| {country} | {total:,.2f} |" for country, total in each
        ]
        assert len(each) == {"alice": 12, "bob": 1}[who]

    def test_who_reads_nothing_is_told_so(self) -> None:
        given = "which tables can I read?\ntop 3 franchises by revenue\nand by country?\n"
        done = mooring("chat", "--as", "carol", given=given)
        assert done.returncode == 0, done.stderr
        answers = done.stdout.split("> ")[1:]
        assert all("may read no tables" in answer for answer in answers)
        assert not any(character.isdigit() for answer in answers for character in answer.removeprefix("top 3"))

    def test_answers_differ_by_who_asks(self, admin: psycopg.Connection[Any]) -> None:
        sql = "select count(*) from bakehouse.reviews r join bakehouse.franchises f using (franchise_id)"
        whole = str((admin.execute(sql).fetchone() or [None])[0])
        dutch = str((admin.execute(f"{sql} where f.country = 'Netherlands'").fetchone() or [None])[0])
        question = "how many reviews are there?"
        assert whole in answer(question)["answer"]
        assert dutch in answer(question, "--as", "bob")["answer"]
        refused = answer(question, MOORING_USER="carol")
        assert "may" in refused["answer"]
        assert not any(figure in refused["answer"] for figure in (whole, dutch))

    def test_a_denied_table_is_denied_by_the_database(self) -> None:
        found = answer("how many rows are in hr.salaries?")
        assert [(use["name"], use["status"]) for use in found["tools"]][-1][1] == "error"
        assert "42501" in found["answer"]
        assert found["sources"] == []

    def test_the_json_of_an_answer(self, name: str) -> None:
        found = answer("how many suppliers are there?", "--session", name)
        assert found["session"] == name
        assert found["sources"] == ["lakehouse.bakehouse.suppliers"]
        last = found["tools"][-1]
        assert (last["name"], last["rows"], last["sources"]) == ("query", 1, ["lakehouse.bakehouse.suppliers"])
        assert "count" in last["args"]["sql"].lower()

    def test_two_questions_at_once_take_turns(self, name: str) -> None:
        questions = ["how many suppliers are there?", "how many reviews are there?"]
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda question: answer(question, "--session", name), questions))
        assert [len(each["tools"]) for each in found] == [2, 2]
        messages = json.loads(mooring("sessions", "export", name).stdout)["messages"]
        roles = [m["role"] for m in messages]
        assert roles == ["user", "assistant", "tool", "assistant", "tool", "assistant"] * 2
        asked = [m["content"] for m in messages if m["role"] == "user"]
        replies = {found[i]["answer"]: questions[i] for i in (0, 1)}
        assert [replies[m["content"]] for m in messages[5::6]] == asked

    def test_a_session_goes_on_in_a_new_process(self, name: str) -> None:
        answer("how many suppliers are there?", "--session", name, "--as", "bob")
        answer("how many reviews are there?", "--session", name, "--as", "bob")
        messages = json.loads(mooring("sessions", "export", name, "--as", "bob").stdout)["messages"]
        assert [m["content"] for m in messages if m["role"] == "user"] == [
            "how many suppliers are there?",
            "how many reviews are there?",
        ]


@pytest.mark.usefixtures("lakehouse")
class TestSessions:
    def test_their_life(self, name: str) -> None:
        answer("how many suppliers are there?", "--session", name)
        listed = {s["session"]: s for s in json.loads(mooring("sessions", "list", "-o", "json").stdout)}
        assert listed[name]["title"] == "how many suppliers are there?"
        columns = [line.split("\t") for line in mooring("sessions", "list").stdout.splitlines()]
        assert [name, "how many suppliers are there?"] in [[session, title] for session, _, title in columns]
        assert mooring("sessions", "rename", name, "Suppliers").returncode == 0
        exported = json.loads(mooring("sessions", "export", name).stdout)
        assert (exported["title"], exported["unfinished"]) == ("Suppliers", False)
        assert exported["messages"][0] | {"id": ""} == {
            "id": "",
            "role": "user",
            "content": "how many suppliers are there?",
            "withheld": None,
            "name": None,
            "tool_calls": [],
            "tool_call_id": None,
            "sources": [],
            "feedback": None,
        }
        assert "> how many suppliers are there?" in mooring("sessions", "show", name).stdout
        assert mooring("sessions", "delete", name).returncode == 0
        gone = mooring("sessions", "show", name)
        assert (gone.returncode, gone.stdout) == (1, "")

    def test_what_no_encoding_knows_is_replaced(self, name: str) -> None:
        answer("how many suppliers are there? \udcff", "--session", name)
        exported = json.loads(mooring("sessions", "export", name).stdout)
        assert exported["messages"][0]["content"] == "how many suppliers are there? \ufffd"

    def test_the_same_name_is_another_session_for_somebody_else(self, name: str, lakehouse: Database) -> None:
        answer("how many suppliers are there?", "--session", name)
        for command in (("show", name), ("export", name), ("rename", name, "x"), ("delete", name)):
            assert mooring("sessions", *command, "--as", "bob").returncode == 1
        assert name not in mooring("sessions", "list", "--as", "bob", "-o", "json").stdout
        answer("how many reviews are there?", "--session", name, "--as", "bob")
        his = json.loads(mooring("sessions", "export", name, "--as", "bob").stdout)
        assert [m["content"] for m in his["messages"] if m["role"] == "user"] == ["how many reviews are there?"]
        with psycopg.connect(lakehouse.login("bob")) as conn:
            seen = conn.execute("select owner from mooring.threads where thread_id = %s", [name]).fetchall()
        assert seen == [("bob",)]


@pytest.mark.usefixtures("lakehouse")
class TestFailures:
    @pytest.mark.parametrize(
        ("args", "says"),
        [
            (("ask", "  "), "question is empty"),
            (("ask", "hello", "--as", "mallory"), "no login 'mallory'"),
            (("ask", "hello", "--as", ""), "no login ''"),
            (("ask", "hello", "--model", "nonsense"), "model"),
            (("chat", "--model", ""), "model"),
            (("sessions", "show", "no-such-session"), "sessions list"),
            (("ask", "hello", "--session", "here", "--continue"), "two sessions"),
            (("ask", "hello", "--session", ""), "printable"),
            (("chat", "--session", " here"), "printable"),
            (("chat", "--session", "he\nre"), "printable"),
            (("sessions", "rename", "here", " "), "200"),
            (("sessions", "rename", "here", "x" * 201), "200"),
            (("db", "url", "--as", "mallory"), "mallory"),
            (("bogus",), "bogus"),
        ],
    )
    def test_a_failure_is_told_on_stderr(self, args: tuple[str, ...], says: str) -> None:
        failed = mooring(*args)
        assert failed.returncode != 0
        assert failed.stdout == ""
        assert says in failed.stderr
        assert "Traceback" not in failed.stderr

    @pytest.mark.parametrize(
        ("args", "line"),
        [
            (("ask",), "Missing argument 'QUESTION'; see: mooring ask --help"),
            (
                ("ask", " "),
                'Invalid value: The question is empty. Ask for instance: mooring ask "which tables can I read?"',
            ),
            (("ask", "hello", "--bogus"), "No such option: --bogus; see: mooring ask --help"),
            (("chat", "--session"), "Option '--session' requires an argument; see: mooring --help"),
            (("bogus",), "No such command 'bogus'; see: mooring --help"),
            (("sessions", "bogus"), "No such command 'bogus'; see: mooring sessions --help"),
            (("sessions", "prune", "--older-than", "x"), "Invalid value for '--older-than': write it as a number"),
        ],
    )
    def test_a_wrong_usage_is_one_line(self, args: tuple[str, ...], line: str) -> None:
        failed = mooring(*args)
        assert (failed.returncode, failed.stdout) == (2, "")
        [told] = failed.stderr.splitlines()
        assert told.startswith(f"mooring: {line}")
        assert "; see: mooring " in told

    def test_without_arguments_there_is_help(self) -> None:
        for args in ((), ("sessions",)):
            told = mooring(*args)
            assert told.returncode == 2
            assert told.stderr.startswith("Usage: mooring")
            assert "Commands:" in told.stderr

    def test_nobody_is_asked_for_on_another_database(self, lakehouse: Database) -> None:
        failed = mooring("ask", "hello", MOORING_DATABASE_URL=lakehouse.runtime)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert "--as" in failed.stderr

    def test_an_address_that_a_server_cannot_have_is_told_before_there_is_one(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            here = f"127.0.0.1, port {port}"
            for given, where in ((), here), (("--workers", "2"), here), (("--host", "no.invalid"), "no.invalid"):
                failed = mooring("serve", "--port", port, *given)
                assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1), failed.stderr
                assert f"cannot listen at {where}" in failed.stderr
        failed = mooring("serve", DATABRICKS_APP_PORT="canary")
        assert failed.stderr.startswith("mooring: DATABRICKS_APP_PORT")

    def test_a_server_that_is_not_there_is_told_from_a_wrong_password(self, lakehouse: Database) -> None:
        away = make_conninfo(lakehouse.runtime, port=1)
        assert "cannot be reached" in mooring("ask", "hello", "--as", "alice", MOORING_DATABASE_URL=away).stderr
        stranger = mooring("ask", "hello", "--as", "mallory", MOORING_DATABASE_URL=lakehouse.runtime)
        assert "mallory" in stranger.stderr
        wrong = make_conninfo(lakehouse.runtime, password="wrong")
        locked_out = mooring("ask", "hello", "--as", "alice", MOORING_DATABASE_URL=wrong)
        assert len(locked_out.stderr.splitlines()) == 1, locked_out.stderr

    def test_a_container_without_a_database_refuses_to_start(self) -> None:
        for variable in ("DATABRICKS_APP_NAME", "IS_IN_DB_MODEL_SERVING_ENV"):
            failed = mooring("ask", "hello", **{variable: "true"})
            assert failed.returncode == 1
            assert "MOORING_DATABASE_URL" in failed.stderr


@pytest.mark.usefixtures("lakehouse")
class TestDatabase:
    def test_doctor_says_that_all_is_well(self) -> None:
        done = mooring("doctor", "-o", "json")
        assert done.returncode == 0
        checks = {check["name"]: check for check in json.loads(done.stdout)}
        assert all(check["ok"] for check in checks.values())
        assert "alice" in checks["caller"]["detail"]

    def test_doctor_names_what_is_wrong(self) -> None:
        done = mooring("doctor", "--as", "mallory")
        assert done.returncode == 1
        assert "FAIL" in done.stdout

    def test_urls_work_for_psql_and_hold_no_password(self, lakehouse: Database) -> None:
        for args, user in ((("--as", "bob"), "bob"), ((), "alice"), (("--role", "service"), "mooring_service")):
            url = mooring("db", "url", *args).stdout.strip()
            assert ":" not in url.removeprefix("postgresql://").partition("@")[0]
            with psycopg.connect(url) as conn:
                assert conn.execute("select session_user").fetchone() == (user,)

    def test_migrations_can_be_read_before_they_run(self) -> None:
        printed = mooring("db", "migrate", "--print")
        assert printed.returncode == 0
        assert "force row level security" in printed.stdout.lower()
        assert mooring("db", "migrate").stdout == "Everything is up to date.\n"

    def test_version_and_help(self) -> None:
        assert mooring("--version").stdout.startswith("mooring ")
        assert "sessions" in mooring("--help").stdout
