"""Passwords of the embedded logins, in libpq's own format (manual, 34.16), so that no conninfo holds one."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from agent.local.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Only ever for loopback: libpq must not send these passwords to another host.
PREFIX = "127.0.0.1:*:*:"


def read(path: Path) -> dict[str, str]:
    """Read role -> password; empty when there is no file."""
    if not path.exists():
        return {}
    entries = (line.removeprefix(PREFIX).partition(":") for line in path.read_text().splitlines())
    return {role: password for role, _, password in entries if password}


def ensure(path: Path, roles: Iterable[str], *, fresh: bool) -> dict[str, str]:
    """Give every role a random password, keeping those it has. The file is never half-written and has mode 0600.

    `fresh` is false when the cluster exists: then a lost file is an error, since the server knows other passwords.
    """
    known = read(path)
    if known and path.stat().st_mode & 0o077:
        path.chmod(0o600)  # a copied home's; libpq does not read a file that others may
    if not known and not fresh:
        raise ServerError(f"{path} is missing", "put it back, or set MOORING_HOME to another folder to start anew")
    wanted = known | {role: secrets.token_urlsafe(32) for role in roles if role not in known}
    if wanted != known:
        _replace(path, "".join(f"{PREFIX}{role}:{password}\n" for role, password in wanted.items()))
    return wanted


def _replace(path: Path, text: str) -> None:
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
