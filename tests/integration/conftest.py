"""A saver on the sample database, for somebody no other test knows, and a proxy that counts round trips."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict

from checkpointer import Principal
from tests.integration.proxy import CountingProxy
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from checkpointer import GovernedPostgresSaver


@pytest.fixture
def person() -> Principal:
    return Principal(f"person-{uuid4()}@example.com")


@pytest.fixture
def saver(lakehouse: Database, person: Principal) -> Iterator[GovernedPostgresSaver]:
    with saver_of(lakehouse, person) as opened:
        yield opened


@pytest.fixture
def proxy(lakehouse: Database) -> Iterator[CountingProxy]:
    if not lakehouse.embedded:
        from tests.databricks.through import OnLakebase  # its package is optional

        assert isinstance(lakehouse, OnLakebase)
        with lakehouse.through.counting() as behind_tls:
            yield behind_tls
        return
    server = conninfo_to_dict(lakehouse.runtime)
    with CountingProxy(str(server["host"]), int(str(server["port"]))) as counting:
        yield counting
