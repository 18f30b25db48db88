"""Run the real `mooring serve`, and ask it as people do: over HTTP, with their tokens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.databricks.warehouse import WAREHOUSE
from tests.serving.elsewhere import MOORING, QUIET, free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from tests.databricks.stand_in import StandIn

PROVIDER = str(Path(__file__).with_name("provider"))
PATIENT = {
    "MOORING_MODEL": "ollama:any",
    "PYTHONPATH": os.pathsep.join(filter(None, (PROVIDER, os.environ.get("PYTHONPATH")))),
}
"""Settings of a server whose model takes its time."""


@cache
def token(user: str) -> str:
    """Return a bearer token of somebody's, from the command line."""
    done = subprocess.run([MOORING, "token", "--as", user], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def app_of(stand_in: StandIn, lakehouse: Database) -> dict[str, str]:
    """Return the environment of a Databricks App in a stand-in workspace.

    The workspace's users have no login to this database; the service is believed about whom it asks for.
    """
    return {
        "DATABRICKS_APP_NAME": "mooring",
        "DATABRICKS_HOST": stand_in.workspace.url,
        "DATABRICKS_WAREHOUSE_ID": WAREHOUSE,
        "DATABRICKS_CLIENT_ID": "service",
        "DATABRICKS_CLIENT_SECRET": "service-secret",
        "MOORING_DATABASE_URL": lakehouse.runtime,
    }


@dataclass(frozen=True)
class Served:
    """A running server, and what it has written to its log."""

    url: str
    process: subprocess.Popen[bytes] = field(repr=False)
    path: Path

    @property
    def log(self) -> str:
        return self.path.read_text()

    def client(self, user: str | None, **headers: str) -> httpx.Client:
        """Return a client of HTTP that asks as somebody, or as nobody."""
        bearer = {} if user is None else {"Authorization": f"Bearer {token(user)}"}
        return httpx.Client(base_url=self.url, headers=bearer | headers, timeout=60)

    def post(self, user: str | None, body: Any, path: str = "/responses", **headers: str) -> httpx.Response:
        """Send a body as JSON; bytes are sent as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.client(user, **headers) as client:
            return client.post(path, content=content, headers={"Content-Type": "application/json"})

    def get(self, user: str | None, path: str, **headers: str) -> httpx.Response:
        with self.client(user, **headers) as client:
            return client.get(path)

    def end(self, number: int = signal.SIGTERM, seconds: float = 60) -> float:
        """Tell the server to end, and return after how many seconds it has."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(seconds)
        return time.monotonic() - start


@contextmanager
def served(folder: Path, *options: str, **environment: str) -> Iterator[Served]:
    """Run a server until the end of the block."""
    port = free_port()
    path = folder / f"serve-{port}.log"
    command = [MOORING, "serve", "--port", str(port), *options]
    given = os.environ | QUIET | environment
    with (
        path.open("wb") as log,
        subprocess.Popen(command, env=given, cwd=folder, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            yield Served(f"http://127.0.0.1:{port}", process, path)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


def asked(text: str, session: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a request with one question."""
    custom = {} if session is None else {"custom_inputs": {"thread_id": session}}
    return {"input": [{"role": "user", "content": text}], **custom, **more}


def conversation(*texts: str, session: str) -> dict[str, Any]:
    """Return a request with a whole conversation, the user's first."""
    roles = ("user", "assistant")
    items = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return {"input": items, "custom_inputs": {"thread_id": session}}


def said(response: dict[str, Any]) -> str:
    """Return the texts of a response."""
    items = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in items for part in item["content"])


def events_in(text: str) -> list[dict[str, Any]]:
    """Return the events of a stream, which must end as it has to."""
    blocks = text.strip().split("\n\n")
    assert blocks[-1] == "data: [DONE]"
    events = []
    for block in blocks[:-1]:
        kind, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert kind == f"event: {event['type']}"
        events.append(event)
    return events


def failure(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of a refusal."""
    told = response.json()
    assert set(told) == {"error"}, told
    assert set(told["error"]) == {"code", "message"}
    return response.status_code, told["error"]["code"]
