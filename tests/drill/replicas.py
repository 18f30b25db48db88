"""Replicas of a release: checked out beside, started, told to end, killed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.drill.world import World
from tests.serving.elsewhere import free_port

ROOT = Path(__file__).parents[2]
_PROVIDER = Path(__file__).with_name("provider")
_RUN = "import sys; from agent.cli import main; main()"
_PARTS = ("agent", "checkpointer", "tools", "requirements")


@dataclass(slots=True)
class Replica:
    """One process that serves."""

    process: subprocess.Popen[bytes]
    port: int

    def wait_until_ready(self, seconds: float = 90.0) -> None:
        """Wait until it answers."""
        end = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=5):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("a replica did not start; its log says why") from None
                time.sleep(0.1)

    def end(self) -> None:
        """Tell it to end, as a platform does, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True, slots=True)
class Release:
    """The code of a commit."""

    folder: Path
    world: World
    log: Path

    def run(self, *arguments: str) -> None:
        """Run a command of this release to its end."""
        subprocess.run(
            [sys.executable, "-c", _RUN, *arguments], env=self._environment(), cwd=self.folder, check=True, timeout=300
        )

    def start(self, turns: int) -> Replica:
        """Start a replica, which is not ready yet."""
        port = free_port()
        environment = self._environment() | {"MOORING_MODEL": "ollama:drill", "MOORING_TURNS": str(turns)}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _RUN, "serve", "--port", str(port)],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        return Replica(process, port)

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.folder), str(_PROVIDER)])
        return self.world.environment() | {"PYTHONPATH": path}


def checked_out(commit: str, folder: Path) -> Path:
    """Put the packages of a commit, and what they require, into a folder."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=zip", commit, *_PARTS], capture_output=True, check=True
    ).stdout
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        packed.extractall(folder)
    return folder
