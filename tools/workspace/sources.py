"""What a tool's result was read from, where that is no table: a source is its kind, a space, and its name.

No name in Unity Catalog holds a space, so a table is never taken for one of these.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound
from databricks.sdk.service.catalog import (
    FunctionInfo,
    FunctionInfoRoutineBody,
    FunctionInfoSqlDataAccess,
    Privilege,
)

from tools.errors import AccessDeniedError, QueryRefusedError, TableNotFoundError
from tools.unity import guard
from tools.unity import sources as tables
from tools.unity.failures import explain
from tools.unity.rights import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.dashboards import GenieSpace

    from tools.unity.guard import Name

FUNCTION = "function"
GENIE = "genie"
"""A space whose query was run: whoever may ask it may see what it wrote."""
GENIE_UNKNOWN = "genie-unknown"
"""What a space answered from tables that cannot be told."""
MCP = "mcp"
"""A managed MCP server, by its path; what it reads is not told."""
_SERVER = re.compile(r"(functions|vector-search|genie|external)((?:/[\w.-]+){1,3})")


def source_of(kind: str, name: str) -> str:
    """Return the source of something that is no table."""
    return f"{kind} {name}"


def seen_by(client: WorkspaceClient, user: Callable[[], str], source: str) -> str | None:
    """Return how a user sees a source now, a table or not; None if they may not.

    Raises:
        CatalogUnavailableError: The workspace does not tell.
    """
    kind, _, name = source.partition(" ")
    look = _LOOKS.get(kind)
    if not name or look is None:
        return tables.seen_by(client, user, source)
    try:
        return look(client, user, name)
    except (AccessDeniedError, TableNotFoundError, ValueError):
        return None


def private(user: str, identity: str, *rules: Any) -> str:
    """Return a fingerprint that nobody shares with the user; its label runs out, as it ends with ~."""
    return f"uc:{identity}:{_digest(user, *rules)}~"


def shared(identity: str, *rules: Any) -> str:
    """Return a fingerprint that is everybody's who may use the thing."""
    return f"uc:{identity}:{_digest(*rules)}" if rules else f"uc:{identity}"


# --- functions --------------------------------------------------------------------------------------------------------


def function_info(client: WorkspaceClient, name: Name) -> FunctionInfo:
    """Return what Unity Catalog tells the caller about a function that they may call.

    Raises:
        TableNotFoundError, AccessDeniedError: There is none, or they may not.
    """
    label = f"function {guard.quoted(name)}"
    missing = TableNotFoundError(f"There is no {label}, or none that you may call.")
    if not all(map(tables.is_possible, name)):
        raise missing
    try:
        info = client.functions.get(quote(".".join(name), safe="."))
    except NotFound:
        raise missing from None
    except (DatabricksError, OSError) as error:
        raise explain(error, label) from None
    if info.browse_only:
        raise AccessDeniedError(f"You may see that there is a {label}, and not call it. Only its owner can grant that.")
    return info


def function_fingerprint(info: FunctionInfo, user: str) -> str:
    """Return how a user sees what a function returns.

    Where it computes from its arguments alone, as everybody does who may call it. A function that reads tables does so
    with its owner's rights, as a view does, and what one in another language does is not told: then it is the user's
    own.
    """
    parameters = [p.as_dict() for p in (info.input_params.parameters if info.input_params else None) or ()]
    rules = [info.routine_definition, info.external_language, info.full_data_type, parameters]
    if computes(info):
        return shared(info.function_id or "", *rules)
    return private(user, info.function_id or "", *rules)


def computes(info: FunctionInfo) -> bool:
    """Tell whether a function is known to compute from its arguments alone, whoever calls it."""
    body = (info.routine_definition or "").strip()
    if not body or info.routine_body is not FunctionInfoRoutineBody.SQL or _tables_of(info):
        return False
    if info.sql_data_access is FunctionInfoSqlDataAccess.READS_SQL_DATA:
        return False
    try:
        return not guard.check(body if body.lower().startswith(("select", "with")) else f"select {body}")
    except QueryRefusedError:
        return False


def function_sources(info: FunctionInfo, name: Name) -> frozenset[str]:
    """Return what a function is known to read, itself among it."""
    return frozenset({source_of(FUNCTION, ".".join(name)), *_tables_of(info)})


def _tables_of(info: FunctionInfo) -> list[str]:
    listed = info.routine_dependencies.dependencies if info.routine_dependencies else None
    found = [(each.table.table_full_name if each.table else "") for each in listed or ()]
    others = [each.function.function_full_name if each.function else "" for each in listed or ()]
    return [name.lower() for name in found if name] + [source_of(FUNCTION, name.lower()) for name in others if name]


def _function_seen(client: WorkspaceClient, user: Callable[[], str], name: str) -> str | None:
    catalog, schema, function = name.split(".")
    info = function_info(client, (catalog, schema, function))
    require(client, FUNCTION, (catalog, schema, function), info.owner, Privilege.EXECUTE)
    return function_fingerprint(info, user())


# --- Genie ------------------------------------------------------------------------------------------------------------


def space_info(client: WorkspaceClient, space: str) -> GenieSpace:
    """Return what a Genie space tells of itself to a caller who may ask it.

    Raises:
        TableNotFoundError, AccessDeniedError: There is none, or they may not.
    """
    label = f"Genie space {space}"
    try:
        return client.genie.get_space(quote(space, safe=""))
    except NotFound:
        raise TableNotFoundError(f"There is no {label}, or none that you may ask.") from None
    except (DatabricksError, OSError) as error:
        raise explain(error, label) from None


def _genie_seen(client: WorkspaceClient, user: Callable[[], str], name: str) -> str | None:
    space_info(client, name)
    return shared(name)


def _genie_unknown_seen(client: WorkspaceClient, user: Callable[[], str], name: str) -> str | None:
    space_info(client, name)
    return private(user(), name)


# --- MCP --------------------------------------------------------------------------------------------------------------


def server_path(server: str) -> str:
    """Return the path of a managed MCP server below the workspace's.

    Raises:
        TableNotFoundError: There is no such kind of server.
    """
    path = server.strip("/")
    if not _SERVER.fullmatch(path) or ".." in path:
        raise TableNotFoundError(
            f"{server!r} is not a managed MCP server, as functions/catalog/schema, vector-search/catalog/schema, "
            "genie/space or external/connection."
        )
    return path


def _server_seen(client: WorkspaceClient, user: Callable[[], str], name: str) -> str | None:
    """Return the user's own fingerprint while they may use what stands behind the server."""
    kind, *parts = server_path(name).split("/")
    if kind == "genie":
        space_info(client, parts[0])
    elif len(parts) == 3:
        catalog, schema, last = parts
        look: Callable[[WorkspaceClient, Name], object] = function_info if kind == "functions" else tables.table_info
        look(client, (catalog, schema, last))
    else:
        get: Callable[[str], object] = client.connections.get if kind == "external" else client.schemas.get
        try:
            get(quote(".".join(parts), safe="."))
        except NotFound:
            return None
        except (DatabricksError, OSError) as error:
            raise explain(error, f"MCP server {name}") from None
    return private(user(), name)


def _digest(*rules: Any) -> str:
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:32]


_LOOKS: dict[str, Callable[[WorkspaceClient, Callable[[], str], str], str | None]] = {
    FUNCTION: _function_seen,
    GENIE: _genie_seen,
    GENIE_UNKNOWN: _genie_unknown_seen,
    MCP: _server_seen,
}
