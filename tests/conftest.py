"""One embedded server with the sample lakehouse for the whole run, or for each xdist worker.

The run's own process makes the folders and removes them, and stops what a crashed worker left behind.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from agent import local
from agent.database import open_database
from agent.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from tests.databricks.through import Through

HOME = pytest.StashKey[Path]()
TAKEN = pytest.StashKey[dict[str, str]]()
DEVELOPERS_OWN = (
    "MOORING_",
    "PG",
    "DATABRICKS_",
    "LAKEBASE_",
    "IS_IN_DB_MODEL_SERVING_ENV",
    "LANGGRAPH_",
    "LANGSMITH_",
)


def pytest_configure(config: pytest.Config) -> None:
    # A shell that runs tests in the background has them ignore Ctrl-C, and whatever they start.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Settings of the developer's are not the tests' own; those of tests against a true workspace are kept aside.
    config.stash[TAKEN] = {name: value for name, value in os.environ.items() if name.startswith(DEVELOPERS_OWN)}
    for name in config.stash[TAKEN]:
        del os.environ[name]
    given: dict[str, Any] | None = getattr(config, "workerinput", None)  # set by xdist in its workers
    if given is not None:
        # They inherit the environment from which everything was taken.
        config.stash[TAKEN] = given["mooring_taken"]
    else:
        config.stash[HOME] = Path(tempfile.mkdtemp(prefix="mooring-tests-"))
        # The account that runs Postgres passes through to the workers' homes.
        config.stash[HOME].chmod(0o711)
    # In the environment for the programs that tests start.
    os.environ["MOORING_HOME"] = given["mooring_home"] if given else str(config.stash[HOME])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["mooring_taken"] = node.config.stash[TAKEN]
    node.workerinput["mooring_home"] = str(node.config.stash[HOME] / node.gateway.id)


def pytest_unconfigure(config: pytest.Config) -> None:
    if HOME in config.stash:
        for home in (config.stash[HOME], *config.stash[HOME].glob("gw*")):
            local.stop(home)
        shutil.rmtree(config.stash[HOME])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Over Lakebase, run what uses the database that is there, and needs no embedded one."""
    if not config.stash[TAKEN].get("MOORING_TEST_LAKEBASE"):
        return
    over = [
        item
        for item in items
        if "lakehouse" in getattr(item, "fixturenames", ()) and item.get_closest_marker("embedded") is None
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in over])
    items[:] = over


@pytest.fixture(scope="session")
def lakebase_way(pytestconfig: pytest.Config) -> Iterator[Through | None]:
    """How savers reach Lakebase, where MOORING_TEST_LAKEBASE says with which identity: `broker` or `login`."""
    identity: Any = pytestconfig.stash[TAKEN].get("MOORING_TEST_LAKEBASE")
    if not identity:
        yield None
        return
    from tests.databricks.through import through_own_server  # its package is optional

    with through_own_server(identity) as opened:
        yield opened


@pytest.fixture(scope="session")
def lakehouse(lakebase_way: Through | None) -> Iterator[Database]:
    """The sample database; on Lakebase the same sample, for the tests of the checkpointer."""
    if lakebase_way is not None:
        database: Database = lakebase_way.database()
        with pytest.MonkeyPatch.context() as patch:  # for the command line
            patch.setenv("MOORING_DATABASE_URL", database.runtime)
            patch.setenv("MOORING_ADMIN_URL", str(database.admin))
            yield database
        return
    with open_database(Settings()) as database:
        yield database


@pytest.fixture
def admin(lakehouse: Database) -> Iterator[psycopg.Connection]:
    """A superuser's connection, to look behind the scenes."""
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        yield conn


@pytest.fixture
def unshared_afterwards(admin: psycopg.Connection) -> Iterator[None]:
    """Leave nothing shared between people whom other tests know."""
    yield
    admin.execute("delete from mooring.shares")


@pytest.fixture
def alice(lakehouse: Database) -> str:
    """Reads all of bakehouse."""
    return lakehouse.login("alice")


@pytest.fixture
def bob(lakehouse: Database) -> str:
    """Reads hr, and of bakehouse what belongs to the Netherlands."""
    return lakehouse.login("bob")


@pytest.fixture
def carol(lakehouse: Database) -> str:
    """Reads nothing."""
    return lakehouse.login("carol")


@pytest.fixture(scope="module", autouse=True)
def settled() -> Iterator[None]:
    """Keep the garbage collector from looking at what the files before have left, again and again."""
    yield
    gc.collect()
    gc.freeze()
