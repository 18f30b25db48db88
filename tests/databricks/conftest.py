"""A stand-in workspace over the sample lakehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from agent.workspace import default_caller
from tests.conftest import TAKEN
from tests.databricks.catalogs import VIEWS
from tests.databricks.harbour import lakebase_server, new_database
from tests.databricks.lakebase import Lakebase
from tests.databricks.serving import ENDPOINT
from tests.databricks.stand_in import StandIn, stand_in_of
from tests.databricks.warehouse import WAREHOUSE
from tests.databricks.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from agent.database import Database
    from agent.workspace import WorkspaceCaller
    from tests.integration.foreign import Foreign


@pytest.fixture
def login(lakehouse: Database) -> Callable[[str], str]:
    return lakehouse.login


@pytest.fixture
def stand_in(login: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "databrickscfg"))
    workspace = Workspace()
    with workspace.running():
        yield stand_in_of(workspace, login)


@pytest.fixture
def profiles(stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins of alice and bob, a warehouse, and a model."""
    users = ("alice", "bob")
    entries = [
        f"[{name}]\nhost = {stand_in.workspace.url}\ntoken = {stand_in.workspace.token(name)}\n" for name in users
    ]
    (tmp_path / "databrickscfg").write_text("\n".join(entries))
    monkeypatch.setenv("DATABRICKS_WAREHOUSE_ID", WAREHOUSE)
    monkeypatch.setenv("MOORING_MODEL", f"databricks:{ENDPOINT}")
    monkeypatch.setenv("MOORING_CATALOGS", "lakehouse")


@pytest.fixture
def lakebase(stand_in: StandIn, lakehouse: Database, tmp_path: Path) -> Iterator[Lakebase]:
    """Lakebase of the stand-in: the sample's server, where `service` is the runtime role."""

    def behind(user: str) -> str:
        return lakehouse.runtime if user == "service" else lakehouse.login(user)

    with Lakebase(stand_in.workspace, behind, tmp_path).running() as front:
        yield front


@pytest.fixture
def setting(pytestconfig: pytest.Config) -> Callable[[str], str]:
    """Read a variable that a run against a true workspace was started with; what is not set is skipped.

    The developer's own settings are taken away from tests; those of this suite are kept aside.
    """
    given = pytestconfig.stash[TAKEN]

    def read(name: str) -> str:
        if not given.get(name):
            pytest.skip(f"{name} is not set")
        return given[name]

    return read


@pytest.fixture
def profile(setting: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], WorkspaceCaller]:
    """Return who a variable's profile is of a true workspace."""
    _given_back(setting, monkeypatch, "DATABRICKS_CONFIG_FILE")
    return lambda name: default_caller(setting(name))


@pytest.fixture
def caller(profile: Callable[[str], WorkspaceCaller]) -> WorkspaceCaller:
    """Who MOORING_LIVE_PROFILE is of."""
    return profile("MOORING_LIVE_PROFILE")


@pytest.fixture
def named_compute(setting: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a true workspace name a compute of Lakebase."""
    for name in ("LAKEBASE_ENDPOINT", "PGDATABASE"):
        monkeypatch.setenv(name, setting(name))
    _given_back(setting, monkeypatch, "PGPORT", "PGSSLROOTCERT")


def _given_back(setting: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Set again what was taken, where it was set."""
    for name in names:
        with suppress(pytest.skip.Exception):
            monkeypatch.setenv(name, setting(name))


@pytest.fixture(scope="session")
def server() -> Iterator[Foreign]:
    """A server with Lakebase's extension."""
    with lakebase_server() as running:
        yield running


@pytest.fixture
def database(server: Foreign) -> str:
    """A new database of the owner's there."""
    return new_database(server)


@pytest.fixture(scope="module")
def views(lakehouse: Database) -> Iterator[None]:
    """Views over the sample, which alice may read and bob may not."""
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(4712)")
        conn.execute(VIEWS)
        yield
        conn.execute("drop schema moored cascade")
