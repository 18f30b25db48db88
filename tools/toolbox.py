"""The LangChain tools over a catalog.

The catalog is not a parameter that a model could fill: it is taken from LangGraph's runtime context, where the turn
put the one that was opened with the caller's credentials. Every result is a ToolMessage whose content is JSON, or one
sentence where something was refused. Its `response_metadata["sources"]` names the tables it was read from, and
`response_metadata["mooring"]` holds the labels that it is stored with.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.prebuilt import ToolRuntime

from tools.catalog import Catalog, Labels, QueryResult, TableDescription, TableList
from tools.errors import CatalogError, ResultTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable


_TOO_LARGE = "because they are too large. Select fewer columns, or the beginning of long values: left(column, 200)."


@runtime_checkable
class HasCatalog(Protocol):
    """What the tools need of the runtime context."""

    @property
    def catalog(self) -> Catalog:
        """The caller's catalog."""
        ...


def catalog_tools(dialect: str = "PostgreSQL") -> list[BaseTool]:
    """Return the tools list_tables, describe_table and query, for a model that writes SQL in a dialect."""
    described = query.description.replace("PostgreSQL", dialect)
    return [list_tables, describe_table, query.model_copy(update={"description": described})]


@tool
def list_tables(runtime: ToolRuntime[HasCatalog, Any]) -> ToolMessage:
    """List the tables that the user may read, with the names and types of their columns."""

    def run(catalog: Catalog) -> tuple[dict[str, Any], dict[str, Any]]:
        found: TableList = catalog.list_tables()
        # Names say which tables there are and nothing that stands in them.
        return {"tables": [asdict(table) for table in found.tables], "truncated": found.truncated}, {"sources": []}

    return _message("list_tables", runtime, run)


@tool
def describe_table(table: str, runtime: ToolRuntime[HasCatalog, Any]) -> ToolMessage:
    """Describe one table: its columns with types, comments and keys, and about how many rows it has.

    Args:
        table: The table as list_tables spells it.
    """

    def run(catalog: Catalog) -> tuple[dict[str, Any], dict[str, Any]]:
        found: TableDescription = catalog.describe_table(table)
        content = asdict(found)
        del content["sources"], content["labels"]
        return content, _read(found.sources, found.labels)

    return _message("describe_table", runtime, run)


@tool
def query(sql: str, runtime: ToolRuntime[HasCatalog, Any]) -> ToolMessage:
    """Run one read-only SQL query (PostgreSQL) over the user's tables and return its first rows.

    Args:
        sql: One SELECT, with tables as list_tables spells them. Aggregate in SQL instead of fetching rows.
    """

    def run(catalog: Catalog) -> tuple[dict[str, Any], dict[str, Any]]:
        found: QueryResult = catalog.query(sql)
        if found.too_large and not found.rows:
            message = f"There are rows, and all were left out {_TOO_LARGE}"
            raise ResultTooLargeError(message, found.sources, found.labels)
        content: dict[str, Any] = {
            "columns": found.columns,
            "rows": found.rows,
            "row_count": len(found.rows),
            "truncated": found.truncated,
        }
        if found.too_large:
            content["note"] = f"There are more rows, which were left out {_TOO_LARGE}"
        statement = {} if found.statement is None else {"statement": found.statement}
        return content, {**_read(found.sources, found.labels), "rows": len(found.rows), **statement}

    return _message("query", runtime, run)


def _message(
    name: str,
    runtime: ToolRuntime[HasCatalog, Any],
    run: Callable[[Catalog], tuple[dict[str, Any], dict[str, Any]]],
) -> ToolMessage:
    call_id = runtime.tool_call_id or ""
    try:
        content, metadata = run(runtime.context.catalog)
    except CatalogError as error:
        refused = _read(error.sources, error.labels)
        return ToolMessage(str(error), name=name, tool_call_id=call_id, status="error", response_metadata=refused)
    text = json.dumps(content, ensure_ascii=False)
    return ToolMessage(text, name=name, tool_call_id=call_id, response_metadata=metadata)


def _read(sources: frozenset[str], labels: Labels) -> dict[str, Any]:
    carried = [list(label) for label in sorted(labels, key=str)]
    return {"sources": sorted(sources), "mooring": {"labels": carried}}
