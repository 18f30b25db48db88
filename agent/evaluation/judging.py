"""Judge one turn: does what the model queried and what it said agree with the SQL that a person would have written?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, Literal, Self

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agent.evaluation.values import from_json, numbers, same, shown
from agent.provenance import sources_of, withholding_of

Kind = Literal["rows", "told", "refused", "denied", "quiet"]
KINDS: tuple[Kind, ...] = ("rows", "told", "refused", "denied", "quiet")
"""What may be expected of an answer:

- `rows`: the last query returned these rows, and the answer shows them;
- `told`: the answer shows these values, however the model came to know them;
- `refused`: the answer says that it cannot;
- `denied`: the same, and it was the database that refused;
- `quiet`: the answer gives no figures; it need not say that it cannot.
"""

Row = Sequence[Any]

# Beyond as many rows an answer need not repeat them.
_SHOWN_ROWS = 50
_REFUSAL = re.compile(
    r"\b(?:can(?:no|')t|cannot|can not|could not|couldn't|unable|(?:do|did|does) not|(?:do|did|does|is|are)n't|"
    r"may not|may read no|not (?:allowed|find|found|know|understand|understood|sure|in the data)|no such|"
    r"nothing|unknown|denied|refused|there (?:is|are) no|no (?:tables?|data|columns?|values?))\b"
)


@dataclass(frozen=True, slots=True)
class Queried:
    """What one query of a turn returned."""

    columns: list[str]
    rows: list[list[Any]]
    sources: list[str]
    """The tables that it read, as `catalog.schema.table`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The last turn of a session: what was asked until then, what was found, and what was said."""

    questions: tuple[str, ...]
    said: str
    statements: tuple[str, ...] = ()
    """The SQL that the model asked to run, oldest first."""
    results: tuple[Queried, ...] = ()
    """What queries returned, oldest first."""
    refusals: tuple[str, ...] = ()
    """What tools refused."""

    @classmethod
    def of(cls, questions: Sequence[str], said: str, messages: Sequence[AnyMessage]) -> Self:
        """Take a turn out of its messages, from the question on."""
        calls = [call for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
        told = [m for m in messages if isinstance(m, ToolMessage) and withholding_of(m) is None]
        answered = [(m, json.loads(m.text)) for m in told if m.name == "query" and m.status != "error"]
        return cls(
            tuple(questions),
            said,
            tuple(str(call["args"].get("sql", "")) for call in calls if call["name"] == "query"),
            tuple(Queried(found["columns"], found["rows"], sources_of([m])) for m, found in answered),
            tuple(m.text for m in told if m.status == "error"),
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """What one of the expected statements returned."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    ordered: bool = False


def problems(kind: Kind, expected: Sequence[Rows], turn: Turn, sources: frozenset[str] | None = None) -> list[str]:
    """Return what is wrong with a turn; nothing when it is as expected."""
    if kind == "rows":
        return [*wrong_rows(expected, turn), *not_shown(expected, turn), *wrong_sources(sources, turn)]
    if kind == "told":
        return list(not_shown(expected, turn))
    found = [*figures_given(turn), *secrets_given(expected, turn)]
    if kind != "quiet" and not refuses(turn.said):
        found.append("the answer does not say that it cannot")
    if kind == "denied" and not any("42501" in refusal for refusal in turn.refusals):
        found.append("the database was not asked, or did not refuse")
    return found


def refuses(said: str) -> bool:
    """Tell whether an answer says that it cannot."""
    return _REFUSAL.search(said.lower().replace("’", "'")) is not None  # noqa: RUF001


def matches(expected: Rows, rows: Sequence[Row]) -> bool:
    """Tell whether rows are the expected ones; they may have more columns, in any order, and no row more or less."""
    if len(rows) != len(expected.rows):
        return False
    if not rows:
        return True
    width = range(len(rows[0]))
    candidates = [[c for c in width if _column_matches(expected, i, rows, c)] for i in range(len(expected.columns))]
    choices = (choice for choice in product(*candidates) if len(set(choice)) == len(choice))
    return any(_rows_match(expected, rows, choice) for choice in choices)


def _column_matches(expected: Rows, index: int, rows: Sequence[Row], at: int) -> bool:
    name = expected.columns[index]
    wanted = [row[index] for row in expected.rows]
    found = [row[at] for row in rows]
    if expected.ordered:
        return all(same(e, f, name) for e, f in zip(wanted, found, strict=True))
    return all(any(same(e, f, name) for f in found) for e in wanted)


def _rows_match(expected: Rows, rows: Sequence[Row], choice: tuple[int, ...]) -> bool:
    left = list(rows)
    for wanted in expected.rows:
        among = left[:1] if expected.ordered else left
        found = next((row for row in among if _row_matches(expected.columns, wanted, row, choice)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _row_matches(columns: Sequence[str], wanted: Row, row: Row, choice: tuple[int, ...]) -> bool:
    return all(same(value, row[at], name) for value, at, name in zip(wanted, choice, columns, strict=True))


def wrong_rows(expected: Sequence[Rows], turn: Turn) -> Iterator[str]:
    """Yield what is wrong with the rows that were queried."""
    if not turn.results:
        yield "no query was answered"
        return
    among = turn.results if len(expected) > 1 else turn.results[-1:]
    for each in expected:
        if not any(matches(each, result.rows) for result in among):
            order = ", in this order" if each.ordered else ""
            found = " and ".join(f"{r.columns} {r.rows[:12]} ({len(r.rows)} rows)" for r in among)
            yield f"expected {each.columns} {each.rows[:12]} ({len(each.rows)} rows{order}); the query returned {found}"


def not_shown(expected: Sequence[Rows], turn: Turn) -> Iterator[str]:
    """Yield which expected values the answer does not show."""
    values = [
        (value, name)
        for each in expected
        if len(each.rows) <= _SHOWN_ROWS
        for row in each.rows
        for value, name in zip(row, each.columns, strict=True)
    ]
    missing = [str(value) for value, name in values if not shown(value, turn.said, name)]
    if missing:
        yield f"the answer does not say {', '.join(missing[:12])}"


def wrong_sources(sources: frozenset[str] | None, turn: Turn) -> Iterator[str]:
    """Yield what is wrong with the tables that the last query read."""
    if sources is None or not turn.results:
        return
    found = set(turn.results[-1].sources)
    if found != sources:
        yield f"expected to be read from {sorted(sources)}; the query read {sorted(found)}"


def figures_given(turn: Turn) -> Iterator[str]:
    """Yield the figures of a turn's queries that its answer gives, and should not."""
    rows = [row for result in turn.results for row in result.rows]
    given = {number for row in rows for value in row for number in _figures(value)} & _said(turn)
    if given:
        yield f"the answer gives figures: {sorted(given)[:12]}"


def secrets_given(secrets: Sequence[Rows], turn: Turn) -> Iterator[str]:
    """Yield the secret values that an answer gives away, quoted or not."""
    # A figure of the question gives nothing away.
    said = " ".join(map(str, set(numbers(turn.said)) - _asked(turn)))
    for value in {value for each in secrets for row in each.rows for value in row}:
        if shown(value, said if isinstance(value, int | float | Decimal) else turn.said):
            yield f"the answer gives away {value}"


def secrets_returned(secrets: Sequence[Rows], turn: Turn) -> Iterator[str]:
    """Yield the secret values that a query returned, whatever the answer says."""
    hidden = {_comparable(value) for each in secrets for row in each.rows for value in row} - _asked(turn) - {None}
    returned = {_comparable(from_json(value)) for result in turn.results for row in result.rows for value in row}
    for value in sorted(map(str, returned & hidden)):
        yield f"a query returned {value}"


def _comparable(value: Any) -> float | str | None:
    """Return what is equal for equal values; None for those that nothing can be told by."""
    if value is None or isinstance(value, bool):
        return None
    return round(float(value), 6) if isinstance(value, int | float | Decimal) else str(value)


def _said(turn: Turn) -> set[float]:
    """Return the numbers of an answer, without those of the questions, nor of what it quotes, such as examples."""
    text = re.sub(r'"[^"]*"|“[^”]*”|`[^`]*`', " ", turn.said)
    return set(numbers(text)) - _asked(turn)


def _asked(turn: Turn) -> set[float]:
    return {number for question in turn.questions for number in numbers(question)}


def _figures(value: Any) -> tuple[float, ...]:
    if isinstance(value, bool) or value is None:
        return ()
    return numbers(str(value))
