"""The stand-in workspace with all of its parts, and clients of the real SDK for its users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config

from tests.databricks.functions import Functions
from tests.databricks.genie import Genie
from tests.databricks.indexes import Indexes
from tests.databricks.servers import Servers
from tests.databricks.serving import Serving
from tests.databricks.unity import Unity
from tests.databricks.warehouse import Warehouse
from tests.databricks.workspace import Workspace
from tools.workspace import seen_by


@dataclass(frozen=True)
class StandIn:
    """The workspace with its parts."""

    workspace: Workspace
    warehouse: Warehouse
    unity: Unity
    serving: Serving
    functions: Functions
    indexes: Indexes
    genie: Genie
    servers: Servers

    def seen_by(self, user: str, source: str) -> str | None:
        """How a user sees a source now."""
        return seen_by(self.client(user), lambda: user, source)

    def client(self, user: str, scopes: set[str] | None = None) -> WorkspaceClient:
        """Make a client with a new token of a user, which has these scopes or all."""
        token = self.workspace.token(user, scopes)
        return WorkspaceClient(
            config=Config(host=self.workspace.url, token=token, auth_type="pat", retry_timeout_seconds=10)
        )


def stand_in_of(workspace: Workspace, login: Callable[[str], str]) -> StandIn:
    """Add all parts to a workspace; `login` gives the connection string of a user."""
    warehouse = Warehouse(workspace, login)
    servers = Servers(workspace)
    return StandIn(
        workspace,
        warehouse,
        Unity(workspace, login),
        Serving(workspace),
        Functions(workspace, login),
        Indexes(workspace, login),
        Genie(workspace, warehouse),
        servers,
    )
