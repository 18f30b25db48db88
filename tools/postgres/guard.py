"""What a query may contain, decided before it reaches the database.

Exactly one query that reads, in a language that is understood whole: no write anywhere in it, no locks, no system
tables, and no function but those known to compute from their arguments alone. It is the second line of defence: the
database knows the caller, and runs the query in a read-only transaction. It is the first for provenance: a function
that runs SQL of its own would read tables that no plan shows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.resources import files

from sqlglot import exp, parse
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from tools.errors import QueryRefusedError

MAX_LENGTH = 20_000
MAX_NAME = 500
# sqlglot and Postgres both recurse; deeper than any query that a person or a model would write.
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
_CLOSED_SCHEMAS = ("pg_catalog", "information_schema", "pg_toast")


def _words(name: str) -> frozenset[str]:
    return frozenset((files("tools.postgres") / f"{name}.txt").read_text("utf-8").split())


# Words that may stand before a bracket without being a function.
_KEYWORDS = _words("keywords")
# Functions of Postgres that compute from their arguments (and from the clock) alone.
_FUNCTIONS = _words("functions")
_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})


@dataclass(frozen=True, slots=True)
class Names:
    """Names in a query that only the database can resolve."""

    tables: frozenset[tuple[str | None, str]]
    """Schema (None for the search path) and name, folded as Postgres folds them."""
    functions: frozenset[str]
    """Known functions called; the database must have no other function of the name."""
    aliases: frozenset[str]
    """Aliases with a column list, which look like calls; the database must have no function of the name."""
    attributes: frozenset[str]
    """Names after a dot: `t.f` calls a function f(t) if there is no such column."""


def check(sql: str, excluded_schemas: tuple[str, ...] = ()) -> Names:
    """Return the names in a query that may be run.

    Raises:
        QueryRefusedError: It may not; the message says why.
    """
    if len(sql) > MAX_LENGTH:
        raise QueryRefusedError(f"The query was not run: it is longer than {MAX_LENGTH:,} characters.")
    if not _is_text(sql):
        raise QueryRefusedError("The query was not run: it holds characters that no text in a database can hold.")
    tree = _parse(sql)
    _refuse_writes(tree)
    tables = _tables(tree, excluded_schemas)
    aliases = {_folded(alias.this) for alias in tree.find_all(exp.TableAlias) if alias.this and alias.columns}
    calls, attributes = _calls(sql)
    calls |= {node.name.lower() for node in tree.find_all(exp.Anonymous)}
    unknown = sorted(calls - _FUNCTIONS - _KEYWORDS - aliases)
    if unknown:
        raise QueryRefusedError(
            f"The query was not run: the function {unknown[0]} is not among those known to read nothing by themselves."
        )
    known = calls & (_FUNCTIONS | _KEYWORDS)
    return Names(tables, frozenset(known), frozenset(aliases - known), frozenset(attributes))


def table_name(text: str) -> list[str]:
    """Split a table's name as SQL spells it into its parts, folded as Postgres folds them; [] where it is none."""
    if len(text) > MAX_NAME or not _is_text(text):
        return []
    try:
        table = exp.to_table(text, dialect=Postgres)
    except (SqlglotError, RecursionError):
        return []
    return [_folded(part) for part in table.parts if isinstance(part, exp.Identifier)]


def is_closed(schema: str | None, name: str, excluded_schemas: tuple[str, ...]) -> bool:
    """Tell whether a table is the system's, or in a schema that is not for queries."""
    if schema is None:
        return name.startswith("pg_")
    return schema in _CLOSED_SCHEMAS or schema.startswith("pg_") or schema in excluded_schemas


def _parse(sql: str) -> exp.Query:
    # sqlglot logs the SQL that it does not understand, and SQL quotes values.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    if _brackets(sql) > MAX_DEPTH:
        raise QueryRefusedError("The query was not run: it is nested too deeply.")
    try:
        statements = [found for found in parse(sql, read=Postgres) if found and not isinstance(found, exp.Semicolon)]
    except RecursionError:
        raise QueryRefusedError("The query was not run: it is nested too deeply.") from None
    except SqlglotError as error:
        raise QueryRefusedError(f"The query was not run: {_where(error)}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryRefusedError("The query was not run: it must be exactly one SELECT.")
    return statements[0]


def _where(error: SqlglotError) -> str:
    details = getattr(error, "errors", None) or [{}]
    line, column = details[0].get("line"), details[0].get("col")
    return f"its SQL cannot be read at line {line}, column {column}." if line else "its SQL cannot be read."


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


def _tables(tree: exp.Query, excluded: tuple[str, ...]) -> frozenset[tuple[str | None, str]]:
    found = set()
    queries = {_folded(query.args["alias"].this) for query in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue
        name = _folded(table.this)
        schema = _folded(table.args["db"]) if table.args.get("db") else None
        if is_closed(schema, name, excluded):
            raise QueryRefusedError(f"The query was not run: {schema or name} is not for queries; use list_tables.")
        if schema is not None or name not in queries:
            found.add((schema, name))
    return frozenset(found)


def _calls(sql: str) -> tuple[set[str], set[str]]:
    """Return the names that stand before a bracket, and those that stand after a dot.

    Tokens are asked and not the tree, which renders different names of a function as one.
    """
    tokens = Postgres().tokenize(sql)
    calls, attributes = set(), set()
    for i, token in enumerate(tokens):
        before = tokens[i - 1].token_type if i else None
        after = tokens[i + 1].token_type if i + 1 < len(tokens) else None
        name = token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()
        if after is TokenType.L_PAREN and (token.token_type in _NAMES or name.replace("_", "").isalpha()):
            calls.add(name)
            if before is TokenType.DOT:
                raise QueryRefusedError("The query was not run: functions may not be called by a schema's name.")
        if before is TokenType.DOT and token.token_type is not TokenType.STAR:
            attributes.add(name)
    return calls, attributes


def _is_text(text: str) -> bool:
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def _brackets(sql: str) -> int:
    depth = deepest = 0
    for character in sql:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    return deepest


def _folded(identifier: exp.Expression) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.lower()
