"""What is expected of an answer: the SQL of a question, run as who asks, at the time of asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot.errors import SqlglotError

from agent.errors import MooringError
from agent.evaluation.judging import Kind, Rows
from agent.evaluation.values import from_json
from tools import CatalogError
from tools.catalog import QueryResult

if TYPE_CHECKING:
    from agent.evaluation.dataset import Question

Query = Callable[[str | None, str], QueryResult]
"""Runs SQL as somebody, by name; None is who evaluates."""


def expectations_of(question: Question, query: Query, dialect: str = "postgres") -> dict[str, Any]:
    """Return what is expected of the answer to a question, as JSON.

    Args:
        question: The question.
        query: Runs SQL as somebody.
        dialect: The SQL that it is written in, as sqlglot names it.

    Raises:
        MooringError: The SQL fails, or returns too much to be compared.
    """
    found: dict[str, Any] = {
        "expected": {
            "kind": question.expect,
            "answers": [_rows(question, question.user, sql, query, dialect) for sql in question.sql],
        },
        "forbidden": [],
    }
    if question.tables is not None:
        found["tables"] = list(question.tables)
    if question.tools is not None:
        found["expected_tool_calls"] = [{"name": name} for name in question.tools]
    if question.forbidden is not None:
        who = question.forbidden.user or question.user
        found["forbidden"] = [_rows(question, who, sql, query, dialect) for sql in question.forbidden.sql]
    return found


def kind_of(expectations: dict[str, Any]) -> Kind:
    """Return what kind of answer is expected."""
    kind: Kind = expectations["expected"]["kind"]
    return kind


def answers_of(expectations: dict[str, Any]) -> list[Rows]:
    """Return the rows that are expected."""
    return [_restored(each) for each in expectations["expected"]["answers"]]


def forbidden_of(expectations: dict[str, Any]) -> list[Rows]:
    """Return the rows none of whose values may be said."""
    return [_restored(each) for each in expectations.get("forbidden") or ()]


def _rows(question: Question, user: str | None, sql: str, query: Query, dialect: str) -> dict[str, Any]:
    try:
        found = query(user, sql)
        tree = sqlglot.parse_one(sql, dialect=dialect)
    except (CatalogError, SqlglotError) as error:
        problem = f"What is expected of {question.id!r} cannot be computed ({type(error).__name__})"
        raise MooringError(problem, "run its SQL as who asks, and mend it in the dataset") from error
    if found.truncated:
        problem = f"What is expected of {question.id!r} has too many rows to be compared"
        raise MooringError(problem, "ask for fewer in the dataset")
    return {"columns": found.columns, "rows": found.rows, "ordered": tree.args.get("order") is not None}


def _restored(given: dict[str, Any]) -> Rows:
    rows = [tuple(map(from_json, row)) for row in given["rows"]]
    return Rows(tuple(given["columns"]), rows, bool(given["ordered"]))
