"""Savers of people who log in to Lakebase by themselves: a small pool for each, kept while they come back.

with LakebaseLogins() as logins:                                  # LAKEBASE_... names the compute
    with logins.of(client, Principal("alice@example.com")) as saver:
        graph = builder.compile(checkpointer=saver)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from checkpointer.lakebase import Lakebase, LakebaseError, lakebase
from checkpointer.principal import Principal
from checkpointer.saver import GovernedPostgresSaver

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from databricks.sdk import WorkspaceClient


@dataclass(eq=False, slots=True)
class _Kept:
    """A login's saver, once somebody has opened it."""

    opening: threading.Lock = field(default_factory=threading.Lock)
    source: Lakebase | None = None
    saver: GovernedPostgresSaver | None = None
    in_use: int = 0
    used_at: float = 0.0


class LakebaseLogins:
    """Gives each person the saver of their own login. Threads may share it.

    Args:
        most: People whose connections are kept at once; who was away longest makes room.
        idle_seconds: How long connections are kept that nobody uses; looked at whenever somebody comes.
        compute: What to connect to, as for `GovernedPostgresSaver.from_lakebase`.
        options: As for `GovernedPostgresSaver`.
        now: Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        *,
        most: int = 50,
        idle_seconds: float = 600.0,
        compute: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._idle_seconds = idle_seconds
        self._compute = compute or {}
        self._options = options or {}
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def __enter__(self) -> Self:
        """Return itself; a login connects when it is first asked for."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        with self._lock:
            gone = list(self._kept.values())
            self._kept.clear()
        _close(gone)

    @contextmanager
    def of(self, client: WorkspaceClient, principal: Principal) -> Iterator[GovernedPostgresSaver]:
        """Give the saver of a person, who is the principal of its calls.

        Args:
            client: Theirs, of this request; new connections are made with it.
            principal: Whom the workspace says that they are.

        Raises:
            LakebaseError: The client is somebody else's, the workspace refuses, or too many people are here at once.
        """
        kept = self._taken(principal.name)
        try:
            with kept.opening:
                saver = self._opened(kept, client, principal)
            yield saver
        finally:
            with self._lock:
                kept.in_use -= 1
                kept.used_at = self._now()
                if kept.saver is None and kept.in_use == 0 and self._kept.get(principal.name) is kept:
                    del self._kept[principal.name]

    def _opened(self, kept: _Kept, client: WorkspaceClient, principal: Principal) -> GovernedPostgresSaver:
        if kept.saver is not None and kept.source is not None:
            kept.source.use(client)
            return kept.saver
        source = lakebase(identity="login", workspace_client=client, **self._compute)
        if source.user != principal.name:
            raise LakebaseError(f"The client is not that of {principal.name!r}.")
        size = {"min_size": 0, "max_size": source.pool_size("login")}
        saver = GovernedPostgresSaver(source, principal=Principal(source.user), **{**size, **self._options})
        saver.__enter__()
        kept.source, kept.saver = source, saver
        return saver

    def _taken(self, name: str) -> _Kept:
        with self._lock:
            gone = self._idle(name)
            kept = self._kept.setdefault(name, _Kept())
            kept.in_use += 1
        _close(gone)
        return kept

    def _idle(self, name: str) -> list[_Kept]:
        """Take out whom nobody uses any more, and, where there is no room, who was away longest."""
        away = sorted((k.used_at, n) for n, k in self._kept.items() if not k.in_use and n != name)
        out = [each for used_at, each in away if self._now() - used_at > self._idle_seconds]
        if name not in self._kept and len(self._kept) - len(out) >= self._most:
            if len(out) == len(away):
                raise LakebaseError(f"{self._most} people are using their sessions at once. Try again in a moment.")
            out.append(away[len(out)][1])
        return [self._kept.pop(each) for each in out]


def _close(gone: list[_Kept]) -> None:
    for kept in gone:
        if kept.saver is not None:
            kept.saver.__exit__(None, None, None)
