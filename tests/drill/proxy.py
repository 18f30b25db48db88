"""A proxy that gives each connection to the next replica, and to another one where that is gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Proxy:
    """Listens on a port of its own. Replicas come and go by their ports."""

    def __init__(self) -> None:
        self.replicas: list[int] = []
        self.port = 0
        self._next = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        """Run it."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(len(self.replicas)):
            self._next += 1
            port = self.replicas[self._next % len(self.replicas)]
            with suppress(OSError):
                theirs = await asyncio.open_connection("127.0.0.1", port)
                break
        else:
            writer.close()
            return
        # What is still open when the drill is over ends without a word.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_pass(reader, theirs[1]), _pass(theirs[0], writer), return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
