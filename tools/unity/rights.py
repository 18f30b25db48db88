"""Whether somebody holds a privilege, where Unity Catalog tells them of a thing without it.

It tells metastore admins, and the owners of a thing's catalog and schema, of what they may not read: they could grant
it to themselves, and as long as they do not, it is not theirs. For anybody else, that it tells them proves it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound, PermissionDenied
from databricks.sdk.service.catalog import Privilege

from tools.errors import AccessDeniedError
from tools.unity.failures import explain, missing_scopes

if TYPE_CHECKING:
    from collections.abc import Callable

    from databricks.sdk import WorkspaceClient

    from tools.unity.guard import Name

# As long as an answer about a label counts.
_SECONDS = 60.0
_EVERYBODY = "account users"
_known: WeakKeyDictionary[WorkspaceClient, _Standing] = WeakKeyDictionary()
_knowing = threading.Lock()


def require(client: WorkspaceClient, kind: str, name: Name, owner: str | None, privilege: Privilege) -> None:
    """Look whether the caller holds a privilege on a `table` or `function` that Unity Catalog tells them of.

    Args:
        client: Whose credentials ask.
        kind: Of what kind it is.
        name: Its name, whose parts can be such.
        owner: Who owns it; owners hold every privilege on what is theirs.
        privilege: The one that counts.

    Raises:
        AccessDeniedError: They do not.
        CatalogUnavailableError: The workspace does not tell.
    """
    label = f"{kind} {'.'.join(name)}"
    try:
        standing = _standing(client)
        if owner in standing.names() or standing.names().isdisjoint(standing.above(name)):
            return
        if not _granted(client, kind, name, standing.names(), privilege):
            raise AccessDeniedError(f"You administer the {label}, and do not hold {privilege.value} on it.")
    except (NotFound, PermissionDenied) as error:
        if missing_scopes(error):
            raise explain(error, label) from None
        raise AccessDeniedError(f"It cannot be known whether you hold {privilege.value} on the {label}.") from None
    except (DatabricksError, OSError) as error:
        raise explain(error, label) from None


class _Standing:
    """Who the owner of a client is, and who owns what is above things; asked once a minute."""

    def __init__(self, client: WorkspaceClient) -> None:
        # Not the client itself, which would be kept by what is kept for it.
        self._me, self._metastores = client.current_user, client.metastores
        self._catalogs, self._schemas = client.catalogs, client.schemas
        self._asked: dict[tuple[str, ...], tuple[frozenset[str], float]] = {}

    def names(self) -> frozenset[str]:
        """Return the caller's name and their groups'."""
        return self._once(("me",), self._names)

    def above(self, name: Name) -> frozenset[str]:
        """Return who owns the metastore, the catalog and the schema of something."""
        catalog, schema, _ = name
        return (
            self._once(("metastore",), lambda: _one(self._metastores.summary().owner))
            | self._once((catalog,), lambda: _one(self._catalogs.get(catalog).owner))
            | self._once((catalog, schema), lambda: _one(self._schemas.get(f"{catalog}.{schema}").owner))
        )

    def _names(self) -> frozenset[str]:
        me = self._me.me()
        return frozenset([me.user_name or "", *(group.display or "" for group in me.groups or ())]) - {""}

    def _once(self, key: tuple[str, ...], ask: Callable[[], frozenset[str]]) -> frozenset[str]:
        found, until = self._asked.get(key, (frozenset(), 0.0))
        if until <= (now := time.monotonic()):
            found = ask()
            self._asked[key] = found, now + _SECONDS
        return found


def _standing(client: WorkspaceClient) -> _Standing:
    with _knowing:
        return _known.setdefault(client, _Standing(client))


def _granted(client: WorkspaceClient, kind: str, name: Name, names: frozenset[str], privilege: Privilege) -> bool:
    token = None
    while True:
        page = client.grants.get_effective(kind, ".".join(name), max_results=0, page_token=token)
        for assignment in page.privilege_assignments or ():
            held = {each.privilege for each in assignment.privileges or ()}
            if assignment.principal in names | {_EVERYBODY} and held & {privilege, Privilege.ALL_PRIVILEGES}:
                return True
        token = page.next_page_token
        if not token:
            return False


def _one(owner: str | None) -> frozenset[str]:
    return frozenset({owner} if owner else ())
