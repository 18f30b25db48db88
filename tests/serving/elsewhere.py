"""A logged model, and interpreters that have the same packages and nothing of the repository."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
from mlflow.deployments import MlflowDeploymentClient

if TYPE_CHECKING:
    from collections.abc import Iterator

MOORING = str(Path(sys.executable).with_name("mooring"))
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
PACKAGES = Path(numpy.__file__).parent.parent
ASK = """
import json, sys
import mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
print(json.dumps(model.predict(json.loads(sys.argv[2]))))
"""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A logged model in a folder of its own."""

    model: str
    folder: Path
    python: str

    def ask(self, request: dict[str, Any], **environment: str) -> dict[str, Any]:
        """Load the model in a new process, and answer one request."""
        done = self.run("-c", ASK, self.model, json.dumps(request), **environment)
        answer: dict[str, Any] = json.loads(done.splitlines()[-1])
        return answer

    def run(self, *arguments: str, **environment: str) -> str:
        """Run the interpreter, and return what it prints."""
        done = subprocess.run(
            [self.python, *arguments],
            env=self.environment(**environment),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environment(self, **given: str) -> dict[str, str]:
        """Return an environment whose packages are ours, and do not include the repository's."""
        tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{self.folder}/mlflow.db"}
        path = f"{Path(self.python).parent}:{os.environ['PATH']}"
        return os.environ | QUIET | tracking | {"PATH": path, "PYTHONPATH": str(PACKAGES)} | given

    @contextmanager
    def served(self, **environment: str) -> Iterator[str]:
        """Run `mlflow models serve`, and yield its address."""
        port = free_port()
        command = ["-m", "mlflow", "models", "serve", "-m", self.model, "-p", str(port), "--env-manager", "local"]
        with (
            (self.folder / "serve.log").open("w") as log,
            subprocess.Popen(
                [self.python, *command],
                env=self.environment(**environment),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as server,
        ):
            try:
                wait_for(f"http://127.0.0.1:{port}/ping")
                yield f"http://127.0.0.1:{port}"
            finally:
                os.killpg(server.pid, 15)


def logged_model(folder: Path) -> Elsewhere:
    """Log the model by the command line; make an interpreter that knows nothing of it."""
    done = subprocess.run(
        [MOORING, "log-model", "-o", "json"],
        env=os.environ | QUIET | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    # MLflow calls it by its name.
    uvicorn = folder / "venv" / "bin" / "uvicorn"
    uvicorn.write_text(f"#!{folder}/venv/bin/python\nfrom uvicorn import main\nmain()\n")
    uvicorn.chmod(0o755)
    return Elsewhere(json.loads(done.stdout)["model_uri"], folder, str(folder / "venv" / "bin" / "python"))


def post(url: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    """Send JSON, and return the status and the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def deployed(url: str, body: dict[str, Any], bearer: str | None = None) -> dict[str, Any]:
    """Send what MLflow's client of deployments sends, with its own HTTP, and return what it makes of the answer.

    Raises:
        requests.HTTPError: The answer is a refusal.
    """
    before = os.environ.pop("MLFLOW_TRACKING_TOKEN", None)
    if bearer is not None:
        os.environ["MLFLOW_TRACKING_TOKEN"] = bearer
    try:
        client = MlflowDeploymentClient(url)  # type: ignore[no-untyped-call]
        answer: dict[str, Any] = client._call_endpoint("POST", "/invocations", body, 120)  # type: ignore[arg-type]
    finally:
        os.environ.pop("MLFLOW_TRACKING_TOKEN", None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_TOKEN"] = before
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(url: str, seconds: float = 60) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.2)
