"""What the saver promises under real graphs, over Lakebase's TLS and tokens: as the broker, and as a login.

The tests are those of the saver itself; `make test-lakebase` runs all others of it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.databricks.harbour import new_database
from tests.databricks.through import through
from tests.integration import conftest, test_ordering, test_saver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from checkpointer import GovernedPostgresSaver, Principal
    from tests.databricks.through import Through
    from tests.integration.foreign import Foreign


behind, person, proxy, saver = test_ordering.behind, conftest.person, conftest.proxy, conftest.saver
for module in (test_ordering, test_saver):
    globals().update({name: each for name, each in vars(module).items() if name.startswith("test_")})


@pytest.fixture(scope="module", params=["broker", "login"])
def lakebase_way(request: pytest.FixtureRequest, server: Foreign) -> Iterator[Through]:
    with through(request.param, server, new_database(server)) as opened:
        yield opened


@pytest.fixture(scope="module")
def lakehouse(lakebase_way: Through) -> Database:
    return lakebase_way.database()


def test_it_is_as_whom_it_says(lakebase_way: Through, saver: GovernedPostgresSaver, person: Principal) -> None:
    saver.sessions()
    latest = lakebase_way.front.logins[-1]
    assert (latest.encrypted, latest.accepted) == (True, True)
    assert latest.user == (person.name if lakebase_way.identity == "login" else "mooring_service")
