"""The operating system's account that runs Postgres, which refuses to run as root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

DEFAULT_HOME_OF_ROOT = Path("/var/lib/mooring")


@dataclass(frozen=True)
class Account:
    """Who owns the data and runs the server. `drop` is false when that is who we are already."""

    uid: int
    gid: int
    drop: bool

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments of subprocess functions: the child gives up every privilege of ours, groups included."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.drop else {}

    def may_enter(self, folder: Path) -> bool:
        """Tell from its mode whether the account may pass through a folder."""
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))

    def closed_folder(self, folder: Path) -> Path | None:
        """Name the first folder on the way to `folder`, itself included, that the account may not enter."""
        if not self.drop:
            return None
        way = [*reversed(folder.parents), folder]
        return next((step for step in way if not self.may_enter(step)), None)


def account_for(cluster: Path) -> Account:
    """Choose the account: ourselves, or for root the owner of the cluster's folder, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), drop=False)
    if cluster.exists() and cluster.stat().st_uid != 0:
        # Containers give folders to accounts that have no entry in the password file.
        return Account(cluster.stat().st_uid, cluster.stat().st_gid, drop=True)
    try:
        return _dropped(pwd.getpwnam("postgres"))
    except KeyError:
        return _dropped(pwd.getpwnam("nobody"))


def default_home() -> Path:
    """Choose where data lives: the platform's user-data folder, unless the server's account cannot get there."""
    home = Path(platformdirs.user_data_dir("mooring", appauthor=False))
    existing = next(folder for folder in [home, *home.parents] if folder.exists())
    account = account_for(home / "cluster")
    # Home itself is made passable when it is prepared; the folders above it are never touched.
    above = existing.parent if existing == home else existing
    return home if account.closed_folder(above) is None else DEFAULT_HOME_OF_ROOT


def _dropped(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_uid, entry.pw_gid, drop=True)
