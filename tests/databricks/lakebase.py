"""The stand-in's Lakebase: computes and credentials in the API, and a Postgres behind TLS whose passwords are tokens.

The front ends TLS, asks for the password, and passes everything else between the client and a login of that name on the
real server. Tokens are looked at when somebody logs in, and never again, as the real one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.databricks.workspace import RefusedError

if TYPE_CHECKING:
    from tests.databricks.workspace import Call, Workspace

ENDPOINT = "projects/harbour/branches/production/endpoints/primary"
INSTANCE = "harbour"
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_TOLD = (
    "server_version",
    "server_encoding",
    "client_encoding",
    "DateStyle",
    "TimeZone",
    "IntervalStyle",
    "integer_datetimes",
    "standard_conforming_strings",
    "is_superuser",
    "session_authorization",
    "application_name",
)


@dataclass(frozen=True)
class Minted:
    """A token of the database."""

    user: str
    expires_at: float


@dataclass(frozen=True)
class Login:
    """Somebody who tried to log in."""

    user: str
    encrypted: bool
    token: str | None
    accepted: bool


class Lakebase:
    """Adds its routes to a workspace, and runs the front.

    `login` gives the connection string of a login on the real server.
    """

    def __init__(self, workspace: Workspace, login: Callable[[str], str], folder: Path) -> None:
        self.minted: dict[str, Minted] = {}
        self.logins: list[Login] = []
        self.life = 3600.0
        """Seconds that a new token is good for."""
        self.units = 0.5
        self.skew = 0.0
        """How much later it is here than the clock says."""
        self.asleep = False
        """The next login wakes the compute, which takes a moment."""
        self.encrypts = True
        """Without it, it is a server that takes passwords in the clear."""
        self.database: str | None = None
        """The only database there is; without it, any name is good for the one behind."""
        self.port = 0
        self.certificate = folder / "lakebase.pem"
        self.login = login
        self._key = folder / "lakebase.key"
        self._cancelled: dict[bytes, psycopg.Connection[Any]] = {}
        """Whose queries are cancelled by which key."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        workspace.route("POST", "/api/2.0/postgres/credentials", self._credentials)
        workspace.route("GET", f"/api/2.0/postgres/{ENDPOINT}", lambda _: self._endpoint())
        workspace.route("GET", f"/api/2.0/postgres/{ENDPOINT.rpartition('/')[0]}", self._endpoints)
        workspace.route("POST", "/api/2.0/database/credentials", self._instance_credentials)
        workspace.route("GET", "/api/2.0/database/instances/{}", self._instance)

    # --- the API ----------------------------------------------------------------------------------------------------

    def _mint(self, user: str) -> tuple[str, str]:
        token = f"eyJ-{user}-{secrets.token_hex(16)}"
        expires_at = time.time() + self.skew + self.life
        self.minted[token] = Minted(user, expires_at)
        return token, datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _credentials(self, call: Call) -> Any:
        if call.request.body["endpoint"] != ENDPOINT:
            raise RefusedError(404, "NOT_FOUND", "endpoint not found")
        token, expires = self._mint(call.user.name)
        return {"token": token, "expire_time": expires}

    def _instance_credentials(self, call: Call) -> Any:
        assert call.request.body["request_id"]
        if call.request.body["instance_names"] != [INSTANCE]:
            raise RefusedError(404, "NOT_FOUND", "instance not found")
        token, expires = self._mint(call.user.name)
        return {"token": token, "expiration_time": expires}

    def _endpoint(self) -> Any:
        status = {
            "endpoint_type": "ENDPOINT_TYPE_READ_WRITE",
            "current_state": "IDLE" if self.asleep else "ACTIVE",
            "hosts": {"host": "127.0.0.1"},
            "autoscaling_limit_min_cu": self.units,
        }
        return {"name": ENDPOINT, "status": status}

    def _endpoints(self, call: Call) -> Any:
        reading = {"endpoint_type": "ENDPOINT_TYPE_READ_ONLY", "hosts": {"host": "127.0.0.1"}}
        return {"endpoints": [{"name": f"{ENDPOINT}-reader", "status": reading}, self._endpoint()]}

    def _instance(self, call: Call) -> Any:
        if call.parts[0] != INSTANCE:
            raise RefusedError(404, "NOT_FOUND", "instance not found")
        return {"name": INSTANCE, "state": "AVAILABLE", "read_write_dns": "127.0.0.1", "capacity": "CU_2"}

    # --- the front --------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[Lakebase]:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        files = ["-keyout", str(self._key), "-out", str(self.certificate), "-days", "1", "-subj", "/CN=127.0.0.1"]
        names = ["-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([*command, *files, *names], check=True, capture_output=True)
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(server.close)
            self.cut()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def suspend(self) -> None:
        """Scale to zero: every connection is gone, and the next login wakes the compute."""
        self.asleep = True
        self.cut()

    def cut(self) -> None:
        """Drop every connection."""
        self._do(self._cut())

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _cut(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted = False
        while (code := struct.unpack("!I", (start := await _message(reader))[:4])[0]) in (_SSL, _GSS, _CANCEL):
            if code == _CANCEL:
                if conn := self._cancelled.get(start[4:]):
                    with contextlib.suppress(psycopg.Error):  # it is just ending
                        await asyncio.to_thread(conn.cancel_safe)
                return
            encrypted = code == _SSL and self.encrypts
            writer.write(b"S" if encrypted else b"N")
            if encrypted:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate, self._key)
                await writer.start_tls(context)
        words = start[4:].split(b"\0")
        given = dict(zip(words[::2], words[1::2], strict=False))
        user = given[b"user"].decode()
        if not encrypted and self.encrypts:
            self._refuse(writer, Login(user, encrypted, None, accepted=False), "TLS is required")
            return
        writer.write(b"R" + struct.pack("!II", 8, 3))
        await reader.readexactly(1)
        token = (await _message(reader)).rstrip(b"\0").decode()
        if self.asleep:
            await asyncio.sleep(0.3)
            self.asleep = False
        minted = self.minted.get(token)
        if minted is None or minted.user != user or minted.expires_at <= time.time() + self.skew:
            self._refuse(writer, Login(user, encrypted, token, accepted=False), f'login failed for "{user}"')
            return
        self.logins.append(Login(user, encrypted, token, accepted=True))
        if (wanted := given[b"database"].decode()) != (self.database or wanted):
            _send_error(writer, "3D000", f'database "{wanted}" does not exist')
            return
        await self._pass_on(reader, writer, user, given)

    def _refuse(self, writer: asyncio.StreamWriter, login: Login, why: str) -> None:
        self.logins.append(login)
        _send_error(writer, "28P01", why)

    def _behind(self, user: str, name: str, options: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.login(user), application_name=name, options=options)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, given: dict[bytes, bytes]
    ) -> None:
        name, options = (given.get(each, b"").decode() for each in (b"application_name", b"options"))
        with await asyncio.to_thread(self._behind, user, name, options) as conn:
            behind = socket.socket(fileno=os.dup(conn.pgconn.socket))
            behind.setblocking(False)
            from_server, to_server = await asyncio.open_connection(sock=behind)
            writer.write(b"R" + struct.pack("!II", 8, 0))
            for parameter in _TOLD:
                if (value := conn.pgconn.parameter_status(parameter.encode())) is not None:
                    body = parameter.encode() + b"\0" + value + b"\0"
                    writer.write(b"S" + struct.pack("!I", len(body) + 4) + body)
            key = struct.pack("!I", conn.pgconn.backend_pid) + secrets.token_bytes(4)
            self._cancelled[key] = conn
            writer.write(b"K" + struct.pack("!I", 12) + key)
            writer.write(b"Z" + struct.pack("!I", 5) + b"I")
            ways = [asyncio.create_task(_pump(reader, to_server)), asyncio.create_task(_pump(from_server, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                del self._cancelled[key]
                for way in ways:
                    way.cancel()
                to_server.transport.abort()


def _send_error(writer: asyncio.StreamWriter, code: str, why: str) -> None:
    fields = f"SFATAL\0C{code}\0M{why}\0\0".encode()
    writer.write(b"E" + struct.pack("!I", len(fields) + 4) + fields)


async def _message(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    return await reader.readexactly(length - 4)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
