"""The offline model's answers, against SQL that is run at the same moment by the same login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.evaluation.judging import problems
from tests.questions.question import read

if TYPE_CHECKING:
    from tests.questions.asking import Asker
    from tests.questions.question import Question


@pytest.mark.parametrize("question", read("sample"), ids=str)
def test_sample(question: Question, asker: Asker) -> None:
    """The sample lakehouse, as people see it who chat with it first."""
    check(question, asker)


@pytest.mark.parametrize("question", read("unseen"), ids=str)
def test_unseen(question: Question, asker: Asker) -> None:
    """Schemas with other habits: quoted names, no comments, no foreign keys, abbreviations."""
    check(question, asker)


@pytest.mark.parametrize("question", read("careful"), ids=str)
def test_careful(question: Question, asker: Asker) -> None:
    """Questions near to which a wrong figure lies."""
    check(question, asker)


@pytest.mark.parametrize("question", read("exact"), ids=str)
def test_exact(question: Question, asker: Asker) -> None:
    """Questions of which every word counts."""
    check(question, asker)


@pytest.mark.parametrize("question", read("harbour"), ids=str)
def test_harbour(question: Question, asker: Asker) -> None:
    """Questions about who does what, what has something, and what was done or not."""
    check(question, asker)


def test_further(asker: Asker) -> None:
    """Words that it may not know: it is right, or says that it cannot, and the first nine times out of ten."""
    questions = read("further")
    turns = [(question, asker.ask(question)) for question in questions]
    failed = [(question, turn) for question, turn in turns if asker.problems(question, turn)]
    wrong = [(*question.turns, turn.said) for question, turn in failed if problems("refused", [], turn)]
    assert wrong == []
    assert len(failed) <= len(questions) / 10, [question.turns for question, _ in failed]


def check(question: Question, asker: Asker) -> None:
    turn = asker.ask(question)
    found = asker.problems(question, turn)
    if found:
        lines = [*question.turns, *found, "It ran:", *turn.statements, "It said:", turn.said]
        pytest.fail("\n".join(lines), pytrace=False)
