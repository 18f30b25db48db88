"""Evaluation: questions with expectations that SQL computes, asked through the real agent, judged by rules.

    report = evaluate(Settings(), load_dataset("lakehouse"))
    assert not report.problems

MLflow is imported when an evaluation is run, and not before.
"""

from __future__ import annotations

from agent.evaluation.dataset import Dataset, Question, load_dataset
from agent.evaluation.report import EvaluationReport
from agent.evaluation.running import evaluate

__all__ = ["Dataset", "EvaluationReport", "Question", "evaluate", "load_dataset"]
