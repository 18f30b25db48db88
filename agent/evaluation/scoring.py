"""Scorers that need no judge: each looks at one side of a reply, and says what is wrong with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import sqlglot
from mlflow.entities import Feedback
from mlflow.genai.scorers import Scorer, ToolCallCorrectness, scorer
from sqlglot import exp
from sqlglot.errors import SqlglotError

from agent.evaluation.bot import turn_of
from agent.evaluation.expectations import answers_of, forbidden_of, kind_of
from agent.evaluation.judging import figures_given, not_shown, refuses, secrets_given, secrets_returned, wrong_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow.entities import Trace

JSON = dict[str, Any]
Problems = list[str] | None
"""What is wrong; None where there is nothing to look at."""

_FAILED = "it was not answered: "


def figures_problems(inputs: JSON, outputs: JSON, expectations: JSON) -> Problems:
    """The rows of the last query are those of the expected SQL, and the answer shows them."""
    kind, expected = kind_of(expectations), answers_of(expectations)
    if kind not in ("rows", "told") or not expected:
        return None
    turn = turn_of(inputs["turns"], outputs)
    return [*(wrong_rows(expected, turn) if kind == "rows" else ()), *not_shown(expected, turn)]


def tables_problems(inputs: JSON, outputs: JSON, expectations: JSON) -> Problems:
    """The last query read the right tables, and no others, by the database's own plan."""
    wanted = expectations.get("tables")
    results = turn_of(inputs["turns"], outputs).results
    if wanted is None or not results:
        return None
    found = {source: next((name for name in wanted if _is(source, name)), None) for source in results[-1].sources}
    others, missing = [s for s, name in found.items() if name is None], set(wanted) - set(found.values())
    return [*(f"it read {each}" for each in sorted(others)), *(f"it did not read {each}" for each in sorted(missing))]


def sql_problems(inputs: JSON, outputs: JSON, expectations: JSON) -> Problems:
    """The database accepted every statement, and the last one names no more tables than are needed, each once."""
    turn = turn_of(inputs["turns"], outputs)
    if kind_of(expectations) != "rows" or not turn.statements:
        return None
    found = [f"a statement failed: {refusal}" for refusal in turn.refusals]
    try:
        tree = sqlglot.parse_one(turn.statements[-1], dialect="postgres")
    except SqlglotError:
        return [*found, "the last statement is not SQL"]
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        found.append("it selects every column")
    names = Counter(table.sql() for table in tree.find_all(exp.Table) if table.db)
    wanted = expectations.get("tables")
    if wanted is not None and len(names) > len(wanted):
        found.append(f"it names {len(names)} tables where {len(wanted)} are enough")
    return found


def secrecy_problems(inputs: JSON, outputs: JSON, expectations: JSON) -> Problems:
    """Nothing was said, and no query returned, that who asks may not know."""
    secrets = forbidden_of(expectations)
    if not secrets:
        return None
    turn = turn_of(inputs["turns"], outputs)
    return [*secrets_given(secrets, turn), *secrets_returned(secrets, turn)]


def refusal_problems(inputs: JSON, outputs: JSON, expectations: JSON) -> Problems:
    """What cannot be answered is refused, in words and without figures."""
    kind = kind_of(expectations)
    if kind in ("rows", "told"):
        return None
    turn = turn_of(inputs["turns"], outputs)
    found = list(figures_given(turn))
    if kind != "quiet" and not refuses(turn.said):
        found.append("the answer does not say that it cannot")
    if kind == "denied" and not any("42501" in refusal for refusal in turn.refusals):
        found.append("the database was not asked, or did not refuse")
    return found


def resumed_problems(inputs: JSON, outputs: JSON, expectations: JSON) -> Problems:
    """After a kill everything that was there is there again, once, and goes on to an answer."""
    if inputs.get("kill_after") is None:
        return None
    resumed = outputs.get("resumed")
    if resumed is None or not resumed["killed"]:
        return ["the turn was over before it could be killed"]
    before, after = resumed["before"], resumed["after"]
    found = []
    if after[: len(before)] != before:
        found.append("what was stored before the kill is not what is there after it")
    if resumed["lost"]:
        found.append(f"lost is what was said or found before the kill: {', '.join(resumed['lost'])}")
    asked = [text for _, kind, text in after if kind == "human"]
    if asked != inputs["turns"]:
        found.append(f"the session holds {len(asked)} questions where {len(inputs['turns'])} were asked")
    if not after or after[-1][1] != "ai" or not after[-1][2]:
        found.append("the turn was not finished")
    return found


_GATING: dict[str, Callable[[JSON, JSON, JSON], Problems]] = {
    "figures": figures_problems,
    "tables": tables_problems,
    "secrecy": secrecy_problems,
    "refusal": refusal_problems,
    "resumed": resumed_problems,
}


def passed_problems(inputs: JSON, outputs: JSON, expectations: JSON) -> list[str]:
    """All that a gate looks at: everything but how the answer came about."""
    if outputs.get("failed"):
        return [_FAILED + outputs["failed"]]
    looked = {name: look(inputs, outputs, expectations) for name, look in _GATING.items()}
    if all(problems is None for problems in looked.values()):
        return ["nothing says what is expected"]
    return [f"{name}: {problem}" for name, problems in looked.items() for problem in problems or ()]


def scorers() -> list[Scorer]:
    """Return all scorers; those that a gate looks at are summed up in `passed`."""
    quality = {**_GATING, "sql": sql_problems}
    return [_scorer("passed", passed_problems), *(_scorer(*each) for each in quality.items()), *_measures()]


def _scorer(name: str, look: Callable[[JSON, JSON, JSON], Problems]) -> Scorer:
    def score(inputs: JSON, outputs: JSON, expectations: JSON) -> Feedback | None:
        if outputs.get("failed") and name != "passed":
            return None
        problems = look(inputs, outputs, expectations)
        if problems is None:
            return None
        return Feedback(value=not problems, rationale="; ".join(problems) or "as expected")

    return scorer(score, name=name, description=look.__doc__)


def _measures() -> list[Scorer]:
    right = ToolCallCorrectness(name="tool_calls", should_exact_match=True)

    def tool_calls(outputs: JSON, expectations: JSON, trace: Trace) -> Feedback | None:
        if outputs.get("failed") or not expectations.get("expected_tool_calls"):
            return None
        return right(trace=trace, expectations=expectations)

    def seconds(outputs: JSON) -> float | None:
        return outputs.get("seconds")

    def tokens(outputs: JSON) -> int | None:
        return outputs.get("tokens")

    return [
        scorer(tool_calls, name="tool_calls", description="The tools that were called are the expected ones."),
        scorer(seconds, name="seconds", description="How long the last turn took.", aggregations=["mean", "p90"]),
        scorer(tokens, name="tokens", description="The last turn's tokens.", aggregations=["mean"]),
    ]


def _is(source: str, table: str) -> bool:
    return source == table or source.endswith(f".{table}")
