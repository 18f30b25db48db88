"""What each persona gets out of each method of the saver, with a pool of one connection that all of them share."""

from __future__ import annotations

import asyncio
import inspect
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import HumanMessage
from psycopg import sql

from checkpointer import (
    CheckpointerError,
    GovernedPostgresSaver,
    Retention,
    UnserializableError,
    acting_as,
)
from tests.security.stage import PEOPLE, SECRET, Stage, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database

# What comes of a method: it `sees` something, it `changes` what is stored, an error, or `-`: as if there were no such
# thread, which is the same answer or error to the letter.
EXPECTED = """
                          owner   editor  viewer      member      stranger auditor
get_tuple                 sees    sees    sees        sees        -        -
get                       sees    sees    sees        sees        -        -
list                      sees    sees    sees        sees        -        -
list_of_all               sees    -       -           -           -        -
get_delta_channel_history sees    sees    sees        sees        -        -
put                       changes changes ViewerError ViewerError -        -
put_writes                changes changes ViewerError ViewerError -        -
run                       changes changes ViewerError ViewerError -        -
export                    sees    sees    sees        sees        -        -
sessions                  sees    sees    sees        sees        -        -
why                       sees    -       -           -           -        -
audit                     sees    sees    sees        -           -        sees
shares                    sees    -       -           -           -        -
shares_of_all             sees    sees    sees        sees        -        -
break_glass               -       -       -           -           -        sees
get_retention             sees    -       -           -           -        -
set_retention             changes -       -           -           -        -
expire                    changes -       -           -           -        -
rename                    changes -       -           -           -        -
rate                      changes changes changes     changes     -        -
share                     changes -       -           -           -        -
unshare                   changes -       -           -           -        -
transfer                  changes -       -           -           -        -
copy_thread               changes -       -           -           -        -
prune                     changes -       -           -           -        -
delete_for_runs           changes -       -           -           -        -
delete_thread             changes -       -           -           -        -
"""
# Of the public methods these are about no thread, or what comes of them is in test_feedback.py and test_leases.py.
ELSEWHERE = """
    drive from_conn_string from_lakebase get_next_version is_running migrate migration_sql ratings setup with_allowlist
"""


@pytest.fixture(scope="module")
def stage(lakehouse: Database) -> Iterator[Stage]:
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as admin, Stage(lakehouse, admin) as opened:
        yield opened


@pytest.fixture(scope="module")
def saver(stage: Stage) -> Iterator[GovernedPostgresSaver]:
    with stage.saver(retention=Retention()) as opened:
        yield opened


def expected() -> dict[str, dict[str, str]]:
    """Return the table above: by persona and method."""
    heading, *lines = EXPECTED.strip().split("\n")
    return {who: {line.split()[0]: line.split()[n] for line in lines} for n, who in enumerate(heading.split(), start=1)}


def calls(stage: Stage, saver: GovernedPostgresSaver, who: str, *, use_async: bool) -> dict[str, Callable[[str], Any]]:
    """Return every method, as somebody calls it for a thread of the owner's that is named."""
    owner = stage.role("owner")

    def to(name: str, *args: Any, **options: Any) -> Any:
        if not use_async:
            found = getattr(saver, name)(*args, **options)
            return list(found) if inspect.isgenerator(found) else found

        async def run() -> Any:
            found = getattr(saver, f"a{name}")(*args, **options)
            return [each async for each in found] if inspect.isasyncgen(found) else await found

        return asyncio.run(run())

    def at(thread_id: str) -> Any:
        return stage.config(thread_id, who)

    def ran(thread_id: str) -> None:
        with saver.run(at(thread_id)):
            pass

    def put(thread_id: str) -> None:
        to("put", at(thread_id), state([HumanMessage("mine", id="9")]), {"step": 1}, {"messages": 2})

    def latest(thread_id: str) -> Any:
        checkpoint = stage.latest(thread_id) or "none"
        return {"configurable": {**at(thread_id)["configurable"], "checkpoint_id": checkpoint}}

    return {
        "get_tuple": lambda name: to("get_tuple", at(name)),
        "get": lambda name: to("get", at(name)),
        "list": lambda name: to("list", at(name)),
        "list_of_all": lambda name: [t for t in to("list", None) if t.config["configurable"]["thread_id"] == name],
        "get_delta_channel_history": lambda name: to(
            "get_delta_channel_history", config=at(name), channels=["messages"]
        ),
        "put": put,
        "put_writes": lambda name: to("put_writes", latest(name), [("a", 1)], "t"),
        "run": ran,
        "export": lambda name: to("export", at(name)),
        "sessions": lambda name: to("sessions", thread_id=name, owner=owner),
        "why": lambda name: to("why", name),
        "audit": lambda name: to("audit", thread_id=name),
        "shares": lambda name: to("shares", name),
        "shares_of_all": lambda name: [share for share in to("shares") if share.thread_id == name],
        "break_glass": lambda name: to("break_glass", owner, name, reason="to see"),
        "get_retention": lambda name: to("get_retention", name),
        "set_retention": lambda name: to("set_retention", name, Retention(keep_last=3)),
        "expire": lambda name: to("expire", [name], retention=Retention(ttl=timedelta(microseconds=1))),
        "rename": lambda name: to("rename", name, "mine"),
        "rate": lambda name: to("rate", latest(name), 0, "up"),
        "share": lambda name: to("share", name, "somebody", "editor"),
        "unshare": lambda name: to("unshare", name, f"group:{stage.role('group')}"),
        "transfer": lambda name: to("transfer", name, "somebody"),
        "copy_thread": lambda name: to("copy_thread", name, f"copy of {name}"),
        "prune": lambda name: to("prune", [name], strategy="delete"),
        "delete_for_runs": lambda name: to("delete_for_runs", [f"run of {name}"]),
        "delete_thread": lambda name: to("delete_thread", name),
    }


def outcome(stage: Stage, saver: GovernedPostgresSaver, call: Callable[[str], Any]) -> str:
    """Call a method for a new thread of the owner's, and for one that is not there."""
    there, missing = f"plans-{uuid4()}", f"plans-{uuid4()}"
    stage.begin(saver, there)
    before = stage.rows()
    answer = tried(call, there)
    if stage.rows() != before:
        return "changes"
    if answer.replace(there, missing) == tried(call, missing):
        return "-"
    return named[1] if (named := re.match(r"(\w+Error): ", answer)) else "sees"


def tried(call: Callable[[str], Any], name: str) -> str:
    """Return what comes of a call, as text."""
    try:
        return str(call(name))
    except CheckpointerError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("use_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("who", PEOPLE)
def test_everybody_gets_out_of_every_method_what_is_written_here(
    stage: Stage, saver: GovernedPostgresSaver, who: str, use_async: bool
) -> None:
    found = {}
    for name, call in calls(stage, saver, who, use_async=use_async).items():
        with acting_as(stage.principal(who)):
            found[name] = outcome(stage, saver, call)
    assert found == expected()[who]


def test_no_method_is_forgotten() -> None:
    """A new one needs a row above."""
    public = {name for name, _ in inspect.getmembers(GovernedPostgresSaver, callable) if not name.startswith("_")}
    asynchronous = {f"a{name}" for name in public}
    assert public - asynchronous - {*ELSEWHERE.split()} <= {*expected()["owner"]}


READERS = {"owner": True, "editor": True, "viewer": True, "member": True, "stranger": False, "auditor": False}


async def test_users_take_turns_on_one_connection_while_calls_fail_and_are_cancelled(stage: Stage) -> None:
    rolled = random.Random(73)
    async with GovernedPostgresSaver.from_conn_string(
        stage.lakehouse.runtime, schema=stage.schema, max_size=1
    ) as saver:

        async def reads(who: str) -> None:
            with acting_as(stage.principal(who)):
                found = await saver.aget_tuple(stage.config(stage.thread_id, who))
                assert (SECRET in str(found)) is READERS[who], who
                assert {s.owner for s in await saver.asessions()} <= {stage.role(who)}

        async def fails(who: str) -> None:
            with acting_as(stage.principal(who)):
                at = stage.config(stage.thread_id, who)
                with pytest.raises(UnserializableError):
                    await saver.aput(at, state([lambda: None]), {"step": 2}, {"messages": 3})
                if who not in ("owner", "editor"):
                    with pytest.raises(CheckpointerError):
                        await saver.aput(at, state([HumanMessage("x", id="x")]), {"step": 2}, {"messages": 3})

        async def is_cancelled(who: str) -> None:
            task = asyncio.create_task(reads(who))
            await asyncio.sleep(rolled.random() / 200)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not task.cancelled():
                task.result()

        async def session(who: str) -> None:
            for _ in range(12):
                await rolled.choice([reads, reads, fails, is_cancelled])(who)

        await asyncio.gather(*(session(who) for who in READERS for _ in range(4)))


@pytest.mark.parametrize("cut", ["pg_cancel_backend", "pg_terminate_backend"])
def test_what_the_server_cuts_off_leaves_nobody_bound(stage: Stage, cut: str) -> None:
    # given a write of the owner's on the only connection, which waits for a lock
    name = f"cut-{uuid4()}"
    with (
        stage.saver() as saver,
        ThreadPoolExecutor() as threads,
        psycopg.connect(stage.lakehouse.superuser or "") as lock,
    ):
        stage.begin(saver, name, shared=False)
        lock.execute(sql.SQL("select from {} where thread_id = %s for update").format(stage.at("threads")), [name])
        before = stage.rows()

        def write() -> None:
            with acting_as(stage.principal("owner")):
                saver.put(stage.config(name, "owner"), state([HumanMessage("x", id="x")]), {"step": 2}, {"messages": 3})

        writing = threads.submit(write)
        waiting = "select {}(pid) from pg_locks l where not granted and %s = any(pg_blocking_pids(pid))"
        while not stage.admin.execute(sql.SQL(waiting).format(sql.SQL(cut)), [lock.info.backend_pid]).fetchall():
            time.sleep(0.01)
        if cut == "pg_cancel_backend":
            with pytest.raises(psycopg.errors.QueryCanceled):
                writing.result()
            assert stage.rows() == before
        # then the next one is themselves, and what was cut off is done again when the lock is free
        lock.rollback()
        for who, sees in READERS.items():
            with acting_as(stage.principal(who)):
                assert (saver.get_tuple(stage.config(name, who)) is not None) is (who == "owner")
                assert (SECRET in str(saver.get_tuple(stage.config(stage.thread_id, who)))) is sees
        with suppress(psycopg.errors.QueryCanceled):
            writing.result()
