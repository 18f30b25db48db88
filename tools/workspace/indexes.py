"""Vector search indexes, asked as the caller: passages of a knowledge base, with what they stand in as labels.

They are asked through the SDK's own client. databricks-langchain's takes a caller's client with a token in it alone;
for any other login it looks for credentials around it, which are a service's where one runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound

from tools.errors import QueryRefusedError, TableNotFoundError
from tools.messages import Said, read_from
from tools.unity.failures import explain
from tools.unity.guard import quoted
from tools.unity.sources import fingerprint, seen_by, table_info
from tools.values import size, to_json
from tools.workspace.access import Access, full_name, text_of, tool_name, workspace_tool

if TYPE_CHECKING:
    from databricks.sdk.service.catalog import TableInfo
    from databricks.sdk.service.vectorsearch import VectorIndex
    from langchain_core.tools import BaseTool

    from tools.unity.guard import Name

_PASSAGES = 5
_SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "description": "What to look for, in words."}},
    "required": ["text"],
}


def index_tools(access: Access, index: str) -> list[BaseTool]:
    """Return the tool that searches an index, named as `catalog.schema.index`.

    Raises:
        CatalogError: The caller may not search it, or it takes vectors and no text.
    """
    name = full_name(index, "a vector search index")
    found, info = _index(access, name), table_info(access.client, name)
    if not _texts(found):
        raise QueryRefusedError(
            f"The index {quoted(name)} cannot be a tool: it is searched by vectors, and not by text."
        )

    def work(arguments: dict[str, Any]) -> Said:
        text = text_of(arguments, "text")
        # Looked at again at each search: it may be another by now. What may be read is taken before anything is.
        now = _index(access, name)
        info = table_info(access.client, name)
        sources = {".".join(name)}
        labels: set[tuple[str, str | None]] = {(".".join(name), fingerprint(info, lambda: access.user))}
        if table := _source(now):
            sources.add(table)
            # Whoever may search the index and not read the table searches it all the same.
            if (seen := seen_by(access.client, lambda: access.user, table)) is not None:
                labels.add((table, seen))
        passages, truncated = _passages(access, name, _columns(now, info), text)
        read = read_from(frozenset(sources), frozenset(labels))
        return {"passages": passages, "truncated": truncated}, {**read, "rows": len(passages)}

    told = f"Search the knowledge base {quoted(name)} for passages about something. {info.comment or ''}".strip()
    return [workspace_tool(tool_name("search", name), told, _SCHEMA, work)]


def _index(access: Access, name: Name) -> VectorIndex:
    label = f"vector search index {quoted(name)}"
    try:
        return access.client.vector_search_indexes.get_index(".".join(name))
    except NotFound:
        raise TableNotFoundError(f"There is no {label}, or none that you may search.") from None
    except (DatabricksError, OSError) as error:
        raise explain(error, label) from None


def _passages(access: Access, name: Name, columns: list[str], text: str) -> tuple[list[dict[str, Any]], bool]:
    """Return passages, the nearest first, and whether some were left out for their size."""
    label = f"vector search index {quoted(name)}"
    try:
        answer = access.client.vector_search_indexes.query_index(
            ".".join(name), columns, query_text=text, num_results=_PASSAGES
        )
    except (DatabricksError, OSError) as error:
        raise explain(error, label) from None
    told = [column.name or "" for column in (answer.manifest.columns if answer.manifest else None) or ()]
    passages: list[dict[str, Any]] = []
    used = 0
    for row in (answer.result.data_array if answer.result else None) or ():
        values = [to_json(value) for value in row]
        used += size(values)
        if used > access.limits.bytes:
            return passages, True
        passages.append(dict(zip(told, values, strict=True)))
    return passages, False


def _columns(index: VectorIndex, info: TableInfo) -> list[str]:
    spec = index.delta_sync_index_spec or index.direct_access_index_spec
    vectors = {each.name for each in (spec.embedding_vector_columns if spec else None) or ()}
    names = [column.name or "" for column in info.columns or ()]
    kept = [name for name in names if name and not name.startswith("__") and name not in vectors]
    return kept or [name for name in (index.primary_key, *_texts(index)) if name]


def _texts(index: VectorIndex) -> list[str]:
    """Return the columns of text whose vectors a model computes, as it then does of a question."""
    spec = index.delta_sync_index_spec or index.direct_access_index_spec
    return [each.name or "" for each in (spec.embedding_source_columns if spec else None) or ()]


def _source(index: VectorIndex) -> str | None:
    table = index.delta_sync_index_spec.source_table if index.delta_sync_index_spec else None
    return table.lower() if table else None
