"""The questions themselves, without a model: their SQL runs, returns something, and leaves no choice in its order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlglot import exp, parse_one

from tests.questions.question import FormatError, parse, read

if TYPE_CHECKING:
    from tests.questions.asking import Asker
    from tests.questions.question import Expected, Question

FILES = ("sample", "unseen", "further", "careful", "exact", "harbour", "warehouse")
EVERY = [question for name in FILES for question in read(name)]
MOST_ROWS = 50


def statements(question: Question) -> list[str]:
    """Return all SQL of a question whose rows are compared."""
    compared: list[Expected] = [each for each in question.expected if each.kind == "rows"]
    return [statement for each in compared for statement in each.statements]


@pytest.mark.parametrize("question", EVERY, ids=str)
def test_its_sql_returns_what_can_be_judged(question: Question, asker: Asker) -> None:
    for each in question.expected:
        for rows in asker.expected(question, each):
            assert 0 < len(rows.rows) <= MOST_ROWS
            assert any(value is not None for row in rows.rows for value in row)


@pytest.mark.parametrize("question", [q for q in EVERY if any("order by" in s for s in statements(q))], ids=str)
def test_its_order_is_the_only_one(question: Question, asker: Asker) -> None:
    for statement in statements(question):
        keys = sort_keys(statement)
        if keys is not None:
            rows = asker.connection(question.persona).execute(keys.encode()).fetchall()
            assert len(rows) == len(set(rows)), rows


@pytest.mark.parametrize("question", [q for q in EVERY if q.sources is not None], ids=str)
def test_its_sources_are_those_of_its_sql(question: Question, asker: Asker) -> None:
    last = question.expected[0].statements[-1]
    assert asker.catalog(question.persona).query(last).sources == question.sources


@pytest.mark.parametrize("name", FILES)
def test_no_question_is_asked_twice(name: str) -> None:
    assert [name for name, times in Counter(map(str, read(name))).items() if times > 1] == []


def test_a_file_is_read() -> None:
    text = """
-- About this file.

-- # two words

-- ann: how many?
-- then: and here?
-- from: a.b, a.c
select 1;
select 2;
-- or
-- refused
"""
    (question,) = parse(text)
    assert str(question) == "two_words-ann-how-many-and-here"
    assert question.turns == ("how many?", "and here?")
    assert question.sources == frozenset({"lakehouse.a.b", "lakehouse.a.c"})
    assert [(e.kind, e.statements) for e in question.expected] == [
        ("rows", ("select 1", "select 2")),
        ("refused", ()),
    ]


@pytest.mark.parametrize("text", ["select 1;", "-- ann: how many?", "-- ann: how many?\n-- nonsense\nselect 1;"])
def test_what_is_not_a_question_is_not_passed_over(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text)


def sort_keys(statement: str) -> str | None:
    """Return SQL for what an ordered statement orders by, with one row more than its limit; None if not ordered."""
    tree = parse_one(statement, dialect="postgres")
    order = tree.args.get("order")
    if order is None:
        return None
    assert isinstance(tree, exp.Select)
    keys = [_output(tree, ordered.this).copy() for ordered in order.expressions]
    limit = tree.args.get("limit")
    if limit is not None:
        most = limit.args["count"] if isinstance(limit, exp.Fetch) else limit.expression
        tree.set("limit", exp.Limit(expression=exp.Literal.number(int(most.name) + 1)))
    group = tree.args.get("group")
    if group is not None:
        group.set("expressions", [_output(tree, each).copy() for each in group.expressions])
    descending = [bool(ordered.args.get("desc")) for ordered in order.expressions]
    tree.set("expressions", keys)
    tree.set(
        "order",
        exp.Order(expressions=[exp.Ordered(this=k.copy(), desc=d) for k, d in zip(keys, descending, strict=True)]),
    )
    return tree.sql(dialect="postgres")


def _output(tree: exp.Select, key: exp.Expression) -> exp.Expression:
    """Return the expression that an ordinal or an alias stands for."""
    if isinstance(key, exp.Literal) and not key.is_string:
        return tree.expressions[int(key.name) - 1].unalias()  # type: ignore[no-any-return]  # sqlglot's own
    aliased = [each for each in tree.expressions if each.alias == key.name != ""]
    return aliased[0].unalias() if aliased and isinstance(key, exp.Column) else key
