"""Which processes belong to one Postgres cluster, told by the `cluster_name` in their command lines.

Postgres shows `cluster_name` in the title of every server process (manual, 19.7), and command lines are readable
across accounts where working folders are not (a container's root lacks CAP_SYS_PTRACE). A zombie has no command
line, and a process that was given the pid of a dead one has another, so neither is taken for a server.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

PROC = Path("/proc")


def belongs(pid: int, cluster_name: str) -> bool:
    """Tell whether a living process with this pid belongs to the cluster, its launcher included."""
    return pid > 0 and _is_server(_command_line(pid), cluster_name)


def members(cluster_name: str) -> list[int]:
    """List the pids of all living processes of the cluster."""
    if (PROC / "self").exists():
        pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
        return [pid for pid in pids if _is_server(_command_line(pid), cluster_name)]
    lines = (line.split(maxsplit=1) for line in _ps("-axwwo", "pid=,command=").splitlines())
    return [int(line[0]) for line in lines if len(line) == 2 and _is_server(line[1], cluster_name)]


def _is_server(command_line: str, cluster_name: str) -> bool:
    program = command_line.partition(" -D ")[0]
    postmaster = program.endswith("/postgres") and f"cluster_name={cluster_name}" in command_line
    return postmaster or command_line.startswith(f"postgres: {cluster_name}: ")


def _command_line(pid: int) -> str:
    if not (PROC / "self").exists():
        return _ps("-wwo", "command=", "-p", str(pid))
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _ps(*arguments: str) -> str:
    return subprocess.run(["/bin/ps", *arguments], capture_output=True, text=True, check=False).stdout  # noqa: S603
