"""The gate: a sound agent passes, and one that is broken in one way is caught, by the right scorer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.errors import MooringError
from agent.evaluation import EvaluationReport, evaluate, load_dataset
from agent.settings import Settings
from tests.evaluation.broken import (
    LeakInCode,
    LeakingPersona,
    LeakInSteps,
    LostSteps,
    LostTurn,
    Silent,
    WrongAggregation,
)

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
        (LeakInCode, "permissions", "secrecy"),
        (LeakInSteps, "permissions", "secrecy"),
        (LostTurn, "resume", "resumed"),
        (LostSteps, "resume", "resumed"),
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
    assert [(each.id, each.passed, each.scores, each.tokens) for each in again.questions] == [
        (each.id, each.passed, each.scores, each.tokens) for each in sound.questions
    ]
    assert again.baseline is not None


def test_a_second_try_is_held_against_the_last_good_run(dataset: Dataset, lakehouse: Database) -> None:
    few = dataset.only("aggregation").model_copy(update={"thresholds": {"aggregation": 0.0}})
    good = evaluate(Settings(), few, baseline="latest")
    first, second = (evaluate(Settings(), few, baseline="latest", bot=Silent) for _ in range(2))
    assert (good.baseline, good.problems) == (None, [])
    assert (first.baseline, second.baseline) == (good.run, good.run)
    assert len(first.regressions) == len(second.regressions) == len(few.questions)
    assert second.problems


def test_a_part_is_no_baseline_for_the_whole(dataset: Dataset, lakehouse: Database) -> None:
    part = evaluate(Settings(), dataset.only("top-n"))
    assert part.problems == []
    whole = dataset.model_copy(update={"questions": dataset.only("top-n", "aggregation").questions})
    assert evaluate(Settings(), whole, baseline="latest").baseline != part.run


def test_a_run_of_other_questions_is_no_baseline(dataset: Dataset, sound: EvaluationReport) -> None:
    other = load_dataset().only("lookup")
    with pytest.raises(MooringError, match="asked none of the questions"):
        evaluate(Settings(), other, baseline=sound.run)
