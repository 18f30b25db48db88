"""What the stand-in's warehouse takes for Databricks SQL, and how it says the same to Postgres.

sqlglot reads what Databricks refuses, in part because it reads other kinds of SQL too; that is refused here first. Each
was tried on Spark 4.3, whose parser and analyser Databricks' own are made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.tokenizer_core import TokenType

# Types of other kinds of SQL, which sqlglot knows everywhere.
_NO_TYPES = {"text", "money", "citext", "bytea", "jsonb", "uuid", "regclass", "varchar", "timestamptz"}


class NotDatabricksError(Exception):
    """A warehouse refuses the statement."""


def for_postgres(text: str, parameters: list[dict[str, str]]) -> tuple[str, frozenset[str]]:
    """Return a statement of Databricks SQL as Postgres runs it, and which columns of its result are not shown.

    Raises:
        NotDatabricksError, sqlglot.errors.SqlglotError: Databricks refuses it.
    """
    _refuse_tokens(text)
    tree = sqlglot.parse_one(text, dialect="databricks")
    _refuse(tree)
    hidden: set[str] = set()
    for star in tree.find_all(exp.Star):
        hidden.update(column.name for column in star.args.get("except_") or ())
        star.set("except_", None)
    for part in tree.find_all(exp.Extract):
        if part.this.name.upper() == "YEAROFWEEK":
            part.set("this", exp.var("isoyear"))
    bound = tree.transform(_bound(parameters))
    return bound.sql("postgres", unsupported_level=sqlglot.ErrorLevel.RAISE), frozenset(hidden)


def _refuse_tokens(text: str) -> None:
    tokens = Databricks().tokenize(text)
    for before, token, after in zip(tokens, tokens[1:], [*tokens[2:], None], strict=False):
        if token.token_type == TokenType.FETCH:
            _near(token.text)
        if token.token_type == TokenType.STRING and before.token_type == TokenType.ALIAS:
            _near(token.text)  # in double quotes as in single ones
        bracket = after is not None and after.token_type == TokenType.R_PAREN
        cast = before.token_type == TokenType.DCOLON or (before.token_type == TokenType.ALIAS and bracket)
        if cast and token.text.lower() in _NO_TYPES:
            raise NotDatabricksError(f'[UNSUPPORTED_DATATYPE] Unsupported data type "{token.text.upper()}".')


def _near(text: str) -> NoReturn:
    raise NotDatabricksError(f"[PARSE_SYNTAX_ERROR] Syntax error at or near '{text}'.")


def _refuse(tree: exp.Expr) -> None:
    for select in tree.find_all(exp.Select):
        if not select.expressions:
            _near("FROM")
    for values in tree.find_all(exp.Values):
        if values.find(exp.Column):
            raise NotDatabricksError("[INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE] A column.")
    for said in tree.find_all(exp.ToChar):
        form = said.args.get("format")
        if isinstance(form, exp.Literal) and re.search(r"[YIWQ]", form.name):
            raise NotDatabricksError(
                "[INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION] "
                f"Fail to recognize '{form.name}' pattern in the DateTimeFormatter."
            )
    for qualify in tree.find_all(exp.Qualify):
        if any(not isinstance(each.parent, exp.Window) for each in qualify.find_all(exp.AggFunc)):
            raise NotDatabricksError("[QUALIFY_AGGREGATE_NOT_ALLOWED] Aggregate functions are not supported there.")


def _bound(parameters: list[dict[str, str]]) -> Callable[[exp.Expr], exp.Expr]:
    """Put the parameters of a statement where they are named; one without a value is null."""
    given = {each["name"]: each for each in parameters}

    def bind(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder):
            return node
        each = given[node.name]
        value = exp.Literal.string(each["value"]) if "value" in each else exp.null()
        return exp.cast(value, exp.DataType.build(each["type"], dialect="databricks"))

    return bind
