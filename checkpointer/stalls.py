"""Notice a connection that stalls without closing: nobody answers, and TCP has nothing to complain about.

A server that is stopped, or a proxy that hangs, still acknowledges what is sent, so neither keepalives nor
`tcp_user_timeout` end the wait, and psycopg waits for an answer without a limit. Here the connection is shut down from
the side when an operation has waited for so long; psycopg then reports it as lost.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg


@dataclass(eq=False, slots=True)
class Watched:
    """An operation that waits for the server, on this file descriptor. `cut` when it waited too long."""

    fd: int
    due: float
    cut: bool = False


class StallWatch:
    """Watches the operations of a pool from a thread, which ends when there were none for a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Condition()
        self._watched: dict[Watched, None] = {}  # in the order in which they are due
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, conn: psycopg.Connection | psycopg.AsyncConnection) -> Iterator[Watched]:
        """Shut the connection down if the block takes too long."""
        watched = Watched(conn.fileno(), time.monotonic() + self._seconds)
        with self._lock:
            self._watched[watched] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mooring-stalls", daemon=True)
                self._thread.start()
        try:
            yield watched
        finally:
            with self._lock:
                self._watched.pop(watched, None)

    def _work(self) -> None:
        with self._lock:
            while True:
                if not self._watched:
                    self._lock.wait(self._seconds)  # nobody tells; the next is due no sooner
                    if not self._watched:
                        self._thread = None
                        return
                watched = next(iter(self._watched))
                left = watched.due - time.monotonic()
                if left > 0:
                    self._lock.wait(left)
                else:
                    del self._watched[watched]
                    watched.cut = True
                    _shut_down(watched.fd)


def _shut_down(fd: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(fd)) as end:
        end.shutdown(socket.SHUT_RDWR)
