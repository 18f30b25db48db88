"""Threads whose checkpoints are kept, or are not, and what was left of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from checkpointer import GovernedPostgresSaver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.database import Database
    from checkpointer import Expired

TABLES = ("threads", "checkpoints", "items", "writes")
DAY = timedelta(days=1)


class State(TypedDict):
    said: Annotated[list[str], lambda old, new: [*old, *new]]
    draft: str


def draft(_: State) -> dict[str, Any]:
    """Replace a text, so that older checkpoints hold what later ones do not."""
    return {"said": ["answer"], "draft": f"{uuid4()} " * 20}


def graph_of(saver: Any, node: Callable[[State], Any] = draft) -> Any:
    builder: Any = StateGraph(State)
    return builder.add_node("node", node).add_edge(START, "node").compile(checkpointer=saver)


def talk(saver: GovernedPostgresSaver, turns: int = 3) -> Any:
    config: Any = {"configurable": {"thread_id": str(uuid4())}}
    for turn in range(turns):
        graph_of(saver).invoke({"said": [f"question {turn}"]}, config, durability="sync")
    return config


def name_of(config: Any) -> str:
    return str(config["configurable"]["thread_id"])


def last_used(admin: psycopg.Connection[Any], config: Any, ago: timedelta) -> None:
    """Set the database's notes of a thread's last use back."""
    moved = "update mooring.threads set updated_at = now() - %s, read_at = read_at - %s where thread_id = %s"
    assert admin.execute(moved, [ago, ago, name_of(config)]).rowcount == 1


def rows_of(admin: psycopg.Connection[Any], config: Any) -> dict[str, int]:
    [row] = admin.execute("select id from mooring.threads where thread_id = %s", [name_of(config)]).fetchall() or [(0,)]
    counts = {}
    for table in TABLES:
        column = "id" if table == "threads" else "thread"
        statement = f"select count(*) from mooring.{table} where {column} = %s"
        counts[table] = (admin.execute(statement.encode(), row).fetchone() or (-1,))[0]
    return counts


def went(expired: Sequence[Expired]) -> dict[str, tuple[bool, int, str | None]]:
    return {each.thread_id: (each.whole, each.checkpoints, each.blocked) for each in expired}


def steps(saver: GovernedPostgresSaver, config: Any) -> list[int]:
    return [found.metadata["step"] for found in saver.list(config)]


@pytest.fixture
def schema(lakehouse: Database) -> Iterator[str]:
    """Tables of their own, because an administrator prunes everybody's threads, those of other tests as well."""
    assert lakehouse.admin is not None
    name = f"everybody_{uuid4().hex[:8]}"
    GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=name)
    yield name
    with psycopg.connect(lakehouse.admin, autocommit=True) as conn:
        conn.execute(f"drop schema {name} cascade".encode())
