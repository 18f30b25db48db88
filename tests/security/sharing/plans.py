"""A thread of alice's that others try to read and to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    acting_as,
)
from checkpointer.addresses import Lease
from checkpointer.leases import _bound

if TYPE_CHECKING:
    from collections.abc import Callable


ALICE, BOB, CAROL = Principal("alice"), Principal("bob"), Principal("carol")
SECRET = f"secret-{uuid4()}"


@dataclass(frozen=True)
class Plans:
    """A thread of alice's, and how others name it."""

    name: str
    thread: int
    latest: Any

    @property
    def own(self) -> Any:
        return {"configurable": {"thread_id": self.name, "checkpoint_ns": ""}}

    @property
    def config(self) -> Any:
        return {"configurable": {"thread_id": self.name, "checkpoint_ns": "", "thread_owner": "alice"}}

    def at(self, checkpoint_id: str) -> Any:
        return {"configurable": {**self.config["configurable"], "checkpoint_id": checkpoint_id}}


def state(text: str) -> Any:
    values = {"messages": [HumanMessage(text, id=f"h{text[:4]}"), AIMessage(text, id=f"a{text[:4]}")]}
    return {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}


def rows_of(admin: psycopg.Connection[Any], thread: int) -> list[Any]:
    """Everything of a thread."""
    found: list[Any] = []
    for table in ("threads", "items", "checkpoints", "writes", "shares"):
        column = "id" if table == "threads" else "thread"
        query = f"select t::text from mooring.{table} t where {column} = %s order by 1"
        found.append(admin.execute(query.encode(), [thread]).fetchall())
    return found


def seen(saver: GovernedPostgresSaver, who: Principal, plans: Plans) -> str:
    """All that somebody gets to see of the plans."""
    with acting_as(who):
        return str(
            (
                saver.get_tuple(plans.config),
                saver.get_tuple(plans.at(plans.latest["configurable"]["checkpoint_id"])),
                list(saver.list(plans.config)),
                saver.get_delta_channel_history(config=plans.config, channels=["messages"]),
                saver.sessions(thread_id=plans.name, owner="alice"),
            )
        )


NOTHING = str((None, None, [], {"messages": {"writes": []}}, []))


def writes_of(saver: GovernedPostgresSaver, plans: Plans) -> dict[str, Callable[[], Any]]:
    """Every way to write to another's thread."""
    latest = plans.at(plans.latest["configurable"]["checkpoint_id"])
    same: Any = {**state("x"), "id": latest["configurable"]["checkpoint_id"]}

    def forged() -> None:
        token = _bound.set({(saver._runner().place, "alice", plans.name): Lease(plans.thread, 0)})
        try:
            saver.put(latest, state("forged"), {}, {"messages": 2})
        finally:
            _bound.reset(token)

    return {
        "put": lambda: saver.put(latest, state("mine"), {}, {"messages": 2}),
        "put at the start": lambda: saver.put(plans.config, state("mine"), {}, {"messages": 2}),
        "put the same": lambda: saver.put(plans.config, same, {}, {"messages": 1}),
        "put_writes": lambda: saver.put_writes(latest, [("messages", [AIMessage("w", id="9")])], "bobs"),
        "an error": lambda: saver.put_writes(latest, [("__error__", "no")], "task"),
        "a lease": lambda: saver.run(plans.config).acquire(),
        "a forged lease": forged,
    }
