"""The stand-in's functions: those of Postgres, told to whom they may be called by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from tests.databricks.workspace import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.databricks.workspace import Call, Workspace

_FUNCTION = """
select p.oid, has_schema_privilege(n.oid, 'USAGE') and has_function_privilege(p.oid, 'EXECUTE'), p.prosrc, l.lanname,
  p.proretset, format_type(p.prorettype, null), obj_description(p.oid, 'pg_proc'), p.pronargs - p.pronargdefaults,
  p.proargnames,
  array(select format_type(t, null) from unnest(p.proargtypes::oid[]) with ordinality a (t, i) order by i)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
where n.nspname = %s and p.proname = %s
"""
_TYPES = {
    "integer": ("INT", "int"),
    "bigint": ("LONG", "bigint"),
    "numeric": ("DECIMAL", "decimal(38,18)"),
    "double precision": ("DOUBLE", "double"),
    "boolean": ("BOOLEAN", "boolean"),
    "date": ("DATE", "date"),
    "text": ("STRING", "string"),
    "integer[]": ("ARRAY", "array<int>"),
}


class Functions:
    """Adds its route to a workspace."""

    def __init__(self, workspace: Workspace, login: Callable[[str], str], catalog: str = "lakehouse") -> None:
        self.changes: dict[str, dict[str, Any]] = {}
        """What is told of a function otherwise than it is, by its full name."""
        self._login = login
        self._catalog = catalog
        workspace.route("GET", "/api/2.1/unity-catalog/functions/{}", self._function)

    def _function(self, call: Call) -> Any:
        full_name = call.parts[0]
        catalog, schema, name = [*full_name.split("."), "", ""][:3]
        with psycopg.connect(self._login(call.user.name)) as conn:
            found = conn.execute(_FUNCTION.encode(), [schema, name]).fetchone() if catalog == self._catalog else None
        if found is None:
            raise RefusedError(404, "ROUTINE_DOES_NOT_EXIST", f"Routine or Model '{full_name}' does not exist.")
        oid, callable_, body, language, is_table, returns, comment, needed, names, types = found
        if not callable_:
            raise RefusedError(403, "PERMISSION_DENIED", f"User does not have EXECUTE on Routine '{full_name}'.")
        kind, text = ("TABLE_TYPE", "table") if is_table else _TYPES.get(returns, ("STRING", "string"))
        return {
            "name": name,
            "full_name": full_name,
            "function_id": str(oid),
            "comment": comment,
            "data_type": kind,
            "full_data_type": text,
            "routine_body": "SQL" if language == "sql" else "EXTERNAL",
            "external_language": None if language == "sql" else "Python",
            "routine_definition": body,
            "input_params": {
                "parameters": [
                    {"name": name, "type_name": _TYPES[each][0], "type_text": _TYPES[each][1], "position": i}
                    | ({} if i < needed else {"parameter_default": "the default"})
                    for i, (name, each) in enumerate(zip(names or [], types, strict=False))
                ]
            },
        } | self.changes.get(full_name, {})
