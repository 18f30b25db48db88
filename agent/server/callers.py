"""Who makes a request: the user whom Databricks Apps forwards, or the bearer of one of a laptop's tokens."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from agent.errors import CallerError
from agent.identity import Caller, log_in
from agent.local.ephemeral import ephemeral_surface
from agent.server.tokens import user_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.host import Host
    from agent.workspace import WorkspaceCaller

_ACCESS = "x-forwarded-access-token"
# How long a proven caller is believed without being asked again, and how many are remembered.
_SECONDS, _MOST = 60.0, 1000


class Callers:
    """Proves callers by the credentials of their requests. Threads may share it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._proven: OrderedDict[str, tuple[float, Caller | WorkspaceCaller]] = OrderedDict()

    def of(self, headers: Mapping[str, str]) -> Caller | WorkspaceCaller:
        """Return who makes a request.

        Args:
            headers: The request's; nothing else of it is looked at.

        Raises:
            CallerError: There are no credentials, or they are not accepted.
            LoginError: The bearer's person cannot log in to the database.
        """
        key = self._key(headers)
        with self._lock:
            until, caller = self._proven.get(key, (0.0, None))
            if caller is not None and time.monotonic() < until:
                return caller
        caller = self._prove(headers)
        with self._lock:
            self._proven[key] = (time.monotonic() + _SECONDS, caller)
            self._proven.move_to_end(key)
            while len(self._proven) > _MOST:
                self._proven.popitem(last=False)
        return caller

    def _key(self, headers: Mapping[str, str]) -> str:
        """Tell requests apart by all that they are proven by, without keeping it."""
        names = (_ACCESS, "x-forwarded-email", "authorization")
        return hashlib.sha256("\0".join(headers.get(name, "") for name in names).encode()).hexdigest()

    def _prove(self, headers: Mapping[str, str]) -> Caller | WorkspaceCaller:
        if ephemeral_surface() == "Databricks Apps":
            from agent.workspace import apps_caller

            return apps_caller(headers)
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise CallerError(
                "The request does not say who asks", "send `Authorization: Bearer` and what `mooring token` prints"
            )
        user = user_of(self._host.settings, token.strip())
        if self._host.database is None:
            raise CallerError("Sessions are kept in Lakebase", "run this as a Databricks App, or use --profile")
        return log_in(self._host.database, user)
