"""The LangChain tools over a catalog.

The catalog is not a parameter that a model could fill: it is taken from LangGraph's runtime context, where the turn
put the one that was opened with the caller's credentials. What a tool says is in `tools.messages`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.prebuilt import ToolRuntime

from tools.catalog import Catalog, TableDescription, TableList
from tools.messages import Said, message_of, read_from, rows_said

if TYPE_CHECKING:
    from collections.abc import Callable


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

    def run(catalog: Catalog) -> Said:
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

    def run(catalog: Catalog) -> Said:
        found: TableDescription = catalog.describe_table(table)
        content = asdict(found)
        del content["sources"], content["labels"]
        return content, read_from(found.sources, found.labels)

    return _message("describe_table", runtime, run)


@tool
def query(sql: str, runtime: ToolRuntime[HasCatalog, Any]) -> ToolMessage:
    """Run one read-only SQL query (PostgreSQL) over the user's tables and return its first rows.

    Args:
        sql: One SELECT, with tables as list_tables spells them. Aggregate in SQL instead of fetching rows.
    """

    return _message("query", runtime, lambda catalog: rows_said(catalog.query(sql)))


def _message(name: str, runtime: ToolRuntime[HasCatalog, Any], run: Callable[[Catalog], Said]) -> ToolMessage:
    return message_of(name, runtime.tool_call_id, lambda: run(runtime.context.catalog))
