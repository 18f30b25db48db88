"""Tables and a model of a true workspace, where environment variables name them; docs/databricks.md says which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agent.models import load_model
from tools import AccessDeniedError, TableNotFoundError
from tools.unity import UnityCatalog

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.workspace import WorkspaceCaller


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
