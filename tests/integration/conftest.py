"""A saver on the sample database, for somebody no other test knows, and a proxy that counts round trips."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict

from checkpointer import GovernedPostgresSaver, Principal
from tests.integration.proxy import CountingProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database


@pytest.fixture
def person() -> Principal:
    return Principal(f"person-{uuid4()}@example.com")


@pytest.fixture
def saver(lakehouse: Database, person: Principal) -> Iterator[GovernedPostgresSaver]:
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, principal=person) as opened:
        yield opened


@pytest.fixture
def proxy(lakehouse: Database) -> Iterator[CountingProxy]:
    server = conninfo_to_dict(lakehouse.runtime)
    with CountingProxy(str(server["host"]), int(str(server["port"]))) as counting:
        yield counting
