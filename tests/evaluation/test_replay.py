"""`mooring replay`: another model, another prompt, from the start or a checkpoint; the session stays as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.integration.test_cli import answer, mooring
from tests.serving.served import PATIENT

if TYPE_CHECKING:
    import psycopg

    from agent.database import Database

pytestmark = pytest.mark.long

QUESTIONS = ("how many reviews are there?", "and per rating in 2025?", "how many suppliers are there?")


@pytest.fixture
def session(lakehouse: Database) -> str:
    """Three turns of alice's."""
    name = f"asked-{uuid4().hex[:8]}"
    for question in QUESTIONS:
        answer(question, "--session", name)
    return name


def replayed(*args: str, **env: str) -> dict[str, Any]:
    done = mooring("replay", *args, "-o", "json", **env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def exported(session: str) -> Any:
    return json.loads(mooring("sessions", "export", session).stdout)["messages"]


def checkpoints(admin: psycopg.Connection[Any], session: str) -> list[tuple[Any, ...]]:
    """All that is stored of a session, by the names of its checkpoints."""
    return admin.execute(
        "select c.* from mooring.checkpoints c join mooring.threads t on t.owner = c.owner and t.id = c.thread"
        " where t.thread_id = %s order by 1, 2, 3",
        [session],
    ).fetchall()


def test_the_same_model_says_the_same(session: str, admin: psycopg.Connection[Any]) -> None:
    before = checkpoints(admin, session)
    found = replayed(session)
    assert [(turn["question"], turn["same"], turn["diff"]) for turn in found["turns"]] == [
        (question, True, []) for question in QUESTIONS
    ]
    assert checkpoints(admin, session) == before
    assert [m["content"] for m in exported(found["replay"]) if m["role"] == "user"] == list(QUESTIONS)


def test_another_model_is_compared(session: str) -> None:
    found = replayed(session, "--model", "ollama:stand-in", PYTHONPATH=PATIENT["PYTHONPATH"])
    assert [turn["same"] for turn in found["turns"]] == [False] * 3
    first = found["turns"][0]
    assert "-The number of reviews is 240." in first["diff"]
    assert any(line.startswith("+") for line in first["diff"])
    assert first["before"] == "The number of reviews is 240."


def test_it_begins_at_a_checkpoint(session: str) -> None:
    lines = json.loads(mooring("sessions", "history", session, "-o", "json").stdout)
    assert lines[0]["next"] == []
    assert lines[0]["checkpoint"] in mooring("sessions", "history", session).stdout.splitlines()[0]
    half_way = next(line["checkpoint"] for line in lines if line["messages"] == 8)

    found = replayed(session, "--from", half_way)

    assert [(turn["question"], turn["same"]) for turn in found["turns"]] == [(QUESTIONS[1], True), (QUESTIONS[2], True)]
    assert [m["id"] for m in exported(found["replay"])][:8] == [m["id"] for m in exported(session)][:8]


def test_what_is_withheld_now_is_not_compared(session: str, admin: psycopg.Connection[Any]) -> None:
    admin.execute("revoke select on bakehouse.reviews from alice")
    try:
        found = replayed(session)
        text = mooring("replay", session).stdout
    finally:
        admin.execute("grant select on bakehouse.reviews to alice")
    assert [turn["before"] is None for turn in found["turns"]] == [True, True, True]
    assert not re.search(r"\b240\b", json.dumps(found))
    assert "(there is no answer that you may read)" in text


def test_a_prompt_is_told_to_the_model(session: str, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Answer like a pirate.")
    done = mooring("replay", session, "--prompt", str(prompt))
    assert done.returncode == 0, done.stderr
    assert "3 of 3 answers are the same with offline" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "nowhere"),
        (["SESSION", "--from", "nonsense"], "has no checkpoint 'nonsense'"),
        (["SESSION", "--prompt", "nowhere.txt"], "The prompt nowhere.txt cannot be read"),
        (["SESSION", "--model", "nonsense"], "No provider is known"),
    ],
)
def test_what_cannot_be_replayed_is_told(session: str, arguments: list[str], told: str) -> None:
    done = mooring("replay", *(session if each == "SESSION" else each for each in arguments))
    assert done.returncode == 1
    assert told in done.stderr
    left = json.loads(mooring("sessions", "list", "-o", "json").stdout)
    assert [each for each in left if each["session"].startswith(f"{session}-replay")] == []


def test_nobody_replays_what_is_somebody_elses(session: str) -> None:
    done = mooring("replay", session, "--as", "bob")
    assert done.returncode == 1
    assert session in done.stderr
