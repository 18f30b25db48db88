"""Managed MCP servers of a workspace, asked as the caller: functions, indexes, Genie spaces, outside connections.

What such a server read is not told, so that what it says is the caller's own. It is named by its path below
`/api/2.0/mcp/` of the caller's workspace: their token goes to no other host.

The protocol is `mcp`'s, the credentials are the client's at every request. databricks-mcp's OAuth provider is left out:
it answers a 401 by asking, and registering with, whatever server the answer names.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from databricks.sdk.errors.platform import PermissionDenied, Unauthenticated
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent, Tool

from tools.errors import CatalogUnavailableError, QueryCancelledError, QueryFailedError, QueryTimeoutError
from tools.messages import Said, read_from
from tools.unity.failures import explain
from tools.workspace.access import Access, tool_name, workspace_tool
from tools.workspace.sources import MCP, private, server_path, source_of

if TYPE_CHECKING:
    import threading

    from langchain_core.tools import BaseTool

T = TypeVar("T")

# It logs what it sends and receives.
logging.getLogger("mcp").setLevel(logging.CRITICAL)
_SECONDS = 120.0
_LOOK_SECONDS = 0.1
_MOST_PAGES = 20


def server_tools(access: Access, server: str) -> list[BaseTool]:
    """Return the tools of a managed server, such as `functions/main/tools`.

    Raises:
        CatalogError: The caller may not use it, or it does not answer.
    """
    path = server_path(server)
    return [_tool(access, path, each) for each in _Server(access, path).run(_listed)]


def _tool(access: Access, path: str, tool: Tool) -> BaseTool:
    source = source_of(MCP, path)
    read = frozenset({source}), frozenset({(source, private(access.user, path))})

    def work(arguments: dict[str, Any]) -> Said:
        result = _Server(access, path).run(lambda session: session.call_tool(tool.name, arguments))
        text, cut = _text(result, access.limits.bytes)
        if result.isError:
            raise QueryFailedError(f"The tool did not succeed: {text}", *read)
        content: dict[str, Any] = {"text": text, "truncated": cut}
        return content, read_from(*read)

    name = tool_name("mcp", [*path.split("/"), tool.name])
    return workspace_tool(name, tool.description or f"A tool of the server {path}.", tool.inputSchema, work)


class _Server:
    """One conversation with a server."""

    def __init__(self, access: Access, path: str) -> None:
        self._access = access
        self._path = path
        self._refused: httpx.Response | None = None

    def run(self, use: Callable[[ClientSession], Awaitable[T]]) -> T:
        """Use a session of its own, on a thread whose event loop is nobody else's."""
        with self._access.statements.cancellable() as cancelled, ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, self._watched(use, cancelled)).result()

    async def _watched(self, use: Callable[[ClientSession], Awaitable[T]], cancelled: threading.Event) -> T:
        task = asyncio.ensure_future(self._in_session(use))
        end = asyncio.get_running_loop().time() + _SECONDS
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
            # A session whose request was refused waits on.
            if cancelled.is_set() or self._refused is not None or asyncio.get_running_loop().time() >= end:
                break
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if cancelled.is_set():
            raise QueryCancelledError(f"The call of the server {self._path} was cancelled.")
        if self._refused is not None:
            raise self._explained(self._refused)
        if task.cancelled():
            raise QueryTimeoutError(f"The server {self._path} did not answer within {_SECONDS:g} s.")
        if task.exception() is not None:
            raise CatalogUnavailableError(
                f"The MCP server {self._path} does not answer as such. Try again in a moment."
            )
        return task.result()

    async def _in_session(self, use: Callable[[ClientSession], Awaitable[T]]) -> T:
        url = f"{self._access.client.config.host}/api/2.0/mcp/{self._path}"
        own = _Own(self._access, httpx.URL(url))
        async with (
            httpx.AsyncClient(auth=own, timeout=_SECONDS, event_hooks={"response": [self._look]}) as client,
            streamable_http_client(url, http_client=client) as (read, write, _),
            ClientSession(read, write, timedelta(seconds=_SECONDS)) as session,
        ):
            await session.initialize()
            return await use(session)

    async def _look(self, response: httpx.Response) -> None:
        # A server without a stream of its own answers GET so.
        if response.status_code >= 300 and response.request.method == "POST":
            with suppress(httpx.HTTPError):
                await response.aread()
            self._refused = response

    def _explained(self, response: httpx.Response) -> Exception:
        what, status = f"MCP server {self._path}", response.status_code
        words = response.text if response.is_closed else ""
        if status == 401:
            return explain(Unauthenticated(""), what)
        if status == 403:
            return explain(PermissionDenied(_message(words)), what)
        if status == 404:
            return CatalogUnavailableError(f"There is no {what}, or none that you may use.")
        return CatalogUnavailableError(f"The {what} is not available (HTTP {status}). Try again in a moment.")


class _Own(httpx.Auth):
    """The credentials of the caller's client, for their workspace alone."""

    def __init__(self, access: Access, url: httpx.URL) -> None:
        self._config = access.client.config
        self._origin = _origin(url)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request with them."""
        if _origin(request.url) == self._origin:
            request.headers.update(self._config.authenticate())
        yield request


async def _listed(session: ClientSession) -> list[Tool]:
    tools: list[Tool] = []
    cursor = None
    for _ in range(_MOST_PAGES):
        page = await session.list_tools(cursor)
        tools += page.tools
        cursor = page.nextCursor
        if cursor is None:
            break
    return tools


def _text(result: CallToolResult, most: int) -> tuple[str, bool]:
    """Return what a result says in words, and whether something of it was left out."""
    texts = [each.text for each in result.content if isinstance(each, TextContent)]
    whole = "\n\n".join(texts).encode("utf-8", "replace")
    return whole[:most].decode("utf-8", "ignore"), len(whole) > most or len(texts) < len(result.content)


def _message(words: str) -> str:
    """Return the sentence of an error as the workspace writes it."""
    try:
        return str(json.loads(words)["message"])
    except (ValueError, KeyError, TypeError):
        return "the workspace gives no reason."


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
