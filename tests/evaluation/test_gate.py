"""The gate: a sound agent passes, and one that is broken in one way is caught, by the right scorer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.evaluation import EvaluationReport, evaluate, load_dataset
from agent.settings import Settings
from tests.evaluation.broken import LeakingPersona, LostTurn, Silent, WrongAggregation

if TYPE_CHECKING:
    from agent.database import Database
    from agent.evaluation import Dataset
    from agent.evaluation.bot import Bot

QUESTIONS = (
    "How many suppliers are there?",
    "What is the total revenue?",
    "Top 3 products by revenue",
    "How many franchises are there?",
    "and in Brazil?",
)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """A few questions of what comes with Mooring."""
    whole = load_dataset().only("aggregation", "top-n", "permissions", "resume")
    return whole.model_copy(update={"questions": tuple(q for q in whole.questions if q.turns[-1] in QUESTIONS)})


@pytest.fixture(scope="module")
def sound(lakehouse: Database, dataset: Dataset) -> EvaluationReport:
    return evaluate(Settings(), dataset)


def test_a_sound_agent_passes(sound: EvaluationReport) -> None:
    assert sound.problems == []
    assert [each.why for each in sound.questions if not each.passed] == []


@pytest.mark.parametrize(
    ("bot", "category", "scorer"),
    [
        (WrongAggregation, "aggregation", "figures"),
        (LeakingPersona, "permissions", "secrecy"),
        (LostTurn, "resume", "resumed"),
    ],
)
def test_a_broken_agent_is_caught(
    bot: type[Bot], category: str, scorer: str, dataset: Dataset, sound: EvaluationReport
) -> None:
    report = evaluate(Settings(), dataset, baseline=sound.run, bot=bot)

    found = {each.category: each for each in report.categories}[category]
    assert found.rate < found.threshold
    assert found.baseline == 1.0
    assert found.scores[scorer] < 1.0
    assert any(f"{scorer}:" in each.why for each in report.questions if each.category == category)
    assert any(each.startswith(f"{category}: ") for each in report.problems)
    assert any(each.startswith(f"{category}: ") for each in report.regressions)


def test_questions_that_fail_are_no_end_of_it(lakehouse: Database, dataset: Dataset) -> None:
    report = evaluate(Settings(), dataset.only("aggregation"), bot=Silent)
    assert [each.passed for each in report.questions] == [False, False]
    assert {each.why for each in report.questions} == {"it was not answered: ConnectionError: "}


def test_figures_are_the_same_again(dataset: Dataset, sound: EvaluationReport) -> None:
    again = evaluate(Settings(), dataset, baseline="latest")
    assert again.problems == []
    assert [(each.id, each.passed, each.scores) for each in again.questions] == [
        (each.id, each.passed, each.scores) for each in sound.questions
    ]
    assert again.baseline is not None
