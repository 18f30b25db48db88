"""Every operation of the saver, sync and async, and what all of them leave in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import empty_checkpoint

from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import psycopg

    from agent.database import Database
    from checkpointer import GovernedPostgresSaver, Principal

THREAD: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
FIRST: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "1"}}
SECOND: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "2"}}
VALUES: dict[str, Any] = {
    "messages": [HumanMessage("hello", id="m1")],
    "files": {"a.txt": "a" * 100, "b.txt": [1, "b"]},
}
MORE: dict[str, Any] = {**VALUES, "messages": [*VALUES["messages"], HumanMessage("and on", id="m2")]}
WRITES: list[tuple[str, Any]] = [("messages", [HumanMessage("written", id="m3")]), ("files", {"c.txt": "c" * 200})]


def checkpoint(checkpoint_id: str, values: dict[str, Any], version: int) -> Any:
    return {
        **empty_checkpoint(),
        "id": checkpoint_id,
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, version),
    }


NEW = dict.fromkeys(VALUES, 1)
# In an order in which each finds something to do.
CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "put of a new thread": ("put", (THREAD, checkpoint("1", VALUES, 1), {"run_id": "r"}, NEW)),
    "put": ("put", (FIRST, checkpoint("2", MORE, 2), {"run_id": "s"}, NEW)),
    "put_writes": ("put_writes", (SECOND, WRITES, "task")),
    "special put_writes": ("put_writes", (SECOND, [("__interrupt__", "sure?" * 20)], "task")),
    "get_tuple": ("get_tuple", (THREAD,)),
    "get_tuple by id": ("get_tuple", (FIRST,)),
    "list": ("list", (None,)),
    "sessions": ("sessions", ()),
    "rename": ("rename", ("t", "A title")),
    "copy_thread": ("copy_thread", ("t", "copy")),
    "delete_for_runs": ("delete_for_runs", (["r"],)),
    "prune": ("prune", (["t"],)),
    "get_delta_channel_history": ("get_delta_channel_history", ()),
    "delete_thread": ("delete_thread", ("copy",)),
}


def sync_call(saver: GovernedPostgresSaver, name: str) -> Callable[[], Any]:
    """An operation to be called."""
    method, args = CALLS[name]
    if method == "list":
        return lambda: list(saver.list(*args))
    if method == "get_delta_channel_history":
        return lambda: saver.get_delta_channel_history(config=SECOND, channels=["messages"])
    return lambda: getattr(saver, method)(*args)


def async_call(saver: GovernedPostgresSaver, name: str) -> Callable[[], Awaitable[Any]]:
    """Its async twin."""
    method, args = CALLS[name]

    async def call() -> Any:
        if method == "list":
            return [found async for found in saver.alist(*args)]
        if method == "get_delta_channel_history":
            return await saver.aget_delta_channel_history(config=SECOND, channels=["messages"])
        return await getattr(saver, f"a{method}")(*args)

    return call


def undisturbed(lakehouse: Database, who: Principal, admin: psycopg.Connection[Any]) -> dict[str, Any]:
    """What the database holds of somebody after each operation, when nothing goes wrong."""
    held = {}
    with saver_of(lakehouse, who) as saver:
        for name in CALLS:
            sync_call(saver, name)()
            held[name] = holds(admin, who)
    return held


def holds(admin: psycopg.Connection[Any], who: Principal) -> Any:
    """Everything that is stored of somebody, but for when, and under which numbers."""
    query = """
    select t.thread_id, t.title,
      array(select (c.ns, c.checkpoint_id, c.parent_id, c.metadata)::text
        from mooring.checkpoints c where c.thread = t.id order by c.seq),
      array(select (w.checkpoint_id, w.task_id, w.idx, w.channel)::text
        from mooring.writes w where w.thread = t.id order by 1),
      array(select (i.kind, i.message, i.value)::text from mooring.items i where i.thread = t.id order by 1)
    from mooring.threads t where t.owner = %s order by t.thread_id
    """
    return admin.execute(query, [who.name]).fetchall()
