"""Datasets: what comes with Mooring, and files that are not written as they must be."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

import agent.models.offline
from agent.errors import MooringError
from agent.evaluation import load_dataset
from agent.evaluation.dataset import parse
from agent.evaluation.values import from_json
from agent.local import lakehouse as sample

CATEGORIES = {
    "lookup",
    "aggregation",
    "top-n",
    "dates",
    "joins",
    "follow-ups",
    "refusals",
    "permissions",
    "injection",
    "resume",
}


def test_what_comes_with_it_asks_enough_of_everything() -> None:
    dataset = load_dataset()
    asked = Counter(question.category for question in dataset.questions)
    assert set(asked) == CATEGORIES == set(dataset.thresholds)
    assert min(asked.values()) >= 4
    assert sum(asked.values()) >= 60
    assert {question.user for question in dataset.questions} == {"alice", "bob", "carol"}


def code_of(folder: Path) -> str:
    """Return the code of a package in lower case, without comments and docstrings: those may give examples."""
    whole = []
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value = ast.Constant(None)
        whole.append(ast.unparse(tree).lower())
    return "\n".join(whole)


def test_the_offline_model_knows_neither_questions_nor_tables_of_it() -> None:
    code = code_of(Path(agent.models.offline.__file__).parent)
    tables = {part for name in sample.tables() for part in name.split(".")}
    assert [name for name in tables if re.search(rf"\b{name}\b", code)] == []
    assert [turn for question in load_dataset().questions for turn in question.turns if turn.lower() in code] == []


def test_a_dataset_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nquestions:\n  counts:\n    - {ask: 'how many?', sql: select 1, kill_after: 2}\n")
    mine = load_dataset(str(path))
    (question,) = mine.questions
    assert question.inputs == {"user": None, "turns": ["how many?"], "kill_after": 2}
    assert mine.threshold("counts") == 0.9
    assert mine.only("sums").questions == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "parsing"),
        ("name: x", "no questions"),
        ("name: x\nquestions: {a: [{ask: 'how many?'}]}", "needs sql"),
        ("name: x\nquestions: {a: [{ask: 'how many?', sql: select 1, tabels: [a]}]}", "tabels"),
        ("name: x\nquestions: {a: [{ask: q, sql: select 1}, {ask: q, sql: select 2}]}", "twice"),
        ("name: x\nthresholds: {a: 2}\nquestions: {a: [{ask: q, sql: select 1}]}", "thresholds"),
    ],
)
def test_what_is_not_a_dataset_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, yaml.YAMLError), match=reason):
        parse(text)
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(MooringError, match=reason):
        load_dataset(str(path))


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(MooringError, match=r"no dataset 'nowhere\.yaml'"):
        load_dataset("nowhere.yaml")


@pytest.mark.parametrize("text", ["2025-01-03", "2025-01-03 10:00:00+00", "12.50"])
def test_texts_of_a_catalog_are_values_again(text: str) -> None:
    assert not isinstance(from_json(text), str)
    assert str(from_json(text)).startswith(text)
