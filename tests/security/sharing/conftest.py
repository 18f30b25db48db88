"""A saver, a thread of alice's, a group that bob is in, and a table whose grants change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage

from checkpointer import (
    GovernedPostgresSaver,
    acting_as,
)
from tests.security.scenes import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

from tests.security.sharing.plans import ALICE, SECRET, Plans, state


@pytest.fixture
def saver(lakehouse: Database) -> Iterator[GovernedPostgresSaver]:
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as opened:
        yield opened


@pytest.fixture
def plans(saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]) -> Iterator[Plans]:
    name = f"plans-{uuid4().hex[:8]}"
    config: Any = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
    with acting_as(ALICE):
        stored = saver.put(config, state(SECRET), {"run_id": name, "step": 0}, {"messages": 1})
        saver.put_writes(stored, [("messages", [AIMessage(SECRET, id="3")])], "task")
    [(thread,)] = admin.execute("select id from mooring.threads where thread_id = %s", [name]).fetchall()
    yield Plans(name, thread, stored)
    admin.execute("delete from mooring.threads where id = %s", [thread])


@pytest.fixture
def group(admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A group that bob is a member of."""
    name = f"analysts_{uuid4().hex[:8]}"
    admin.execute(f"create role {name}; grant {name} to bob".encode())
    yield name
    admin.execute(f"drop role {name}".encode())


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        yield opened
