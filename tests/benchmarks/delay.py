"""A proxy that makes the network slow, as a process of its own: python -m tests.benchmarks.delay HOST PORT MS.

What the client sends arrives MS milliseconds later, what the server sends at once, so a round trip takes MS longer.
Prints its port, and ends when stdin does. One thread and `select`, whose timeouts are finer than those of epoll and so
of asyncio.
"""

from __future__ import annotations

import heapq
import select
import socket
import subprocess
import sys
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class DelayingProxy:
    """Forwards to one server until stdin ends."""

    def __init__(self, host: str, port: int, milliseconds: float) -> None:
        self._server = (host, port)
        self._delay = milliseconds / 1000
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._ends: dict[socket.socket, tuple[socket.socket, float]] = {}
        self._due: list[tuple[float, int, socket.socket, bytes]] = []
        self._sent = 0
        self.port = int(self._listener.getsockname()[1])

    def run(self) -> None:
        """Forward."""
        while True:
            timeout = max(0.0, self._due[0][0] - perf_counter()) if self._due else None
            ready, _, _ = select.select([sys.stdin, self._listener, *self._ends], [], [], timeout)
            if sys.stdin in ready:
                return
            if self._listener in ready:
                self._accept()
            for source in [each for each in self._ends if each in ready]:
                self._read(source)
            while self._due and self._due[0][0] <= perf_counter():
                _, _, target, data = heapq.heappop(self._due)
                self._send(target, data)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ends[client] = server, self._delay
        self._ends[server] = client, 0.0

    def _read(self, source: socket.socket) -> None:
        if source not in self._ends:
            return
        target, delay = self._ends[source]
        try:
            data = source.recv(1 << 20)
        except OSError:
            data = b""
        if not delay:
            self._send(target, data)
            return
        self._sent += 1
        heapq.heappush(self._due, (perf_counter() + delay, self._sent, target, data))

    def _send(self, target: socket.socket, data: bytes) -> None:
        if target not in self._ends:
            return
        try:
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            source, _ = self._ends.pop(target)
            self._ends.pop(source, None)
            target.close()
            source.close()


@contextmanager
def delayed(host: str, port: int, milliseconds: float) -> Iterator[int]:
    """Run the proxy beside us, so that it does not compete for our interpreter; yield its port."""
    command = [sys.executable, "-m", "tests.benchmarks.delay", host, str(port), str(milliseconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdin is not None
        assert proxy.stdout is not None
        try:
            yield int(proxy.stdout.readline())
        finally:
            proxy.stdin.close()


if __name__ == "__main__":
    proxy = DelayingProxy(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    print(proxy.port, flush=True)
    proxy.run()
