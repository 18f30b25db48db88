"""One at a time for each thread, within a process.

Storing holds the lock of the thread's row until its commit, so two stores of one thread wait for each other anyway:
here without a connection, and before they are encoded, so that the second knows what the first stored.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Hashable
from weakref import WeakValueDictionary


class Turns:
    """Locks by key, for threads or for the tasks of one event loop; one that nobody holds or waits for is gone."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[Hashable, _Lock] = WeakValueDictionary()
        self._async_locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: Hashable) -> _Lock:
        """Return the lock of a key, for `with`."""
        with self._guard:
            lock = self._locks.get(key)
            if lock is None:
                lock = self._locks[key] = _Lock()
            return lock

    def async_of(self, key: Hashable) -> asyncio.Lock:
        """Return the lock of a key, for `async with` on one event loop."""
        lock = self._async_locks.get(key)
        if lock is None:
            lock = self._async_locks[key] = asyncio.Lock()
        return lock


class _Lock:
    """A lock that can be referred to weakly."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
