"""The folder that holds the embedded Postgres: its data, passwords, locks and log."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.local import locks
from agent.local.account import DEFAULT_HOME_OF_ROOT, Account, account_for
from agent.local.errors import HomeError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Home:
    """Where each thing is. Only `cluster` belongs to the server's account; the rest belongs to whoever runs Mooring."""

    path: Path
    account: Account

    @property
    def cluster(self) -> Path:
        return self.path / "cluster"

    @property
    def data(self) -> Path:
        return self.cluster / "data"

    @property
    def passfile(self) -> Path:
        return self.path / "passfile"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    @property
    def start_lock(self) -> Path:
        """Held alone while the server is started or stopped."""
        return self.path / "start.lock"

    @property
    def clients_lock(self) -> Path:
        """Held together by every process that uses the server."""
        return self.path / "clients.lock"

    @property
    def server_lock(self) -> Path:
        """Held by every process of the server, which shows one in another container that has the same folder."""
        return self.path / "server.lock"

    @property
    def pin(self) -> Path:
        """Exists while the server is to outlive its clients (`mooring db start`)."""
        return self.path / "keep"

    @property
    def port(self) -> Path:
        """The port used last, kept so that a psql or a notebook finds the server again."""
        return self.path / "port"

    @property
    def bootstrapped(self) -> Path:
        """Names what was set up in the cluster last, see agent.local.bootstrap."""
        return self.path / "bootstrapped"


def locate(path: Path) -> Home:
    """Say where things are, touching nothing."""
    path = path.expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise HomeError(f"MOORING_HOME={path} is a file", "set it to a folder of your own")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise HomeError(f"MOORING_HOME={path} is somebody else's or read-only", "set it to a folder of your own")
    return Home(path, account_for(path / "cluster"))


def prepare(path: Path) -> Home:
    """Make the folder, and as root make it passable for the server's account. Folders above it are never changed."""
    home = locate(path)
    try:
        created = not home.path.exists()
        home.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_open_to_all(home)
        _make_passable(home, created=created)
        with locks.alone(home.start_lock):
            home.cluster.mkdir(mode=0o700, exist_ok=True)
            if home.account.drop and home.cluster.stat().st_uid == os.geteuid():
                os.chown(home.cluster, home.account.uid, home.account.gid)
    except OSError as error:
        raise HomeError(
            f"MOORING_HOME={home.path} cannot be used ({error.strerror})", "set it to a folder that you may write"
        ) from error
    if home.cluster.stat().st_uid != home.account.uid:
        raise HomeError(f"MOORING_HOME={home.path} belongs to somebody else", "set it to a folder of your own")
    return home


def _refuse_open_to_all(home: Home) -> None:
    if home.path.stat().st_mode & stat.S_IWOTH:
        raise HomeError(
            f"everybody may write to MOORING_HOME={home.path}, and so replace the passwords there",
            "set it to a new folder inside, or run chmod o-w on it",
        )


def _make_passable(home: Home, *, created: bool) -> None:
    closed = home.account.closed_folder(home.path.resolve())
    if closed is None:
        return
    # A root's own folder that is new, empty (mktemp -d) or Mooring's already; never /root itself by mistake.
    ours = created or home.start_lock.exists() or not any(home.path.iterdir())
    if closed != home.path.resolve() or not ours or closed.stat().st_uid != os.geteuid():
        raise HomeError(
            f"MOORING_HOME={home.path} lies in {closed}, which the unprivileged account of Postgres may not enter",
            f"set MOORING_HOME to another folder, such as {DEFAULT_HOME_OF_ROOT}",
        )
    closed.chmod(closed.stat().st_mode | 0o011)
