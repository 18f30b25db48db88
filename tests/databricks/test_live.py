"""The same against a true workspace, where environment variables name one; docs/databricks.md says which.

The run's own settings are taken away from tests, so those of this suite are read from the process that started it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from agent.models import load_model
from agent.workspace import WorkspaceCaller, default_caller
from checkpointer import GovernedPostgresSaver
from tests.conftest import TAKEN
from tools import AccessDeniedError, TableNotFoundError
from tools.unity import UnityCatalog

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def setting(pytestconfig: pytest.Config) -> Callable[[str], str]:
    """Read a variable that the run was started with; what is not set is skipped."""
    given = pytestconfig.stash[TAKEN]

    def read(name: str) -> str:
        if not given.get(name):
            pytest.skip(f"{name} is not set")
        return given[name]

    return read


@pytest.fixture
def caller(setting: Callable[[str], str]) -> WorkspaceCaller:
    return default_caller(setting("MOORING_LIVE_PROFILE"))


@pytest.fixture
def catalog(caller: WorkspaceCaller, setting: Callable[[str], str]) -> UnityCatalog:
    return UnityCatalog(caller.client, setting("DATABRICKS_WAREHOUSE_ID"), tags={"principal": caller.principal.name})


def test_a_table_is_described_and_counted(catalog: UnityCatalog, setting: Callable[[str], str]) -> None:
    table = setting("MOORING_LIVE_TABLE")
    described = catalog.describe_table(table)
    assert described.columns
    found = catalog.query(f"select count(*) as n from {table}")
    assert found.columns == ["n"]
    assert isinstance(found.rows[0][0], int)
    assert described.sources <= found.sources
    short = catalog.query(f"select * from {table}")
    assert len(short.rows) <= 200


def test_values_come_as_they_are(catalog: UnityCatalog) -> None:
    found = catalog.query(
        "select cast(1.5 as decimal(10,2)), 1.25D, true, date '2025-01-31', cast(null as int), array(1, 2), "
        "map('a', 1), named_struct('id', 4, 'on', true), cast('x' as binary), 9223372036854775807L"
    )
    assert found.rows == [
        [1.5, 1.25, True, "2025-01-31", None, [1, 2], {"a": 1}, {"id": 4, "on": True}, "eA==", 9223372036854775807]
    ]


def test_what_is_not_there_is_refused(catalog: UnityCatalog, setting: Callable[[str], str]) -> None:
    table = f"{setting('MOORING_LIVE_TABLE')}_{uuid4().hex}"
    with pytest.raises((AccessDeniedError, TableNotFoundError)):
        catalog.query(f"select 1 from {table}")


def test_a_model_answers(caller: WorkspaceCaller, setting: Callable[[str], str]) -> None:
    model: Any = load_model(f"databricks:{setting('MOORING_LIVE_MODEL')}", caller.client)
    assert model.invoke("Say hello.").text
    model.client.close()


def test_a_session_is_stored(caller: WorkspaceCaller, setting: Callable[[str], str]) -> None:
    where: Any = {"configurable": {"thread_id": f"live-{uuid4().hex}", "checkpoint_ns": ""}}
    compute: dict[str, Any] = {"endpoint": setting("LAKEBASE_ENDPOINT"), "database": setting("PGDATABASE")}
    client = caller.client
    with GovernedPostgresSaver.from_lakebase(**compute, identity="login", workspace_client=client) as saver:
        saver.put(where, empty_checkpoint(), {}, {})
        try:
            assert saver.get_tuple(where) is not None
        finally:
            saver.delete_thread(where["configurable"]["thread_id"])
