"""What a query of Databricks SQL may contain, decided before it reaches the warehouse.

As strict as the guard of Postgres, and stricter where it must be: no plan of the warehouse's tells what a query reads,
so the names in its text have to. Whatever could make the warehouse read the text in another way than this does is
refused (comments, whose ends Spark finds elsewhere; `${...}`, which it replaces before it parses; raw strings), and so
is every table whose name is not fully said.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.tokenizer_core import TokenType

from tools.errors import QueryRefusedError
from tools.statements import calls, name_parts, parse, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.tokenizer_core import Token


MAX_NAME = 800

# Metadata and what the platform keeps about itself.
_CLOSED_CATALOGS = ("system", "__databricks_internal")
_CLOSED_SCHEMAS = ("information_schema",)
# Before a path in backquotes these name a format of files, which no grant on a table guards.
_FORMATS = ("avro", "binaryfile", "csv", "delta", "iceberg", "json", "orc", "parquet", "text", "xml")
_CLOSED_TOKENS = {
    TokenType.HINT: "hints",
    TokenType.PIPE_GT: "the pipe |>",
    TokenType.RAW_STRING: "raw strings",
    TokenType.TABLE: "the word TABLE",
}


def _words(name: str) -> frozenset[str]:
    return frozenset((files("tools.unity") / f"{name}.txt").read_text("utf-8").split())


# Words that may stand before a bracket without being a function, and Databricks' own functions that compute from their
# arguments (and from the clock) alone; a function of somebody's catalog cannot take the place of one of these.
_KNOWN = _words("keywords") | _words("functions")

Name = tuple[str, str, str]


def check(sql: str, excluded_schemas: tuple[str, ...] = ()) -> frozenset[Name]:
    """Return the names of the tables in a query that may be run, each as catalog, schema and table.

    Unity Catalog keeps names in lower case, and finds them in any.

    Raises:
        QueryRefusedError: It may not; the message says why.
    """
    if "${" in sql:
        raise QueryRefusedError("The query was not run: ${...} is not allowed.")
    tree, tokens = parse(sql, Databricks())
    _refuse_tokens(tokens)
    if tree.find(exp.QueryTransform) or tree.find(exp.Stream):
        raise QueryRefusedError("The query was not run: scripts and streams are not allowed.")
    # An alias with a column list looks like a call; where it stands tells it from one.
    aliases = [alias.this.meta.get("start") for alias in tree.find_all(exp.TableAlias) if alias.this and alias.columns]
    called = {token.text.lower() for token in calls(tokens) if token.start not in aliases}
    refuse_unknown(called | {node.name.lower() for node in tree.find_all(exp.Anonymous)}, _KNOWN)
    return frozenset(_tables(tree, excluded_schemas))


def table_name(text: str) -> tuple[str, ...]:
    """Split a table's name as SQL spells it into its parts in lower case; () where it is none."""
    return _folded(name_parts(text, Databricks)) if len(text) <= MAX_NAME else ()


def is_closed(name: Name, excluded_schemas: tuple[str, ...]) -> bool:
    """Tell whether a table is the platform's, or in a schema that is not for queries."""
    catalog, schema, _ = name
    return catalog in _CLOSED_CATALOGS or schema in _CLOSED_SCHEMAS or schema in excluded_schemas


def quoted(name: Sequence[str]) -> str:
    """Spell a name as SQL needs it."""
    return ".".join(part if _is_plain(part) else f"`{part.replace('`', '``')}`" for part in name)


def _is_plain(part: str) -> bool:
    return part.isascii() and part.isidentifier() and part.upper() not in Databricks.Tokenizer.KEYWORDS


def _refuse_tokens(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.comments:
            raise QueryRefusedError("The query was not run: it may hold no comments.")
        if token.token_type in _CLOSED_TOKENS:
            raise QueryRefusedError(f"The query was not run: {_CLOSED_TOKENS[token.token_type]} may not be used.")


def _tables(tree: exp.Query, excluded: tuple[str, ...]) -> list[Name]:
    found: list[Name] = []
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            continue  # a function in the place of a table; its name was asked for above
        name = _folded(table.parts)
        if len(name) == 1 and _is_named_query(table, name[0]):
            continue
        if not all(isinstance(part, exp.Identifier) for part in table.parts) or len(name) != 3:
            if len(name) == 2 and name[0] in _FORMATS:
                raise QueryRefusedError("The query was not run: files may not be read by their paths.")
            raise QueryRefusedError(
                f"The query was not run: write the table {quoted(name)} as catalog.schema.table, as list_tables does."
            )
        if is_closed(name, excluded):
            raise QueryRefusedError(f"The query was not run: {quoted(name)} is not for queries; use list_tables.")
        found.append(name)
    return found


def _is_named_query(table: exp.Table, name: str) -> bool:
    """Tell whether a name means a query of a WITH clause there, and not a table that is called the same."""
    node: exp.Expr = table
    while (parent := node.parent) is not None:
        if isinstance(parent, exp.With):
            # Inside one of its queries: those before it are seen, and itself where it is recursive.
            queries = parent.expressions
            seen = queries[: queries.index(node) + bool(parent.args.get("recursive"))]
            if name in _names(seen):
                return True
            node, parent = parent, parent.parent
        elif isinstance(clause := parent.args.get("with_"), exp.With) and name in _names(clause.expressions):
            return True
        if parent is None:
            return False
        node = parent
    return False


def _names(queries: Sequence[exp.Expr]) -> set[str]:
    return {query.alias.lower() for query in queries}


def _folded(parts: Sequence[exp.Expr]) -> tuple[str, ...]:
    return tuple(part.name.lower() for part in parts)
