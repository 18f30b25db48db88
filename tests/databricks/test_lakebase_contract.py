"""LangGraph's public conformance suite over Lakebase's TLS and tokens, as the broker and as a login."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

from agent.lakebase import Grants
from checkpointer import GovernedPostgresSaver, Principal
from tests.conformance.sync_methods import SyncMethods
from tests.conformance.test_public_suite import CLAUSES
from tests.databricks.harbour import DORA, OWNER, SERVICE, url
from tests.databricks.lakebase import ENDPOINT, Lakebase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from checkpointer.lakebase import Identity
    from tests.databricks.stand_in import StandIn
    from tests.integration.foreign import Foreign


@pytest.mark.parametrize("through", ["async", "sync"])
@pytest.mark.parametrize("identity", ["broker", "login"])
async def test_every_clause_passes(
    stand_in: StandIn, server: Foreign, database: str, tmp_path: Path, identity: Identity, through: str
) -> None:
    Grants(SERVICE, [DORA]).run(url(server, OWNER, database))
    client = stand_in.client(SERVICE if identity == "broker" else DORA)

    @checkpointer_test(name=f"lakebase-{identity}-{through}")
    async def saver() -> AsyncIterator[GovernedPostgresSaver | SyncMethods]:
        options: dict[str, Any] = {"principal": Principal(DORA)} if identity == "broker" else {}
        opened = GovernedPostgresSaver.from_lakebase(
            endpoint=ENDPOINT,
            database=database,
            port=front.port,
            identity=identity,
            workspace_client=client,
            **options,
        )
        if through == "async":
            async with opened as asynchronous:
                yield asynchronous
        else:
            with opened as synchronous:
                yield SyncMethods(synchronous)

    with Lakebase(stand_in.workspace, lambda user: url(server, user, database), tmp_path).running() as front:
        report = await validate(saver)

    assert {name: result.failures for name, result in report.results.items() if result.failures} == {}
    assert Counter({name: result.tests_passed for name, result in report.results.items()}) == Counter(CLAUSES)
