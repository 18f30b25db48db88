"""What runs on a catalog's connections now, so that it can be cancelled from another thread."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

_CANCEL_SECONDS = 2.0


@dataclass(eq=False, slots=True)
class Call:
    """One use of a connection."""

    conn: psycopg.Connection[tuple[Any, ...]]
    cancelled: bool = False


class Calls:
    """The calls that run now. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Call] = set()

    @contextmanager
    def on(self, conn: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Call]:
        """Let the block be cancelled. After it, no cancellation is under way that could hit what comes next."""
        call = Call(conn)
        with self._lock:
            self._running.add(call)
        try:
            yield call
        finally:
            with self._lock:
                self._running.remove(call)

    def cancel(self) -> None:
        """Cancel the statements that run now. A server that does not answer is left to the connection's timeouts."""
        with self._lock:
            for call in self._running:
                call.cancelled = True
                with suppress(psycopg.OperationalError):
                    call.conn.cancel_safe(timeout=_CANCEL_SECONDS)
