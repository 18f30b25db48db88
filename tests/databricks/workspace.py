"""A stand-in Databricks workspace on loopback: it speaks the wire format, and data is real.

Statements run on a Postgres as the user whose token came with them, so that grants and row policies are the database's
own. Every request is recorded. Faults come on demand.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SCOPES = (
    ("/api/2.0/sql/", "sql"),
    ("/api/2.1/unity-catalog/", "unity-catalog"),
    ("/api/2.0/postgres/", "postgres"),
    ("/api/2.0/database/", "postgres"),
    ("/api/2.0/genie/", "dashboards.genie"),
    ("/api/2.0/mcp/functions/", "mcp.functions"),
    ("/api/2.0/mcp/external/", "mcp.external"),
    ("/api/2.0/vector-search/", "vectorsearch.vector-search-indexes"),
    ("/serving-endpoints/", "model-serving"),
)


@dataclass(frozen=True)
class User:
    """Whose token it is; without `scopes` it may do everything that they may."""

    name: str
    scopes: frozenset[str] | None = None


@dataclass(frozen=True)
class Request:
    """What was sent."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    user: str | None
    headers: dict[str, str] = field(repr=False)
    at: float = field(default_factory=time.monotonic)


@dataclass
class RefusedError(Exception):
    """An answer that is an error."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """Requests to matching paths fail so many times."""

    path: str
    refused: RefusedError
    times: int


@dataclass(frozen=True)
class Streamed:
    """An answer in server-sent events; where it is cut, the connection ends before it does."""

    events: list[str]
    cut: bool = False


@dataclass(frozen=True)
class Accepted:
    """An answer without content."""


Route = Callable[["Call"], Any]


@dataclass(frozen=True)
class Call:
    """One request that is answered."""

    user: User
    request: Request
    parts: tuple[str, ...]


class Workspace:
    """The server. Routes are added by the parts of the workspace: statements, tables, credentials, models."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._tokens: dict[str, User] = {}
        self._routes: list[tuple[str, re.Pattern[str], Route]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.route("GET", "/.well-known/databricks-config", self._configuration)
        self.route("GET", "/api/2.0/preview/scim/v2/Me", self._me)

    @contextmanager
    def running(self) -> Iterator[Workspace]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def route(self, method: str, path: str, answer: Route) -> None:
        """Add a route; `{}` in the path is one part of it, `{+}` any rest."""
        pattern = re.escape(path).replace(r"\{\}", "([^/]+)").replace(r"\{\+\}", "(.+)")
        self._routes.append((method, re.compile(pattern), answer))

    def token(self, user: str, scopes: set[str] | None = None) -> str:
        """Mint a token of a user."""
        token = f"dapi-{user}-{secrets.token_hex(12)}"
        self._tokens[token] = User(user, None if scopes is None else frozenset(scopes))
        return token

    def revoke_all(self) -> None:
        """Let every token be over."""
        self._tokens.clear()

    def fail(
        self,
        path: str,
        status: int,
        code: str,
        message: str = "",
        *,
        times: int = 1,
        retry_after: int | None = None,
        location: str | None = None,
    ) -> None:
        """Let the next requests to paths that match fail."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        headers |= {} if location is None else {"Location": location}
        self.faults.append(Fault(path, RefusedError(status, code, message, headers), times))

    def sent(self, path: str) -> list[Request]:
        """Return the requests to paths that match, oldest first."""
        return [request for request in self.requests if re.search(path, request.path)]

    def users(self) -> set[str | None]:
        """Return whose tokens came with requests that need one."""
        return {request.user for request in self.requests if not request.path.startswith("/.well-known/")}

    # --- answering --------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: dict[str, str], body: Any) -> Any:
        url = urlsplit(target)
        user = self._tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))
        query = dict(parse_qsl(url.query))
        request = Request(method, unquote(url.path), query, body, user.name if user else None, headers)
        with self._lock:
            self.requests.append(request)
            fault = next((f for f in self.faults if f.times > 0 and re.search(f.path, request.path)), None)
            if fault:
                fault.times -= 1
        if fault:
            raise fault.refused
        for verb, pattern, route in self._routes:
            if verb == method and (found := pattern.fullmatch(request.path)):
                if request.path.startswith("/.well-known/"):
                    return route(Call(User(""), request, ()))
                return route(Call(self._authorized(user, request.path), request, found.groups()))
        raise RefusedError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {request.path}'")

    def _authorized(self, user: User | None, path: str) -> User:
        if user is None:
            raise RefusedError(401, "UNAUTHENTICATED", "Credential was not sent or is not valid.")
        needed = next((scope for prefix, scope in SCOPES if path.startswith(prefix)), None)
        if needed is not None and user.scopes is not None and needed not in user.scopes:
            message = f"Provided OAuth token does not have required scopes: {needed}"
            raise RefusedError(403, "PERMISSION_DENIED", message)
        return user

    def _configuration(self, call: Call) -> Any:
        return {"oidc_endpoint": f"{self.url}/oidc", "workspace_id": "4711"}

    def _me(self, call: Call) -> Any:
        name = call.user.name
        groups = [{"display": "crew", "value": "1"}, {"display": f"friends of {name}", "value": "2"}]
        return {"id": name, "userName": f"{name}", "active": True, "groups": groups}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        workspace = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._respond(None)

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self._respond(json.loads(self.rfile.read(length) or b"{}"))

            def _respond(self, body: Any) -> None:
                headers = {name.title(): value for name, value in self.headers.items()}
                try:
                    found = workspace.answer(self.command, self.path, headers, body)
                except RefusedError as refused:
                    content = {"error_code": refused.code, "message": refused.message}
                    self._send(refused.status, json.dumps(content).encode(), refused.headers)
                else:
                    if isinstance(found, Streamed):
                        events = "".join(f"data: {event}\n\n" for event in found.events).encode()
                        self._send(200, events, {"Content-Type": "text/event-stream"}, missing=int(found.cut))
                    elif isinstance(found, Accepted):
                        self._send(202, b"", {})
                    else:
                        self._send(200, json.dumps(found).encode(), {})

            def _send(self, status: int, content: bytes, headers: dict[str, str], missing: int = 0) -> None:
                self.close_connection = self.close_connection or missing > 0
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + missing))
                self.end_headers()
                with suppress(ConnectionError):  # whoever was cancelled does not wait for it
                    self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Requests are recorded instead."""

        return Handler
