"""TCP proxies in front of Postgres: one to build on, and one that counts network round trips."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


class Proxy:
    """Forwards to one server."""

    def __init__(self, host: str, port: int, at: int = 0) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", at))
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Waking the thread that accepts; closing alone leaves it waiting.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Drop every connection, as a restart or a failover does."""
        with self._lock:
            for end in self._sockets:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self._sockets.clear()

    def passes(self, data: bytes, requests: Requests | None) -> bool:
        """Tell whether to pass on what came; `requests` is the connection's, None for what the server answers."""
        return True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets += [client, server]
            threading.Thread(target=self._pump, args=(client, server, Requests()), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, None), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, requests: Requests | None) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(1 << 20)) and self.passes(data, requests):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class CountingProxy(Proxy):
    """Counts the bytes of answers, and round trips: the messages after which a client waits for the server's answer.

    Those are Query and Sync, and Flush where there is something to answer: right behind a Sync there is not (Postgres
    manual, 54.2). When bytes come says nothing: on a busy machine one request arrives in pieces, with a part of the
    answer in between.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.round_trips = 0
        self.answered = 0

    def passes(self, data: bytes, requests: Requests | None) -> bool:
        """Count, and pass everything on."""
        if requests is not None:
            waits = requests.waits(data)
            with self._lock:
                self.round_trips += waits
        else:
            with self._lock:
                self.answered += len(data)
        return True


class Requests:
    """The messages of one client, cut out of a stream of bytes."""

    def __init__(self) -> None:
        self._rest = b""
        self._started = False
        self._last = "S"

    def waits(self, data: bytes) -> int:
        """Return after how many of the messages that are complete with these bytes the client waits."""
        waits = 0
        for kind in self._kinds(data):
            waits += kind in "QS" or (kind == "H" and self._last not in "QSH")
            self._last = kind
        return waits

    def _kinds(self, data: bytes) -> Iterator[str]:
        self._rest += data
        # The first messages, for encryption and with the version, have no type before their length.
        while len(self._rest) >= (head := 5 if self._started else 8):
            length = self._rest[1:head] if self._started else self._rest[:4]
            end = int.from_bytes(length) + self._started
            if len(self._rest) < end:
                break
            if self._started:
                yield chr(self._rest[0])
            else:
                self._started = int.from_bytes(self._rest[4:6]) == 3  # the protocol's version, not a request code
            self._rest = self._rest[end:]
