"""What a query may contain, decided before it reaches the database.

Exactly one query that reads, in a language that is understood whole: no write anywhere in it, no locks, no system
tables, and no function but those known to compute from their arguments alone. It is the second line of defence: the
database knows the caller, and runs the query in a read-only transaction. It is the first for provenance: a function
that runs SQL of its own would read tables that no plan shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
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


def check(sql: str, excluded_schemas: tuple[str, ...] = ()) -> Names:
    """Return the names in a query that may be run.

    Raises:
        QueryRefusedError: It may not; the message says why.
    """
    tree, tokens = parse(sql, Postgres())
    tables = _tables(tree, excluded_schemas)
    aliases = {_folded(alias.this) for alias in tree.find_all(exp.TableAlias) if alias.this and alias.columns}
    called = {_name(token) for token in calls(tokens)} | {node.name.lower() for node in tree.find_all(exp.Anonymous)}
    refuse_unknown(called, _FUNCTIONS | _KEYWORDS | aliases)
    known = called & (_FUNCTIONS | _KEYWORDS)
    return Names(tables, frozenset(known), frozenset(aliases - known), _after_dots(tokens))


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


def _name(token: Token) -> str:
    return token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()


def _folded(identifier: exp.Expression) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.lower()
