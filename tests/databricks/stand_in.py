"""The stand-in workspace with all of its parts, and clients of the real SDK for its users."""

from __future__ import annotations

from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config

from tests.databricks.serving import Serving
from tests.databricks.unity import Unity
from tests.databricks.warehouse import Warehouse
from tests.databricks.workspace import Workspace


@dataclass(frozen=True)
class StandIn:
    """The workspace with its parts."""

    workspace: Workspace
    warehouse: Warehouse
    unity: Unity
    serving: Serving

    def client(self, user: str, scopes: set[str] | None = None) -> WorkspaceClient:
        """Make a client with a new token of a user, which has these scopes or all."""
        token = self.workspace.token(user, scopes)
        return WorkspaceClient(
            config=Config(host=self.workspace.url, token=token, auth_type="pat", retry_timeout_seconds=10)
        )
