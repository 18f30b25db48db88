"""A stand-in workspace over the sample lakehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.databricks.harbour import lakebase_server, new_database
from tests.databricks.lakebase import Lakebase
from tests.databricks.serving import Serving
from tests.databricks.stand_in import StandIn
from tests.databricks.unity import Unity
from tests.databricks.warehouse import Warehouse
from tests.databricks.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from agent.database import Database
    from tests.integration.foreign import Foreign


@pytest.fixture
def login(lakehouse: Database) -> Callable[[str], str]:
    return lakehouse.login


@pytest.fixture
def stand_in(login: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "databrickscfg"))
    workspace = Workspace()
    with workspace.running():
        yield StandIn(workspace, Warehouse(workspace, login), Unity(workspace, login), Serving(workspace))


@pytest.fixture
def lakebase(stand_in: StandIn, lakehouse: Database, tmp_path: Path) -> Iterator[Lakebase]:
    """Lakebase of the stand-in: the sample's server, where `service` is the runtime role."""

    def behind(user: str) -> str:
        return lakehouse.runtime if user == "service" else lakehouse.login(user)

    with Lakebase(stand_in.workspace, behind, tmp_path).running() as front:
        yield front


@pytest.fixture(scope="session")
def server() -> Iterator[Foreign]:
    """A server with Lakebase's extension."""
    with lakebase_server() as running:
        yield running


@pytest.fixture
def database(server: Foreign) -> str:
    """A new database of the owner's there."""
    return new_database(server)
