"""What serves many people on Lakebase, whoever connects."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.messages import HumanMessage

from agent.host import open_host
from agent.settings import Settings
from agent.workspace import WorkspaceCaller
from checkpointer import ClearRowError, GovernedPostgresSaver, Principal, acting_as
from tests.databricks.lakebase import ENDPOINT
from tests.security.stage import state

if TYPE_CHECKING:
    from agent.database import Database
    from tests.databricks.lakebase import Lakebase
    from tests.databricks.stand_in import StandIn

ALICE = Principal("alice")


@pytest.mark.parametrize("identity", ["broker", "login"])
def test_it_encrypts_where_keys_are_set(
    stand_in: StandIn, lakehouse: Database, lakebase: Lakebase, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    config: Any = {"configurable": {"thread_id": f"clear-{uuid4().hex[:8]}", "checkpoint_ns": ""}}
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver, acting_as(ALICE):
        saver.put(config, state([HumanMessage("in the clear", id="1")]), {}, {"messages": 1})
    for name, value in {
        "DATABRICKS_HOST": stand_in.workspace.url,
        "DATABRICKS_TOKEN": stand_in.workspace.token("service"),
        "LAKEBASE_ENDPOINT": ENDPOINT,
        "PGPORT": str(lakebase.port),
        "PGDATABASE": "lakehouse",
        "MOORING_LAKEBASE_IDENTITY": identity,
        "MOORING_ENCRYPTION_KEYS": f"k={base64.b64encode(bytes(32)).decode()}",
    }.items():
        monkeypatch.setenv(name, value)
    caller = WorkspaceCaller(ALICE, stand_in.client("alice"))
    # Only a saver that encrypts takes what is in the clear for forged.
    with open_host(Settings()) as host, host.memory(caller) as saver, pytest.raises(ClearRowError):
        saver.get_tuple(config)
