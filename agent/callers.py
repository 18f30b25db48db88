"""Who asks: everybody by a login of their own, and once only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from agent.errors import MooringError
from agent.identity import Caller, log_in, workspace_caller

if TYPE_CHECKING:
    from agent.host import Host
    from agent.workspace import WorkspaceCaller


class NotHereError(MooringError):
    """Somebody who asks in a dataset has no login here."""

    def __init__(self, user: str) -> None:
        super().__init__(
            f"{user!r} cannot be logged in where a workspace proves who asks",
            "leave the persona out of the dataset, and run it once for each of them",
        )


class Callers:
    """Log people in, by name; from any thread.

    Args:
        host: Where they log in.
        profile: A login to Databricks; with it, or without a database to log in to, there is nobody else.
    """

    def __init__(self, host: Host, profile: str | None = None) -> None:
        self._host = host
        self._workspace = profile is not None or host.database is None
        self._profile = profile
        self._known: dict[str | None, Caller | WorkspaceCaller] = {}
        self._lock = threading.Lock()

    @property
    def alone(self) -> bool:
        """Whether nobody can be logged in but who evaluates."""
        return self._workspace

    def __call__(self, user: str | None) -> Caller | WorkspaceCaller:
        """Return somebody, None for who evaluates.

        Raises:
            MooringError: They cannot log in.
        """
        with self._lock:
            if user not in self._known:
                self._known[user] = self._log_in(user)
            return self._known[user]

    def _log_in(self, user: str | None) -> Caller | WorkspaceCaller:
        database = self._host.database
        if self._workspace or database is None:
            if user is not None:
                raise NotHereError(user)
            return workspace_caller(self._profile)
        name = user or self._host.settings.user or database.default_user
        if name is None:
            raise MooringError("It is not said who is asking", "set MOORING_USER, or name a persona in the dataset")
        return log_in(database, name)
