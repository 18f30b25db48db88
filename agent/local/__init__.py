"""The embedded Postgres and its sample lakehouse, for laptops and tests.

with agent.local.joined(home) as server:
    psycopg.connect(server.conninfo("alice"))
"""

from __future__ import annotations

from agent.local.account import default_home
from agent.local.errors import BinariesError, DatabaseNotConfiguredError, HomeError, ServerError, UnknownLoginError
from agent.local.server import Server, Status, joined, start, status, stop

__all__ = [
    "BinariesError",
    "DatabaseNotConfiguredError",
    "HomeError",
    "Server",
    "ServerError",
    "Status",
    "UnknownLoginError",
    "default_home",
    "joined",
    "start",
    "status",
    "stop",
]
