"""What a query may contain, decided before it reaches the database.

Exactly one query that reads, in a language that is understood whole: no write anywhere in it, no locks, no system
tables, and no function but those known to compute from their arguments alone. It is the second line of defence: the
database knows the caller, and runs the query in a read-only transaction. It is the first for provenance: a function
that runs SQL of its own would read tables that no plan shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from itertools import combinations, pairwise
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.tokenizer_core import TokenType

from tools.errors import QueryRefusedError
from tools.statements import calls, name_parts, parse, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.tokenizer_core import Token

MAX_NAME = 500

# Postgres cuts off what is longer, in bytes.
_LONGEST = 63
# It folds nothing else.
_FOLDED = str.maketrans(ascii_uppercase, ascii_lowercase)
_OPERATOR = frozenset("+-*/<>=~!@#%^&|`?")
_MOST_OPERATORS = 16
# Those that words stand for: IN, BETWEEN, DISTINCT, CASE, USING and others always may.
_COMPARISONS = frozenset(("=", "<>", "<", ">", "<=", ">="))
_OF_WORDS = {"like": ("~~", "!~~"), "ilike": ("~~*", "!~~*"), "similar": ("~", "!~")}
# Types whose values are looked up in the system's tables, whoever may read what they name.
_LOOKUPS = frozenset(
    f"reg{kind}"
    for kind in (
        "class",
        "collation",
        "config",
        "database",
        "dictionary",
        "namespace",
        "oper",
        "operator",
        "proc",
        "procedure",
        "role",
        "type",
    )
)

_CLOSED_SCHEMAS = ("pg_catalog", "information_schema", "pg_toast")


def _words(name: str) -> frozenset[str]:
    return frozenset((files("tools.postgres") / f"{name}.txt").read_text("utf-8").split())


# Words that may stand before a bracket without being a function.
_KEYWORDS = _words("keywords")
# Functions of Postgres that compute from their arguments (and from the clock) alone.
_FUNCTIONS = _words("functions")


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
    operators: frozenset[str]
    """Operators, each of which may stand for a function."""
    words: frozenset[str]
    """Everything that could name a type."""
    text: str
    """The query without a semicolon behind it."""


def check(sql: str, excluded_schemas: tuple[str, ...] = ()) -> Names:
    """Return the names in a query that may be run.

    Raises:
        QueryRefusedError: It may not; the message says why.
    """
    tree, tokens = parse(sql, Postgres())
    tables = _tables(tree, excluded_schemas)
    aliases = {_folded(alias.this) for alias in tree.find_all(exp.TableAlias) if alias.this and alias.columns}
    called = {_name(token) for token in calls(tokens)} | {_fold(node.name) for node in tree.find_all(exp.Anonymous)}
    refuse_unknown(called, _FUNCTIONS | _KEYWORDS | aliases)
    known = called & (_FUNCTIONS | _KEYWORDS)
    words = frozenset(_name(token) for token in tokens if token.token_type is not TokenType.STRING)
    if lookups := sorted(words & _LOOKUPS):
        raise QueryRefusedError(f"The query was not run: {lookups[0]} is not allowed; use list_tables.")
    end = next((token.start for token in tokens if token.token_type is TokenType.SEMICOLON), len(sql))
    return Names(
        tables,
        frozenset(known),
        frozenset(aliases - known),
        _after_dots(tokens),
        _operators(tokens, words),
        words,
        sql[:end],
    )


def table_name(text: str) -> list[str]:
    """Split a table's name as SQL spells it into its parts, folded as Postgres folds them; [] where it is none."""
    return [_folded(part) for part in name_parts(text, Postgres)] if len(text) <= MAX_NAME else []


def is_closed(schema: str | None, name: str, excluded_schemas: tuple[str, ...]) -> bool:
    """Tell whether a table is the system's, or in a schema that is not for queries."""
    if schema is None:
        return name.startswith("pg_")
    return schema in _CLOSED_SCHEMAS or schema.startswith("pg_") or schema in excluded_schemas


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


def _after_dots(tokens: Sequence[Token]) -> frozenset[str]:
    return frozenset(
        _name(token)
        for dot, token in pairwise(tokens)
        if dot.token_type is TokenType.DOT and token.token_type is not TokenType.STAR
    )


def _operators(tokens: Sequence[Token], words: frozenset[str]) -> frozenset[str]:
    """Return the operators; where signs stand together, all that they could be read as."""
    runs: list[str] = []
    end = -2
    for token in tokens:
        if not set(token.text) <= _OPERATOR or token.token_type is TokenType.STRING:
            continue
        if token.start == end + 1:
            runs[-1] += token.text
        else:
            runs.append(token.text)
        end = token.end
    if any(len(run) > _MOST_OPERATORS for run in runs):
        raise QueryRefusedError("The query was not run: no operator is as long as the one in it.")
    read = {run[start:stop] for run in runs for start, stop in combinations(range(len(run) + 1), 2)}
    read.update(*(_OF_WORDS[word] for word in words & _OF_WORDS.keys()))
    return frozenset(read | _COMPARISONS)


def _name(token: Token) -> str:
    return _cut(token.text) if token.token_type is TokenType.IDENTIFIER else _fold(token.text)


def _folded(identifier: exp.Expression) -> str:
    return _cut(identifier.name) if identifier.args.get("quoted") else _fold(identifier.name)


def _fold(name: str) -> str:
    return _cut(name.translate(_FOLDED))


def _cut(name: str) -> str:
    return name.encode()[:_LONGEST].decode(errors="ignore")
