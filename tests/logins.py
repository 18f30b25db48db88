"""How tests log in and open savers: on the embedded server, or on Lakebase by either of its identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.conninfo import make_conninfo

from checkpointer import GovernedPostgresSaver

if TYPE_CHECKING:
    from agent.database import Database
    from checkpointer import Principal


def saver_of(
    lakehouse: Database, person: Principal, *, port: int | None = None, **options: Any
) -> GovernedPostgresSaver:
    """Return a saver for one person, to be entered; on Lakebase the broker's, or of the person's own login.

    `port` is that of a proxy before the server.
    """
    if lakehouse.embedded:
        conninfo = make_conninfo(lakehouse.runtime, host="127.0.0.1", port=port) if port else lakehouse.runtime
        return GovernedPostgresSaver.from_conn_string(conninfo, principal=person, **options)
    from tests.databricks.through import OnLakebase  # its package is optional

    assert isinstance(lakehouse, OnLakebase)
    return lakehouse.through.saver(person, port=port, **options)


def login_as(lakehouse: Database, role: str) -> str:
    """Return the connection string of a role whose password is `secret`; on Lakebase a token takes its place."""
    if lakehouse.embedded:
        return make_conninfo(lakehouse.runtime, user=role, password="secret")
    return lakehouse.login(role)
