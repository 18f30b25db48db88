"""What the saver promises under real graphs, over Lakebase's TLS and tokens: as the broker, and as a login.

The tests are those of the saver itself; `MOORING_TEST_LAKEBASE=broker` (or `login`) runs all others of it so.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from checkpointer import Principal
from tests.databricks.through import through
from tests.integration import test_ordering, test_saver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from checkpointer import GovernedPostgresSaver
    from tests.databricks.through import Through
    from tests.integration.foreign import Foreign


# What counts bytes on the wire counts them in the clear.
behind = test_ordering.behind
for module in (test_ordering, test_saver):
    tests = {name: each for name, each in vars(module).items() if name.startswith("test_")}
    globals().update({name: each for name, each in tests.items() if "proxy" not in signature(each).parameters})


@pytest.fixture(scope="module", params=["broker", "login"])
def lakebase_way(request: pytest.FixtureRequest, server: Foreign) -> Iterator[Through]:
    with through(request.param, server) as opened:
        yield opened


@pytest.fixture(scope="module")
def lakehouse(lakebase_way: Through) -> Database:
    return lakebase_way.database()


@pytest.fixture
def person(lakebase_way: Through) -> Principal:
    somebody = Principal(f"person-{uuid4()}@example.com")
    lakebase_way.admit(somebody)
    return somebody


@pytest.fixture
def saver(lakebase_way: Through, person: Principal) -> Iterator[GovernedPostgresSaver]:
    with lakebase_way.saver(person) as opened:
        yield opened


@pytest.fixture
def admin(lakehouse: Database) -> Iterator[psycopg.Connection]:
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        yield conn


def test_it_is_as_whom_it_says(lakebase_way: Through, saver: GovernedPostgresSaver, person: Principal) -> None:
    saver.sessions()
    latest = lakebase_way.front.logins[-1]
    assert (latest.encrypted, latest.accepted) == (True, True)
    assert latest.user == (person.name if lakebase_way.identity == "login" else "mooring_service")
