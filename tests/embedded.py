"""Homes of embedded servers for tests, and child programs that use them, also as another account."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent import local

if TYPE_CHECKING:
    from collections.abc import Iterator

# Prints the server's pid once it is joined, stays until stdin ends.
MEMBER = """
import sys
from pathlib import Path
from agent import local
with local.joined(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""
ORDINARY = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
# Everything is imported while root's interpreter can be read, then every privilege is given up for good.
AS_ACCOUNT = f"""
import os, sys
from pathlib import Path
import psycopg
import checkpointer
from agent import local
if os.geteuid() == 0:
    account = int(os.environ.get("ACCOUNT", {ORDINARY}))
    os.setgroups([])
    os.setgid(account)
    os.setuid(account)
"""


@contextmanager
def fresh_home(name: str = "home") -> Iterator[Path]:
    """Offer a home that does not exist yet, and leave neither server nor folder behind.

    Not below tmp_path: root's is closed to the account that runs Postgres.
    """
    folder = Path(tempfile.mkdtemp(prefix="mooring-test-"))
    folder.chmod(0o755)
    try:
        yield folder / name
    finally:
        if (folder / name).is_dir():
            local.stop(folder / name)
        shutil.rmtree(folder)


def child(home: Path, program: str = MEMBER, **environment: str) -> subprocess.Popen[str]:
    """Start a Python program with the home as its argument."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(home)],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def member(home: Path) -> Iterator[int]:
    """Have another process use the server of a home; yield the server's pid."""
    with child(home) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.communicate()


def kill(*pids: int) -> None:
    """Kill processes, and return when they are gone; one that its parent has not buried yet is."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    while any(_lives(pid) for pid in pids):
        time.sleep(0.001)


def _lives(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def descendants(pid: int) -> list[int]:
    """List the children of a process, and theirs."""
    found = subprocess.run(["ps", "-axwwo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [(int(line.split()[0]), int(line.split()[1])) for line in found.splitlines()]
    children = [each for each, parent in pairs if parent == pid]
    return children + [grandchild for each in children for grandchild in descendants(each)]


def servers(home: Path) -> list[int]:
    """List the processes that ps shows for the server of a home."""
    found = subprocess.run(["ps", "-axwwo", "pid=,stat=,command="], capture_output=True, text=True, check=True).stdout
    data = str(home / "cluster" / "data")
    return [
        int(line.split()[0]) for line in found.splitlines() if f" -D {data} " in line and "Z" not in line.split()[1]
    ]
