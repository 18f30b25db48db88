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
    from tests.databricks.through import Through


@pytest.fixture
def person(lakebase_way: Through | None) -> Principal:
    somebody = Principal(f"person-{uuid4()}@example.com")
    if lakebase_way is not None:
        lakebase_way.admit(somebody)
    return somebody


@pytest.fixture
def saver(lakehouse: Database, person: Principal, lakebase_way: Through | None) -> Iterator[GovernedPostgresSaver]:
    by_string = GovernedPostgresSaver.from_conn_string
    with lakebase_way.saver(person) if lakebase_way else by_string(lakehouse.runtime, principal=person) as opened:
        yield opened


@pytest.fixture
def proxy(lakehouse: Database, lakebase_way: Through | None) -> Iterator[CountingProxy]:
    if lakebase_way is not None:
        pytest.skip("round trips are counted in the clear, and Lakebase takes TLS alone")
    server = conninfo_to_dict(lakehouse.runtime)
    with CountingProxy(str(server["host"]), int(str(server["port"]))) as counting:
        yield counting
