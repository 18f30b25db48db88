"""Tables of Unity Catalog, seen with the credentials of one caller."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound, PermissionDenied
from databricks.sdk.service.catalog import TableInfo, TableType

from tools.catalog import Column, Limits, QueryResult, Table, TableDescription, TableList
from tools.errors import AccessDeniedError, TableNotFoundError
from tools.unity import guard
from tools.unity.failures import explain, missing_scopes
from tools.unity.sources import fingerprint, read_by, seen_by, table_info
from tools.unity.statements import Statements
from tools.unity.values import collected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from databricks.sdk import WorkspaceClient

    from tools.unity.guard import Name

_KINDS = {
    TableType.VIEW: "view",
    TableType.METRIC_VIEW: "metric view",
    TableType.MATERIALIZED_VIEW: "materialized view",
    TableType.FOREIGN: "foreign table",
}


class UnityCatalog:
    """The tables that one caller may read, through Unity Catalog and a SQL warehouse. Threads may share it.

    Args:
        workspace_client: A client with the caller's own credentials, and nobody else's.
        warehouse_id: The SQL warehouse that runs their queries.
        catalogs: What list_tables looks through; all that the caller sees when none are named.
        limits: What one query may cost; its seconds count from when the warehouse runs it.
        excluded_schemas: Schemas that are not for queries, in every catalog.
        tags: Told with each query, for the query history: the session, the trace, the principal. Or a function that is
            asked at each.
        start_seconds: How long a stopped warehouse may take to start.
        progress: Told in a sentence when the warehouse is starting.
    """

    def __init__(
        self,
        workspace_client: WorkspaceClient,
        warehouse_id: str,
        *,
        catalogs: Sequence[str] = (),
        limits: Limits | None = None,
        excluded_schemas: tuple[str, ...] = ("mooring",),
        tags: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        start_seconds: float = 300.0,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self._client = workspace_client
        self._catalogs = catalogs
        self._limits = limits or Limits()
        self._excluded = excluded_schemas
        self._name: str | None = None
        self._asking = threading.Lock()
        self.statements = Statements(workspace_client, warehouse_id, self._limits, start_seconds, tags or {}, progress)
        """Runs what they ask, and what else of theirs is to be cancelled with it."""

    def __enter__(self) -> Self:
        """Return the catalog; it needs no opening."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel what still runs."""
        self.cancel()

    def cancel(self) -> None:
        """Cancel the queries that run now, for whichever thread."""
        self.statements.cancel()

    def list_tables(self) -> TableList:
        """List the tables that Unity Catalog shows the caller, by catalog, schema and name.

        No warehouse is needed for it. Who administers the metastore is shown tables that they may not read as well.
        """
        most = self._limits.tables
        found: list[Table] = []
        for name, info in self._tables():
            if len(found) == most:
                return TableList(found, truncated=True)
            columns = {guard.quoted([c.name or ""]): c.type_text or "" for c in info.columns or ()}
            found.append(Table(guard.quoted(name), _kind(info), info.comment, columns))
        return TableList(found, truncated=False)

    def describe_table(self, table: str) -> TableDescription:
        """Describe one table, named as in SQL, as `catalog.schema.table`.

        Raises:
            TableNotFoundError: There is none of this name.
            AccessDeniedError: The caller may not read it.
        """
        name = self._named(table)
        info = table_info(self._client, name)
        keys, references = self._constraints(info)
        columns = [
            Column(
                guard.quoted([column.name or ""]),
                column.type_text or "",
                column.nullable is not False,
                column.comment,
                column.name in keys,
                references.get(column.name or ""),
            )
            for column in info.columns or ()
        ]
        source = ".".join(name)
        labels = frozenset({(source, fingerprint(info, self._user))})
        return TableDescription(
            guard.quoted(name), _kind(info), info.comment, None, columns, frozenset({source}), labels
        )

    def fingerprint(self, source: str) -> str | None:
        """Return how the caller sees a table now, named as a label's source; None if they may not read it.

        Raises:
            CatalogUnavailableError: The workspace does not tell.
        """
        return seen_by(self._client, self._user, source)

    def query(self, sql: str) -> QueryResult:
        """Run one read-only query of Databricks SQL, its tables as `catalog.schema.table`.

        Raises:
            QueryRefusedError: It is not one read-only query, or what it reads cannot be known; nothing was run.
            AccessDeniedError, TableNotFoundError, QueryFailedError, QueryTimeoutError: The workspace refused it, does
                not know a table, found it wrong, or took too long.
        """
        names = guard.check(sql, self._excluded)
        read_from = read_by(self._client, self._user, names)
        with self.statements.run(sql, read_from) as result:
            return collected(result, self._limits, read_from)

    def _user(self) -> str:
        with self._asking:
            if self._name is None:
                try:
                    self._name = self._client.current_user.me().user_name or ""
                except (DatabricksError, OSError) as error:
                    raise explain(error, "name of the caller") from None
            return self._name

    def _named(self, table: str) -> Name:
        parts = guard.table_name(table)
        if len(parts) != 3:
            raise TableNotFoundError(
                "That is not a table's name, as catalog.schema.table. list_tables shows the tables that you may read."
            )
        name = (parts[0], parts[1], parts[2])
        if guard.is_closed(name, self._excluded):
            raise TableNotFoundError(f"There is no table {table}. list_tables shows the tables that you may read.")
        return name

    def _tables(self) -> Iterator[tuple[Name, TableInfo]]:
        try:
            catalogs = self._catalogs or [each.name or "" for each in self._client.catalogs.list()]
            for catalog in sorted(catalogs):
                for schema in sorted(self._schemas(catalog)):
                    if not guard.is_closed((catalog, schema, ""), self._excluded):
                        yield from self._in_schema(catalog, schema)
        except (DatabricksError, OSError) as error:
            raise explain(error, "list of tables") from None

    def _schemas(self, catalog: str) -> list[str]:
        try:
            return [each.name or "" for each in self._client.schemas.list(catalog)]
        except (NotFound, PermissionDenied) as error:
            if missing_scopes(error):
                raise
            return []  # theirs to name, and not to look into

    def _in_schema(self, catalog: str, schema: str) -> list[tuple[Name, TableInfo]]:
        try:
            tables = [t for t in self._client.tables.list(catalog, schema, omit_properties=True) if not t.browse_only]
        except (NotFound, PermissionDenied) as error:
            if missing_scopes(error):
                raise
            return []  # theirs to name, and not to look into
        return sorted((((catalog, schema, t.name or ""), t) for t in tables), key=lambda found: found[0])

    def _constraints(self, info: TableInfo) -> tuple[set[str], dict[str, str]]:
        keys: set[str] = set()
        references: dict[str, str] = {}
        for constraint in info.table_constraints or ():
            if constraint.primary_key_constraint:
                keys.update(constraint.primary_key_constraint.child_columns)
            if foreign := constraint.foreign_key_constraint:
                parent = tuple(foreign.parent_table.lower().split("."))
                if len(parent) == 3 and self._may_read((parent[0], parent[1], parent[2])):
                    pairs = zip(foreign.child_columns, foreign.parent_columns, strict=False)
                    references |= {child: guard.quoted([*parent, column]) for child, column in pairs}
        return keys, references

    def _may_read(self, name: Name) -> bool:
        try:
            table_info(self._client, name)
        except (AccessDeniedError, TableNotFoundError):
            return False
        return True


def _kind(info: TableInfo) -> str:
    return _KINDS.get(info.table_type, "table") if info.table_type else "table"
