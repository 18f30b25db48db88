"""What can go wrong with the embedded Postgres."""

from __future__ import annotations

from agent.errors import MooringError


class HomeError(MooringError):
    """MOORING_HOME cannot hold the embedded Postgres."""


class BinariesError(MooringError):
    """The Postgres binaries are not installed, or not for this platform."""


class ServerError(MooringError):
    """The embedded Postgres does not start, stop or let us in."""


class UnknownLoginError(MooringError):
    """The embedded Postgres has no person of this name."""


class DatabaseNotConfiguredError(MooringError):
    """No database is configured where the embedded one would lose its sessions."""
