"""LangGraph's public conformance suite, whole: through the async methods and through the sync ones."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

from checkpointer import GovernedPostgresSaver, Keyring, Principal
from tests.conformance.sync_methods import SyncMethods
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent.database import Database

# What langgraph-checkpoint-conformance 0.0.2 holds: a capability that is not detected is not counted by
# `passed_all()`, so the clauses are counted here.
CLAUSES = {
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}


@pytest.mark.parametrize("through", ["async", "sync"])
@pytest.mark.parametrize("ring", [None, Keyring({"k": bytes(32)})], ids=["clear", "encrypted"])
async def test_every_clause_passes(lakehouse: Database, ring: Keyring | None, through: str) -> None:
    @checkpointer_test(name=f"governed-{through}")
    async def saver() -> AsyncIterator[GovernedPostgresSaver | SyncMethods]:
        principal = Principal(f"conformance-{uuid4()}")
        if through == "async":
            async with saver_of(lakehouse, principal, encryption=ring) as asynchronous:
                yield asynchronous
        else:
            with saver_of(lakehouse, principal, encryption=ring) as synchronous:
                yield SyncMethods(synchronous)

    report = await validate(saver)

    assert {name: result.failures for name, result in report.results.items() if result.failures} == {}
    assert Counter({name: result.tests_passed for name, result in report.results.items()}) == Counter(CLAUSES)
    assert sum(CLAUSES.values()) == 81
