"""What a tool says: a ToolMessage whose content is JSON, or one sentence where something was refused.

Its `response_metadata["sources"]` names what it was read from, and `response_metadata["mooring"]` holds the labels that
it is stored with.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage

from tools.errors import CatalogError, ResultTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.catalog import Labels, QueryResult

Said = tuple[dict[str, Any], dict[str, Any]]
"""The content of a message, and its metadata."""

_TOO_LARGE = "because they are too large. Select fewer columns, or the beginning of long values: left(column, 200)."


def message_of(name: str, call_id: str | None, run: Callable[[], Said]) -> ToolMessage:
    """Return what a tool's work comes to; an error of a catalog is one sentence, with what that was derived from."""
    call = call_id or ""
    try:
        content, metadata = run()
    except CatalogError as error:
        refused = read_from(error.sources, error.labels)
        return ToolMessage(str(error), name=name, tool_call_id=call, status="error", response_metadata=refused)
    text = json.dumps(content, ensure_ascii=False)
    return ToolMessage(text, name=name, tool_call_id=call, response_metadata=metadata)


def read_from(sources: frozenset[str], labels: Labels) -> dict[str, Any]:
    """Return the metadata of a message that was derived from this."""
    carried = [list(label) for label in sorted(labels, key=str)]
    return {"sources": sorted(sources), "mooring": {"labels": carried}}


def rows_said(found: QueryResult) -> Said:
    """Return what is said of a query's result.

    Raises:
        ResultTooLargeError: Not one row is small enough.
    """
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
    return content, {**read_from(found.sources, found.labels), "rows": len(found.rows), **statement}
