"""Who holds a lease, so that one left by a dead process of this machine need not run out first.

A holder is the machine since its last boot, the process and when that started: a pid alone is used again. Only
processes of the same machine and pid namespace can be told dead; of any other nothing is known but its lease's end.
"""

from __future__ import annotations

import os
import time
import uuid
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


def holder() -> str:
    """Return the name of this process."""
    return f"{_machine()} {os.getpid()} {_started(os.getpid())}"


def is_dead(name: str) -> bool:
    """Tell whether the holder was a process of this machine that is gone for sure."""
    try:
        machine, pid, started, *_ = name.split(" ")
        return machine == _machine() and (not _exists(int(pid)) or _started(int(pid)) != started)
    except ValueError:
        return False


@cache
def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        # No such files outside of Linux. The time of boot tells two boots apart well enough.
        return f"{uuid.getnode():x}/{round((time.time() - time.monotonic()) / 60)}"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z"


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else "?"


def _state(pid: int) -> str:
    return (_stat(pid) or ["?"])[0]


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat after the program's name, which may hold blanks and brackets."""
    try:
        return (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(") ")[2].split()
    except OSError:
        return []
