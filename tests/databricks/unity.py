"""The stand-in's Unity Catalog: what Postgres knows of its tables, told as the token's user may know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg

from tests.databricks.workspace import RefusedError

if TYPE_CHECKING:
    from tests.databricks.workspace import Call, Workspace

_TABLE = """
select c.oid, c.relkind::text, obj_description(c.oid, 'pg_class'),
  has_schema_privilege(n.oid, 'USAGE') and has_table_privilege(c.oid, 'SELECT'),
  row_security_active(c.oid) and exists (select from pg_policy where polrelid = c.oid
    and polroles && array(select oid from pg_roles where pg_has_role(oid, 'MEMBER'))
    and pg_get_expr(polqual, polrelid) <> 'true')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v', 'm')
"""
_COLUMNS = """
select attname, format_type(atttypid, atttypmod), not attnotnull, attnum, col_description(attrelid, attnum)
from pg_attribute where attrelid = %s and attnum > 0 and not attisdropped order by attnum
"""
_BELOW = """
select distinct n.nspname, c.relname
from pg_rewrite r
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
join pg_class c on c.oid = d.refobjid join pg_namespace n on n.oid = c.relnamespace
where r.ev_class = %s and c.oid <> r.ev_class
"""
_KEYS = """
select contype::text, conname, (select array_agg(attname::text order by k.ord)
    from unnest(conkey) with ordinality k (num, ord) join pg_attribute on attrelid = conrelid and attnum = k.num),
  (select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = relnamespace
    where c.oid = confrelid),
  (select array_agg(attname::text order by k.ord)
    from unnest(confkey) with ordinality k (num, ord) join pg_attribute on attrelid = confrelid and attnum = k.num)
from pg_constraint where conrelid = %s and contype in ('p', 'f')
"""
_NAMES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
  and has_schema_privilege(n.oid, 'USAGE') and has_table_privilege(c.oid, 'SELECT')
"""
_SCHEMAS = "select nspname from pg_namespace where has_schema_privilege(oid, 'USAGE') and nspname !~ '^pg_'"
_KINDS = {"r": "MANAGED", "p": "MANAGED", "v": "VIEW", "m": "MATERIALIZED_VIEW"}
_TYPES = {
    "integer": "int",
    "timestamp with time zone": "timestamp",
    "timestamp without time zone": "timestamp_ntz",
    "text": "string",
    "double precision": "double",
    "real": "float",
}


class Unity:
    """Adds its routes to a workspace. The one catalog is the Postgres database."""

    def __init__(self, workspace: Workspace, login: Callable[[str], str], catalog: str = "lakehouse") -> None:
        self.changes: dict[str, dict[str, Any]] = {}
        """What is told of a table otherwise than it is, by its full name."""
        self.owners: dict[str, str] = {}
        """Who owns the metastore (by no name at all), the catalog, and schemas and tables by their full names."""
        self.grants: dict[str, dict[str, list[str]]] = {}
        """What is granted on something, by its full name and to whom; without it, the caller's SELECT."""
        self.login = login
        self._catalog = catalog
        base = "/api/2.1/unity-catalog"
        workspace.route("GET", f"{base}/catalogs", lambda _: {"catalogs": [{"name": catalog}, {"name": "system"}]})
        workspace.route("GET", f"{base}/schemas", self._schemas)
        workspace.route("GET", f"{base}/tables", self._tables)
        workspace.route("GET", f"{base}/tables/{{}}", lambda call: self._table(call.user.name, call.parts[0]))
        workspace.route("GET", f"{base}/metastore_summary", lambda _: {"owner": self.owners.get("")})
        for kind in ("catalogs", "schemas"):
            workspace.route("GET", f"{base}/{kind}/{{}}", self._above)
        workspace.route("GET", f"{base}/effective-permissions/{{}}/{{}}", self._permissions)

    def _ask(self, user: str, query: str, *params: object) -> list[Any]:
        with psycopg.connect(self.login(user)) as conn:
            return conn.execute(query.encode(), params).fetchall()

    def _schemas(self, call: Call) -> Any:
        if call.request.query["catalog_name"] != self._catalog:
            raise RefusedError(403, "PERMISSION_DENIED", "User does not have USE CATALOG on Catalog.")
        return {"schemas": [{"name": name} for (name,) in self._ask(call.user.name, _SCHEMAS)]}

    def _tables(self, call: Call) -> Any:
        schema = call.request.query["schema_name"]
        names = [name for (name,) in self._ask(call.user.name, _NAMES, schema)]
        tables = [self._table(call.user.name, f"{self._catalog}.{schema}.{name}") for name in names]
        # As the real one, which leaves these out of listings.
        return {"tables": [t | {"table_constraints": None, "view_dependencies": None} for t in tables]}

    def _table(self, user: str, full_name: str) -> dict[str, Any]:
        catalog, schema, name = [*full_name.split("."), "", ""][:3]
        found = self._ask(user, _TABLE, schema, name) if catalog == self._catalog else []
        if not found:
            raise RefusedError(404, "TABLE_DOES_NOT_EXIST", f"Table '{full_name}' does not exist.")
        oid, kind, comment, readable, filtered = found[0]
        if not readable:
            raise RefusedError(403, "PERMISSION_DENIED", f"User does not have SELECT on Table '{full_name}'.")
        told: dict[str, Any] = {
            "name": name,
            "catalog_name": catalog,
            "schema_name": schema,
            "full_name": full_name,
            "table_id": str(oid),
            "owner": self.owners.get(full_name, "somebody"),
            "table_type": _KINDS[kind],
            "comment": comment,
            "columns": [
                {
                    "name": column,
                    "type_text": _TYPES.get(type_, type_.replace("numeric", "decimal")),
                    "nullable": nullable,
                    "position": number - 1,
                }
                | ({"comment": text} if text else {})
                for column, type_, nullable, number, text in self._ask(user, _COLUMNS, oid)
            ],
            "table_constraints": self._constraints(user, oid),
        }
        if filtered:
            columns = [told["columns"][0]["name"]]
            told["row_filter"] = {"function_name": f"{catalog}.{schema}.own_rows", "input_column_names": columns}
        if kind == "v":
            below = [f"{catalog}.{s}.{t}" for s, t in self._ask(user, _BELOW, oid)]
            told["view_definition"] = self._ask(user, "select pg_get_viewdef(%s::oid)", oid)[0][0]
            told["view_dependencies"] = {"dependencies": [{"table": {"table_full_name": each}} for each in below]}
        return told | self.changes.get(full_name, {})

    def _constraints(self, user: str, oid: int) -> list[Any]:
        constraints: list[Any] = []
        for kind, name, columns, parent, parents in self._ask(user, _KEYS, oid):
            if kind == "p":
                constraints.append({"primary_key_constraint": {"name": name, "child_columns": columns}})
            else:
                key = {"name": name, "child_columns": columns, "parent_columns": parents}
                key["parent_table"] = f"{self._catalog}.{parent}"
                constraints.append({"foreign_key_constraint": key})
        return constraints

    def _permissions(self, call: Call) -> Any:
        """Tell one principal's grants on each page."""
        granted = self.grants.get(call.parts[1], {call.user.name: ["SELECT"]})
        page = int(call.request.query.get("page_token", 0))
        told = [
            {"principal": principal, "privileges": [{"privilege": each} for each in privileges]}
            for principal, privileges in granted.items()
        ]
        more = {"next_page_token": str(page + 1)} if page + 1 < len(told) else {}
        return {"privilege_assignments": told[page : page + 1]} | more

    def _above(self, call: Call) -> Any:
        name = call.parts[0]
        return {"full_name": name, "owner": self.owners.get(name)}


def _type(name: str) -> str:
    return _TYPES.get(name, name.replace("numeric", "decimal"))
