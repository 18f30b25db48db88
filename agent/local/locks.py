"""File locks between processes. The kernel drops them with their holder, however it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a file's lock alone, waiting for it. Works between threads of one process as well."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Share:
    """A share of a file's lock, until `close`.

    A forked child has the same open file: closing its copy leaves the parent's share alone, LOCK_UN would not.
    Programs that we start get none, descriptors are closed on exec (PEP 446), unless they are passed `descriptor`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = _open(path)
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        """Give the share up."""
        os.close(self.descriptor)


def shared_by_nobody(path: Path) -> bool:
    """Tell whether no process holds a share right now."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
