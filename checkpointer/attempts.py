"""Why a pool has no connection: it tries again and again, and tells only that its time ran out."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from checkpointer.errors import CheckpointerError, DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What a server refuses for a reason that passes by itself, in English, as libpq has no codes for it.
_PASSES = re.compile(r"starting up|shutting down|recovery|too many|connection slots")
_REFUSED = re.compile(r"FATAL|SSL|certificate|password")


class Attempts:
    """What came of the attempts of a pool to connect."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        """What the last one that ended failed with, if it did."""
        self._connected = False
        self._running: set[object] = set()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what comes of an attempt."""
        with self._running_now((psycopg.OperationalError,)):
            yield
            self.failure, self._connected = None, True

    def telling(self, conninfo: Callable[[], str]) -> Callable[[], str]:
        """Return what tells how to connect, as the first part of an attempt: what it fails with is noted too."""

        def told() -> str:
            with self._running_now((Exception,)):
                return conninfo()

        return told

    @contextmanager
    def _running_now(self, failures: tuple[type[Exception], ...]) -> Iterator[None]:
        this = object()
        self._running.add(this)
        try:
            yield
        except failures as error:
            self.failure = error
            raise
        finally:
            self._running.remove(this)

    def refused(self) -> bool:
        """Tell whether the server refused for a reason that does not pass by itself."""
        text = str(self.failure or "")
        return bool(_REFUSED.search(text)) and not _PASSES.search(text)

    def unavailable(self) -> DatabaseUnavailableError:
        """Return what to raise where the pool had no connection in time."""
        if self.refused():
            return DatabaseUnavailableError(
                "The sessions' database refuses the connection; the cause of this error says why. Mend the connection "
                "string of the runtime role."
            )
        if isinstance(self.failure, CheckpointerError):
            return DatabaseUnavailableError(
                f"The sessions' database cannot be reached. {self.failure} Nothing that was acknowledged is lost."
            )
        if self.failure is None and self._connected and not self._running:
            return DatabaseUnavailableError(
                "All connections to the sessions' database are in use. Nothing that was acknowledged is lost; try "
                "again in a moment, or open the saver with a larger max_size."
            )
        return unreachable()

    def connection_class(self) -> type[psycopg.Connection[Any]]:
        """Return the class of connections whose attempts are noted here."""
        noted = self.noted

        class Noted(psycopg.Connection[Any]):
            @classmethod
            def connect(cls, *args: Any, **kwargs: Any) -> Any:
                with noted():
                    return super().connect(*args, **kwargs)

        return Noted

    def async_connection_class(self) -> type[psycopg.AsyncConnection[Any]]:
        """Return the same for async callers."""
        noted = self.noted

        class Noted(psycopg.AsyncConnection[Any]):
            @classmethod
            async def connect(cls, *args: Any, **kwargs: Any) -> Any:
                with noted():
                    return await super().connect(*args, **kwargs)

        return Noted


def unreachable() -> DatabaseUnavailableError:
    """Return what to raise where nothing answers."""
    return DatabaseUnavailableError(
        "The sessions' database cannot be reached. Nothing that was acknowledged is lost; try again when it is back."
    )
