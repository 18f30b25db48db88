"""A TCP proxy in front of Postgres that stalls, cuts connections, or loses what the server answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.integration.proxy import Proxy

if TYPE_CHECKING:
    from tests.integration.proxy import Requests


class FaultyProxy(Proxy):
    """Forwards to one server until it is told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._flowing = threading.Event()
        self._flowing.set()
        self._losses = 0

    def __exit__(self, *_: object) -> None:
        self.flow()
        super().__exit__()

    def stall(self) -> None:
        """Take what is sent and pass nothing on; connections stay open, and new ones are accepted."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass on again, what was held back first."""
        self._flowing.set()

    def lose_answers(self, times: int = 1) -> None:
        """Close the connection in place of passing on the server's next answer, so many times."""
        with self._lock:
            self._losses = times

    def passes(self, data: bytes, requests: Requests | None) -> bool:
        """Hold back while stalled; False loses an answer."""
        self._flowing.wait()
        with self._lock:
            lost = requests is None and self._losses > 0
            self._losses -= lost
        return not lost
