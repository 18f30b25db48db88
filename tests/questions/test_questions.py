"""The offline model's answers, against SQL that is run at the same moment by the same login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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


@pytest.mark.parametrize("question", read("held_out"), ids=str)
def test_held_out(question: Question, asker: Asker) -> None:
    """What the model was not worked on with."""
    check(question, asker)


def check(question: Question, asker: Asker) -> None:
    turn = asker.ask(question)
    found = asker.problems(question, turn)
    if found:
        ran = [str(use.args.get("sql", use.name)) for use in turn.answer.tools]
        lines = [*question.turns, *found, "It ran:", *ran, "It said:", turn.answer.answer]
        pytest.fail("\n".join(lines), pytrace=False)
