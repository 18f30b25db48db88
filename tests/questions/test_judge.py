"""The judge: answers made by hand, good and bad."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.evaluation.judging import Rows, Turn, matches, problems
from agent.evaluation.values import same, shown

if TYPE_CHECKING:
    from agent.evaluation.judging import Kind

Result = list[list[Any]]

BY_COUNTRY = Rows(("country", "count"), [("France", 5), ("Japan", 4)])
RANKED = Rows(("country", "sum"), [("France", Decimal("1234.50")), ("Japan", Decimal(99))], ordered=True)


def turn(said: str, *results: Result, question: str = "how many?", refused: str = "") -> Turn:
    """Return a turn whose queries returned rows of bakery.shops."""
    told: list[AnyMessage] = [
        ToolMessage(
            json.dumps({"columns": [], "rows": rows}),
            name="query",
            tool_call_id=str(at),
            response_metadata={"sources": ["lakehouse.bakery.shops"]},
        )
        for at, rows in enumerate(results)
    ]
    if refused:
        told.append(ToolMessage(refused, name="query", tool_call_id="refused", status="error"))
    messages: list[AnyMessage] = [HumanMessage(question), *told, AIMessage(said)]
    return Turn.of((question,), said, messages)


@pytest.mark.parametrize(
    ("rows", "fits"),
    [
        ([["France", 5], ["Japan", 4]], True),
        ([["Japan", 4], ["France", 5]], True),
        ([[7, 4, "Japan"], [9, 5, "France"]], True),
        ([["France", 4], ["Japan", 5]], False),
        ([["France", 5]], False),
        ([["France", 5], ["Japan", 4], ["Spain", 0]], False),
        ([["France", 5], ["France", 5]], False),
        ([[5], [4]], False),
        ([], False),
    ],
)
def test_rows_in_any_order_with_more_columns(rows: Result, fits: bool) -> None:
    assert matches(BY_COUNTRY, rows) is fits


@pytest.mark.parametrize(
    ("rows", "fits"),
    [
        ([["France", 1234.5], ["Japan", "99.00"]], True),
        ([["Japan", 99], ["France", 1234.5]], False),
        ([["France", 1234.51], ["Japan", 99]], False),
    ],
)
def test_rows_in_order(rows: Result, fits: bool) -> None:
    assert matches(RANKED, rows) is fits


@pytest.mark.parametrize(
    ("expected", "actual", "column", "agrees"),
    [
        (Decimal("3.4166666"), 3.42, "", True),
        (Decimal("3.4166666"), "3.4166666666666667", "", True),
        (Decimal("3.4166666"), 3.4, "", False),
        (1000000, 1000001.5, "", False),
        (5, "five", "", False),
        (1, True, "", False),
        (True, True, "", True),
        ("Lyon", "Lyon", "", True),
        ("Lyon", "lyon", "", False),
        (None, None, "", True),
        (None, 0, "", False),
        (date(2024, 3, 1), "2024-03-01", "", True),
        (date(2024, 3, 1), "2024-03-02", "", False),
        (datetime(2024, 3, 1, 7, 30, tzinfo=UTC), "2024-03-01 07:30:00+00", "", True),
        (datetime(2024, 3, 1, 7, 30, tzinfo=UTC), "2024-03-01", "", True),
        (datetime(2024, 3, 1, 7, 30, tzinfo=UTC), "2024-03-01 08:30:00+00", "", False),
        (2024, "2024-01-01 00:00:00+00", "year", True),
        (2024, 2024, "year", True),
        (2024, 2025, "year", False),
        ("2024-03", "2024-03-01", "month", True),
        ("2024-03", "3/2024", "month", True),
        ("2024-03", "March 2024", "month", True),
        ("2024-03", "2024-04", "month", False),
        ("2024-Q2", "2024-04-01", "quarter", True),
        ("2024-Q2", "Q2 2024", "quarter", True),
        ("2024-Q2", "2024-Q3", "quarter", False),
    ],
)
def test_values(expected: Any, actual: Any, column: str, agrees: bool) -> None:
    assert same(expected, actual, column) is agrees


@pytest.mark.parametrize(
    ("expected", "text", "column", "seen"),
    [
        (24000, "There are 24,000 rows.", "", True),
        (24000, "There are **24000** rows", "", True),
        (Decimal("226745.20"), "| 226,745.20 |", "", True),
        (Decimal("3.4166666"), "about 3.42.", "", True),
        (5, "There are 15, or 5.5.", "", False),
        (3, "on 2025-03-01", "", False),
        (-4, "it is -4", "", True),
        ("Laiterie d'Isigny Nord", "| laiterie d'isigny  nord |", "", True),
        ("A|B", "| A\\|B |", "", True),
        (True, "yes, it is", "", True),
        (None, "", "", True),
        (date(2024, 3, 1), "on 1 March 2024", "", True),
        (date(2024, 3, 1), "on 2024-03-01", "", True),
        (date(2024, 3, 1), "on 2024-03-11", "", False),
        ("2024-03", "| Mar 2024 | 5 |", "month", True),
        ("2024-03", "| 2024-03-01 | 5 |", "month", True),
        (2024, "| 2024 | 5 |", "year", True),
    ],
)
def test_texts(expected: Any, text: str, column: str, seen: bool) -> None:
    assert shown(expected, text, column) is seen


FIVE = Rows(("count",), [(5,)])
FOUR = Rows(("count",), [(4,)])


@pytest.mark.parametrize(
    ("kind", "expected", "judged", "right"),
    [
        ("rows", [FIVE], turn("There are 5.", [[5]]), True),
        ("rows", [FIVE], turn("There are 5.", [["France"]], [[5]]), True),
        ("rows", [FIVE], turn("There are 5.", [[5]], [[6]]), False),
        ("rows", [FIVE], turn("There are 6.", [[5]]), False),
        ("rows", [FIVE], turn("There are 5."), False),
        ("rows", [FIVE, FOUR], turn("5 and 4", [[4]], [[5]]), True),
        ("rows", [FIVE, FOUR], turn("5 and 4", [[5]]), False),
        ("told", [Rows(("n",), [("shops",), ("staff",)])], turn("You can read shops and staff."), True),
        ("told", [Rows(("n",), [("shops",), ("staff",)])], turn("You can read shops."), False),
        ("refused", [], turn("I cannot answer that."), True),
        ("refused", [], turn('I do not understand "2031". Try "top 5 shops".', [[5]]), True),
        ("refused", [], turn("I can't tell for 2031.", [[2031]], question="and in 2031?"), True),
        ("refused", [], turn("There are 5.", [[5]]), False),
        ("refused", [], turn("I do not know all of it, but there are 5.", [[5]]), False),
        ("refused", [FIVE], turn("I cannot say that there are 5."), False),
        ("refused", [Rows(("n",), [("Ann",)])], turn("You may not read it; ask Ann."), False),
        ("denied", [FIVE], turn("You may not read it (42501).", refused="denied (SQLSTATE 42501)"), True),
        ("denied", [FIVE], turn("You may not read it."), False),
        ("quiet", [], turn("Hello!"), True),
        ("quiet", [], turn("Hello! There are 5 shops.", [[5]]), False),
    ],
)
def test_turns(kind: Kind, expected: list[Rows], judged: Turn, right: bool) -> None:
    assert (problems(kind, expected, judged) == []) is right


def test_sources_are_those_of_the_last_query() -> None:
    judged = turn("There are 5.", [[5]])
    assert problems("rows", [FIVE], judged, frozenset({"lakehouse.bakery.shops"})) == []
    assert problems("rows", [FIVE], judged, frozenset({"lakehouse.bakery.sales"})) != []
