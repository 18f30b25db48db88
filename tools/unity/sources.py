"""The tables that a query reads, views followed as far as Unity Catalog tells the caller.

No plan is asked, so what cannot be told is refused: a view whose tables Unity Catalog does not name, or one that calls
a function of somebody's. A table below a view that the caller may not see themselves is named and not followed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.catalog import TableInfo, TableType

from tools.errors import AccessDeniedError, QueryRefusedError, TableNotFoundError
from tools.unity.failures import explain
from tools.unity.guard import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from databricks.sdk import WorkspaceClient

    from tools.unity.guard import Name

_VIEWS = (TableType.VIEW, TableType.METRIC_VIEW)
_MOST = 100
# No name in Unity Catalog has them.
_IMPOSSIBLE = re.compile(r"[./ \x00-\x1f\x7f]")


def table_info(client: WorkspaceClient, name: Name) -> TableInfo:
    """Return what Unity Catalog tells the caller about a table that they may read.

    Raises:
        TableNotFoundError, AccessDeniedError: There is none, or they may not.
    """
    label = f"table {quoted(name)}"
    if any(not part or _IMPOSSIBLE.search(part) for part in name):
        raise TableNotFoundError(f"There is no {label}. list_tables shows the tables that you may read.")
    try:
        # The SDK puts the name into the path as it is.
        info = client.tables.get(quote(".".join(name), safe="."))
    except (DatabricksError, OSError) as error:
        raise explain(error, label) from None
    if info.browse_only:
        raise AccessDeniedError(f"You may see that there is a {label}, and not read it. Only its owner can grant that.")
    return info


def sources_of(client: WorkspaceClient, names: Iterable[Name]) -> frozenset[str]:
    """Return the tables that a query of these reads, as `catalog.schema.table`.

    Raises:
        TableNotFoundError, AccessDeniedError: The caller may not read one that the query names.
        QueryRefusedError: It cannot be told what a view reads.
    """
    found: set[str] = set()
    ahead = [(name, table_info(client, name)) for name in sorted(names)]
    while ahead:
        name, info = ahead.pop()
        found.add(".".join(name))
        if len(found) > _MOST:
            raise QueryRefusedError("The query was not run: the views in it read more tables than can be followed.")
        for below in _read_by(name, info) if _is_view(name, info) else ():
            if ".".join(below) in found:
                continue
            found.add(".".join(below))
            try:
                ahead.append((below, table_info(client, below)))
            except (AccessDeniedError, TableNotFoundError):
                continue  # theirs through the view alone
    return frozenset(found)


def _is_view(name: Name, info: TableInfo) -> bool:
    if info.table_type is None:
        raise QueryRefusedError(f"The query was not run: what kind of table {quoted(name)} is cannot be known.")
    return info.table_type in _VIEWS


def _read_by(view: Name, info: TableInfo) -> list[Name]:
    listed = info.view_dependencies.dependencies if info.view_dependencies else None
    tables = [dependency.table.table_full_name if dependency.table else "" for dependency in listed or ()]
    names = [tuple(table.lower().split(".")) for table in tables]
    if listed is None or any(len(name) != 3 for name in names):
        raise QueryRefusedError(f"The query was not run: what the view {quoted(view)} reads cannot be known.")
    return [(catalog, schema, table) for catalog, schema, table in names]
