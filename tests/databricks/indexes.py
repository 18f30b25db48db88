"""The stand-in's vector search: an index is a table of Postgres, and what is near shares words with the question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tests.databricks.workspace import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.databricks.workspace import Call, Workspace

_SEARCH = """
select {columns}, cardinality(array(select unnest(regexp_split_to_array(lower({text}), '\\W+'))
  intersect select unnest(regexp_split_to_array(lower({asked}), '\\W+')))) as score
from {index} order by score desc, 1 limit {most}
"""


class Indexes:
    """Adds its routes to a workspace."""

    def __init__(self, workspace: Workspace, login: Callable[[str], str]) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        """What is told of each index, by its full name."""
        self._login = login
        workspace.route("GET", "/api/2.0/vector-search/indexes/{}", lambda call: self._found(call))
        workspace.route("POST", "/api/2.0/vector-search/indexes/{}/query", self._query)

    def add(self, name: str, key: str, text: str, source: str | None, **spec: Any) -> None:
        """Make a table an index whose vectors a model computes, or another of this specification."""
        model = {"embedding_source_columns": [{"name": text, "embedding_model_endpoint_name": "embeds"}]}
        kind, place = (
            ("DELTA_SYNC", "delta_sync_index_spec") if source else ("DIRECT_ACCESS", "direct_access_index_spec")
        )
        told = {"source_table": source} if source else {}
        self.known[name] = {"name": name, "primary_key": key, "index_type": kind, place: told | (spec or model)}

    def _found(self, call: Call) -> dict[str, Any]:
        name = call.parts[0]
        if name not in self.known:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"Vector index {name} not found.")
        with psycopg.connect(self._login(call.user.name)) as conn:
            schema, table = name.split(".")[1:]
            row = conn.execute(
                "select has_schema_privilege(%s, 'usage') and has_table_privilege(%s, 'select')",
                [schema, f"{schema}.{table}"],
            ).fetchone()
        if row is None or not row[0]:
            raise RefusedError(403, "PERMISSION_DENIED", f"User does not have SELECT on index {name}.")
        return self.known[name]

    def _query(self, call: Call) -> Any:
        index = self._found(call)
        body = call.request.body
        spec = index.get("delta_sync_index_spec") or index["direct_access_index_spec"]
        query = sql.SQL(_SEARCH).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, body["columns"])),
            text=sql.Identifier(spec["embedding_source_columns"][0]["name"]),
            asked=body["query_text"],
            index=sql.Identifier(*call.parts[0].split(".")[1:]),
            most=body["num_results"],
        )
        with psycopg.connect(self._login(call.user.name)) as conn:
            rows = [[*row[:-1], row[-1] / 10] for row in conn.execute(query)]
        columns = [{"name": name} for name in [*body["columns"], "score"]]
        return {
            "manifest": {"column_count": len(columns), "columns": columns},
            "result": {"row_count": len(rows), "data_array": rows},
        }
