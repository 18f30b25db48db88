"""`mooring dataset create`: what somebody asked becomes questions, under their own rights."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import mlflow
import pytest

from agent.evaluation import load_dataset
from tests.integration.test_cli import answer, mooring

if TYPE_CHECKING:
    import psycopg

    from agent.database import Database


pytestmark = pytest.mark.long


@pytest.fixture
def alone(lakehouse: Database) -> None:
    """Alice and bob have no sessions of other tests."""
    for who in ("alice", "bob"):
        for each in json.loads(mooring("sessions", "list", "--as", who, "-o", "json").stdout):
            mooring("sessions", "delete", each["session"], "--as", who)


def ask(*questions: str, as_: str = "alice") -> str:
    name = f"s-{uuid4().hex[:8]}"
    for question in questions:
        answer(question, "--session", name, "--as", as_)
    return name


def rate(session: str, question: str, rating: str) -> None:
    """Say what alice thinks of the answer to a question."""
    messages = json.loads(mooring("sessions", "export", session).stdout)["messages"]
    asked = [m["content"] for m in messages].index(question)
    said = next(m for m in messages[asked:] if m["role"] == "assistant" and not m["tool_calls"])
    done = mooring("feedback", session, said["id"], rating)
    assert done.returncode == 0, done.stderr


def created(path: Path, *args: str, **env: str) -> dict[str, Any]:
    done = mooring("dataset", "create", str(path), "--from-sessions", *args, "-o", "json", **env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.usefixtures("alone")
def test_what_was_asked_is_asked_again(tmp_path: Path) -> None:
    ask("how many reviews are there?", "and per rating in 2025?", "what is the weather?")
    ask("how many reviews are there?")
    ask("average salary per department in 2025", as_="bob")
    path = tmp_path / "mine.yaml"

    found = created(path)

    assert (found["questions"], found["sessions"]) == (2, 2)
    assert found["left_out"] == {"asked already": 1, "refused": 1}
    dataset = load_dataset(str(path))
    assert {question.turns for question in dataset.questions} == {
        ("how many reviews are there?",),
        ("how many reviews are there?", "and per rating in 2025?"),
    }
    assert {question.user for question in dataset.questions} == {"alice"}
    assert {question.tables for question in dataset.questions} == {("lakehouse.bakehouse.reviews",)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    evaluated = mooring("evaluate", "--dataset", str(path))
    assert evaluated.returncode == 0, evaluated.stderr
    assert "2 of 2 passed" in evaluated.stdout


@pytest.mark.usefixtures("alone")
def test_answers_that_were_not_liked(tmp_path: Path) -> None:
    session = ask("how many reviews are there?", "how many suppliers are there?")
    rate(session, "how many suppliers are there?", "down")
    path = tmp_path / "down.yaml"

    assert created(path, "--where", "feedback=down")["questions"] == 1

    (question,) = load_dataset(str(path)).questions
    assert question.turns == ("how many reviews are there?", "how many suppliers are there?")
    assert (question.sql, question.said) == ((), "The number of suppliers is 27.")
    # Nobody has said yet what is right.
    evaluated = mooring("evaluate", "--dataset", str(path))
    assert evaluated.returncode == 1
    assert "nothing says what is expected" in evaluated.stdout
    none = mooring("dataset", "create", str(tmp_path / "up.yaml"), "--from-sessions", "--where", "feedback=up")
    assert none.returncode == 1
    assert "No question was found" in none.stderr


@pytest.mark.usefixtures("alone")
def test_what_is_withheld_is_left_out(tmp_path: Path, admin: psycopg.Connection[Any]) -> None:
    ask("how many reviews are there?")
    ask("how many suppliers are there?")
    admin.execute("revoke select on bakehouse.reviews from alice")
    try:
        found = created(tmp_path / "rest.yaml")
    finally:
        admin.execute("grant select on bakehouse.reviews to alice")
    assert (found["questions"], found["left_out"]) == (1, {"withheld": 1})
    assert not re.search(r"\b240\b", (tmp_path / "rest.yaml").read_text())


@pytest.mark.usefixtures("alone")
def test_personal_data_is_flagged(tmp_path: Path) -> None:
    session = ask("how many reviews did ann@example.com write?", "how many suppliers are there?")
    rate(session, "how many reviews did ann@example.com write?", "down")
    path = tmp_path / "personal.yaml"
    found = created(path)
    assert found["personal"] == found["questions"] == 2
    assert {question.personal for question in load_dataset(str(path)).questions} == {("email",)}


@pytest.mark.usefixtures("alone")
def test_mlflow_keeps_it_where_it_is_told_to(tmp_path: Path) -> None:
    ask("how many suppliers are there?")
    store = f"sqlite:///{tmp_path / 'own.db'}"
    found = created(tmp_path / "kept.yaml", "--register", MLFLOW_TRACKING_URI=store)
    client = mlflow.MlflowClient(store)
    (dataset,) = client.search_datasets(filter_string=f"name = '{found['registered']}'")
    assert dataset.name.startswith("kept-")


@pytest.mark.usefixtures("alone")
def test_what_is_taken_out_is_in_the_audit(tmp_path: Path) -> None:
    session = ask("how many suppliers are there?")
    created(tmp_path / "audited.yaml")
    acts = json.loads(mooring("audit", "--session", session, "-o", "json").stdout)
    assert "exported" in [each["act"] for each in acts]


@pytest.mark.usefixtures("alone")
def test_only_what_was_used_since(tmp_path: Path, admin: psycopg.Connection[Any]) -> None:
    old = ask("how many suppliers are there?")
    ask("how many reviews are there?")
    admin.execute("update mooring.threads set updated_at = now() - interval '3 days' where thread_id = %s", [old])
    created(tmp_path / "new.yaml", "--since", "2d")
    assert [q.turns for q in load_dataset(str(tmp_path / "new.yaml")).questions] == [("how many reviews are there?",)]


@pytest.mark.usefixtures("alone")
def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    ask("how many suppliers are there?")
    path = tmp_path / "there.yaml"
    path.write_text("mine")
    done = mooring("dataset", "create", str(path), "--from-sessions")
    assert done.returncode == 1
    assert "there.yaml is there already" in done.stderr
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], "--from-sessions"), (["--from-sessions", "--where", "rating=1"], "feedback=down")],
)
def test_what_is_not_understood_is_told(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = mooring("dataset", "create", str(tmp_path / "x.yaml"), *arguments)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.usefixtures("alone")
def test_a_file_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    ask("how many suppliers are there?")
    found = created(tmp_path / "ann's 50%.yaml", "--register")
    assert found["registered"].startswith("ann-s 50--")
