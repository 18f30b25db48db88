"""The catalog of a caller: the tables of the sessions' own database, or those of the workspace that proved them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import MooringError
from tools import PostgresCatalog

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.identity import Caller
    from agent.settings import Settings
    from agent.workspace import WorkspaceCaller
    from tools.unity import UnityCatalog

DATABRICKS_SQL = "Databricks SQL"


def catalog_of(settings: Settings, caller: Caller) -> PostgresCatalog:
    """Return the tables of the database as the caller's own login sees them, to be entered with `with`."""
    schema = settings.sessions_schema
    return PostgresCatalog(caller.conninfo, excluded_schemas=(schema,), labelled_by=schema)


def unity_catalog_of(
    settings: Settings,
    caller: WorkspaceCaller,
    session: str,
    progress: Callable[[str], None] | None = None,
    trace_id: Callable[[], str | None] = lambda: None,
) -> UnityCatalog:
    """Return the tables of the workspace as the caller sees them, to be entered with `with`.

    Raises:
        MooringError: No SQL warehouse is named.
    """
    from tools.unity import UnityCatalog  # its packages are optional

    if not settings.warehouse_id:
        raise MooringError("No SQL warehouse is named", "set DATABRICKS_WAREHOUSE_ID to the id of one you may use")

    def tags() -> dict[str, str]:
        trace = trace_id()
        return {"session": session, "principal": caller.principal.name} | ({} if trace is None else {"trace": trace})

    return UnityCatalog(
        caller.client,
        settings.warehouse_id,
        catalogs=[name.strip() for name in settings.catalogs.split(",") if name.strip()],
        excluded_schemas=(settings.sessions_schema,),
        tags=tags,
        progress=progress,
    )
