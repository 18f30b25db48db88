"""The tables that a query reads, views followed as far as Unity Catalog tells the caller.

No plan is asked, so what cannot be told is refused: a view whose tables Unity Catalog does not name, or one that calls
a function of somebody's. A table below a view that the caller may not see themselves is named and not followed.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound
from databricks.sdk.service.catalog import Privilege, TableInfo, TableType

from tools.errors import AccessDeniedError, QueryRefusedError, TableNotFoundError
from tools.unity.failures import explain
from tools.unity.guard import quoted
from tools.unity.read import Read
from tools.unity.rights import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from databricks.sdk import WorkspaceClient

    from tools.unity.guard import Name

_VIEWS = (TableType.VIEW, TableType.METRIC_VIEW)
_MOST = 100
# No name in Unity Catalog has them.
_IMPOSSIBLE = re.compile(r"[./ \x00-\x1f\x7f]")


def is_possible(part: str) -> bool:
    """Tell whether something in Unity Catalog can be called so; such a name may stand in a path."""
    return bool(part) and not _IMPOSSIBLE.search(part)


def table_info(client: WorkspaceClient, name: Name) -> TableInfo:
    """Return what Unity Catalog tells the caller about a table that they may read.

    Raises:
        TableNotFoundError, AccessDeniedError: There is none, or they may not.
    """
    label = f"table {quoted(name)}"
    missing = TableNotFoundError(f"There is no {label}. list_tables shows the tables that you may read.")
    if not all(map(is_possible, name)):
        raise missing
    try:
        # The SDK puts the name into the path as it is.
        info = client.tables.get(quote(".".join(name), safe="."))
    except NotFound:
        raise missing from None
    except (DatabricksError, OSError) as error:
        raise explain(error, label) from None
    if info.browse_only:
        raise AccessDeniedError(f"You may see that there is a {label}, and not read it. Only its owner can grant that.")
    return info


def fingerprint(info: TableInfo, user: Callable[[], str]) -> str:
    """Return how a user sees a table that they may read: whole, or through a row filter, masks or a view.

    What those look at is not told, so such a fingerprint is the user's own, and ends with ~: its label runs out.
    """
    masks = {c.name: c.mask.as_dict() for c in info.columns or () if c.mask}
    view = info.view_definition or "" if info.table_type in _VIEWS else None
    rules = [info.row_filter.as_dict() if info.row_filter else None, masks, view]
    if rules == [None, {}, None]:
        return f"uc:{info.table_id or ''}"
    digest = hashlib.sha256(json.dumps([user(), *rules], sort_keys=True).encode()).hexdigest()
    return f"uc:{info.table_id or ''}:{digest[:32]}~"


def seen_by(client: WorkspaceClient, user: Callable[[], str], source: str) -> str | None:
    """Return how a user sees a table now, named as a label's source; None if they may not read it.

    Raises:
        CatalogUnavailableError: The workspace does not tell.
    """
    parts = source.split(".")
    try:
        name = (parts[0], parts[1], ".".join(parts[2:]))
        info = table_info(client, name)
        require(client, "table", name, info.owner, Privilege.SELECT)
        return fingerprint(info, user)
    except (AccessDeniedError, IndexError, TableNotFoundError):
        return None


def read_by(client: WorkspaceClient, user: Callable[[], str], names: Iterable[Name]) -> Read:
    """Return what a query of these tables reads; the labels are those of the tables that it names itself.

    Raises:
        TableNotFoundError, AccessDeniedError: The caller may not read one that the query names.
        QueryRefusedError: It cannot be told what a view reads.
    """
    found: set[str] = set()
    ahead = [(name, table_info(client, name)) for name in sorted(names)]
    labels = frozenset((".".join(name), fingerprint(info, user)) for name, info in ahead)
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
    return Read(frozenset(found), labels)


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
