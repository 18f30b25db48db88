"""The stand-in's managed MCP servers: JSON-RPC over HTTP, whose tools say who asked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tests.databricks.workspace import Accepted, RefusedError

if TYPE_CHECKING:
    from tests.databricks.workspace import Call, Workspace

FUNCTIONS, EXTERNAL = "functions/lakehouse/bakehouse", "external/github"
_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


class Servers:
    """Adds its routes to a workspace; every user but carol may use them."""

    def __init__(self, workspace: Workspace) -> None:
        self.refused = {"carol"}
        self.tools = [
            {"name": "lakehouse__bakehouse__whose", "description": "Says who asks", "inputSchema": _TEXT},
            {"name": "broken", "inputSchema": _TEXT},
            {"name": "slow", "inputSchema": _TEXT},
        ]
        self.slow = threading.Event()
        """Set when the slow one is asked."""
        self.over = threading.Event()
        """Set to let it answer."""
        for path in (FUNCTIONS, EXTERNAL):
            workspace.route("POST", f"/api/2.0/mcp/{path}", self._answer)
        base = "/api/2.1/unity-catalog"
        workspace.route("GET", f"{base}/schemas/lakehouse.bakehouse", lambda call: self._behind(call, "bakehouse"))
        workspace.route("GET", f"{base}/connections/github", lambda call: self._behind(call, "github"))

    def _behind(self, call: Call, name: str) -> Any:
        if call.user.name in self.refused:
            raise RefusedError(403, "PERMISSION_DENIED", f"User does not have USE on {name}.")
        return {"name": name}

    def _answer(self, call: Call) -> Any:
        self._behind(call, "server")
        asked = call.request.body
        if "id" not in asked:
            return Accepted()
        method, given = asked["method"], asked.get("params") or {}
        if method == "initialize":
            info = {"name": "stand-in", "version": "1"}
            version = given["protocolVersion"]
            result: dict[str, Any] = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        elif method == "tools/list":
            page = int(given.get("cursor", 0))
            result = {"tools": [self.tools[page]]}
            if page + 1 < len(self.tools):
                result["nextCursor"] = str(page + 1)
        else:
            result = self._called(call.user.name, given["name"], given["arguments"])
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

    def _called(self, user: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if name == "slow":
            self.slow.set()
            self.over.wait(30)
        said = f"{arguments['text']}, {user}"
        return {"content": [{"type": "text", "text": said}], "isError": name == "broken"}
