"""One query that reads, parsed: what the guard of every SQL dialect starts with.

A query is understood whole or refused: exactly one, no write anywhere in it, no locks, no parameters, and every name
that stands before a bracket is told, so that the dialect's guard can ask each to be a function that it knows.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from tools.errors import QueryRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.dialects import Dialect
    from sqlglot.tokenizer_core import Token

MAX_LENGTH = 20_000
# sqlglot and databases both recurse; deeper than any query that a person or a model would write.
MAX_DEPTH = 100

_WRITES = (
    exp.DML,
    exp.DDL,
    exp.Command,
    exp.Copy,
    exp.Into,
    exp.Set,
    exp.Use,
    exp.Merge,
    exp.TruncateTable,
    exp.Transaction,
    exp.Commit,
    exp.Rollback,
    exp.Alter,
    exp.Drop,
    exp.Grant,
)
_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})


def parse(sql: str, dialect: Dialect) -> tuple[exp.Query, list[Token]]:
    """Return the tree and the tokens of a text that is one query that reads.

    Raises:
        QueryRefusedError: It is not; the message says why.
    """
    if len(sql) > MAX_LENGTH:
        raise QueryRefusedError(f"The query was not run: it is longer than {MAX_LENGTH:,} characters.")
    if not is_text(sql):
        raise QueryRefusedError("The query was not run: it holds characters that no text in a database can hold.")
    if _brackets(sql) > MAX_DEPTH:
        raise QueryRefusedError("The query was not run: it is nested too deeply.")
    # sqlglot logs the SQL that it does not understand, and SQL quotes values.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    try:
        statements = [found for found in dialect.parse(sql) if found and not isinstance(found, exp.Semicolon)]
        tokens = dialect.tokenize(sql)
    except RecursionError:
        raise QueryRefusedError("The query was not run: it is nested too deeply.") from None
    except SqlglotError as error:
        raise QueryRefusedError(f"The query was not run: {_where(error)}") from None
    except Exception:  # noqa: BLE001 - the parser has faults of its own, and what it cannot read is not run
        raise QueryRefusedError("The query was not run: its SQL cannot be read.") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryRefusedError("The query was not run: it must be exactly one SELECT.")
    _refuse_writes(statements[0])
    return statements[0], tokens


def calls(tokens: Sequence[Token]) -> list[Token]:
    """Return the names and words that stand before a bracket.

    Tokens are asked and not the tree, which renders different names of a function as one.

    Raises:
        QueryRefusedError: A function is called by a schema's name.
    """
    called = []
    for before, token, after in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if after.token_type is TokenType.L_PAREN and (
            token.token_type in _NAMES or token.text.replace("_", "").isalpha()
        ):
            called.append(token)
            if before is not None and before.token_type is TokenType.DOT:
                raise QueryRefusedError("The query was not run: functions may not be called by a schema's name.")
    return called


def name_parts(text: str, dialect: type[Dialect]) -> list[exp.Identifier]:
    """Split a table's name as SQL spells it into its parts; [] where it is none."""
    if not is_text(text):
        return []
    try:
        parts = exp.to_table(text, dialect=dialect).parts
    except Exception:  # noqa: BLE001 - whatever the parser fails with, it is no name
        return []
    names = [part for part in parts if isinstance(part, exp.Identifier)]
    return names if len(names) == len(parts) else []


def refuse_unknown(called: set[str], known: frozenset[str]) -> None:
    """Refuse a query that calls what is not known.

    Raises:
        QueryRefusedError: It does; the message names the first such function.
    """
    unknown = sorted(called - known)
    if unknown:
        raise QueryRefusedError(
            f"The query was not run: the function {unknown[0]} is not among those known to read nothing by themselves."
        )


def is_text(text: str) -> bool:
    """Tell whether a database can hold a text."""
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def _refuse_writes(tree: exp.Query) -> None:
    for node in tree.walk():
        if isinstance(node, _WRITES):
            raise QueryRefusedError("The query was not run: it may read only.")
        if isinstance(node, exp.Lock):
            raise QueryRefusedError("The query was not run: it may not lock rows (FOR UPDATE, FOR SHARE).")
        if isinstance(node, exp.Parameter | exp.Placeholder):
            raise QueryRefusedError("The query was not run: write values into it instead of parameters.")
        if isinstance(node, exp.Operator):
            raise QueryRefusedError("The query was not run: OPERATOR(...) is not allowed.")


def _where(error: SqlglotError) -> str:
    details = getattr(error, "errors", None) or [{}]
    line, column = details[0].get("line"), details[0].get("col")
    return f"its SQL cannot be read at line {line}, column {column}." if line else "its SQL cannot be read."


def _brackets(sql: str) -> int:
    depth = deepest = 0
    for character in sql:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    return deepest
