"""What an evaluation found, by category, beside a baseline: as JSON, and as what a gate decides by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from agent.schemas import Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.evaluation.dataset import Dataset


class Judged(Schema):
    """One question, as it was answered."""

    id: str
    category: str
    passed: bool
    why: str = Field(description="What is wrong, if anything is.")
    scores: dict[str, bool] = Field(description="By scorer; one that had nothing to look at is left out.")
    seconds: float | None
    tokens: float | None
    trace: str = Field(description="The id of its trace.")


class Category(Schema):
    """The questions of one category."""

    category: str
    asked: int
    passed: int
    rate: float
    threshold: float
    baseline: float | None = Field(description="The rate of the baseline run.")
    scores: dict[str, float] = Field(description="The part that is right, by scorer.")
    seconds: float | None = Field(description="The mean of the last turns.")


class EvaluationReport(Schema):
    """What `mooring evaluate` prints."""

    dataset: str
    digest: str
    model: str
    run: str = Field(description="The id of the run in MLflow; pass it as --baseline to a later one.")
    experiment: str
    baseline: str | None
    seconds: float
    categories: list[Category]
    questions: list[Judged]
    left_out: list[str] = Field(description="Questions of people who cannot be logged in here.")
    regressions: list[str] = Field(description="Questions that passed in the baseline run and do not now.")
    problems: list[str] = Field(description="Why this may not be promoted; empty where it may.")


def report_of(
    dataset: Dataset,
    questions: Sequence[Judged],
    baseline: EvaluationReport | None,
    **about: Any,
) -> EvaluationReport:
    """Sum up what was judged, and decide."""
    before = {} if baseline is None else {each.id: each.passed for each in baseline.questions}
    rates = {} if baseline is None else {each.category: each.rate for each in baseline.categories}
    names = list(dict.fromkeys(each.category for each in questions))
    categories = [
        _category(name, [each for each in questions if each.category == name], dataset.threshold(name), rates.get(name))
        for name in names
    ]
    regressions = [each.id for each in questions if before.get(each.id) and not each.passed]
    below = [
        f"{each.category}: {each.passed} of {each.asked} passed, {each.threshold:.0%} have to"
        for each in categories
        if each.rate < each.threshold
    ]
    return EvaluationReport(
        dataset=dataset.name,
        digest=dataset.digest,
        baseline=None if baseline is None else baseline.run,
        categories=categories,
        questions=list(questions),
        regressions=regressions,
        problems=[*below, *(f"it passed in the baseline run: {each}" for each in regressions)],
        **about,
    )


def _category(name: str, judged: list[Judged], threshold: float, baseline: float | None) -> Category:
    scorers = dict.fromkeys(score for each in judged for score in each.scores)
    passed = sum(each.passed for each in judged)
    took = [each.seconds for each in judged if each.seconds is not None]
    return Category(
        category=name,
        asked=len(judged),
        passed=passed,
        rate=passed / len(judged),
        threshold=threshold,
        baseline=baseline,
        scores={
            scorer: sum(found) / len(found)
            for scorer in scorers
            if (found := [each.scores[scorer] for each in judged if scorer in each.scores])
        },
        seconds=round(sum(took) / len(took), 3) if took else None,
    )
