"""A server of their own for tests that lock tables and kill programs, so that no other test waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.database import open_database
from agent.settings import Settings
from tests.embedded import fresh_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.database import Database
    from tests.databricks.through import Through


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """The folder of the server; one for each xdist worker."""
    with fresh_home() as folder:
        yield folder


@pytest.fixture(scope="session")
def lakehouse(home: Path, lakebase_way: Through | None) -> Iterator[Database]:
    """The sample database, here nobody else's."""
    if lakebase_way is not None:
        yield lakebase_way.database()
        return
    with open_database(Settings(home=home)) as database:
        yield database


@pytest.fixture(autouse=True)
def home_of_programs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that a test starts use that server as well."""
    monkeypatch.setenv("MOORING_HOME", str(home))
