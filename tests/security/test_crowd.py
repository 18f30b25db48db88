"""64 people at once, on a pool of three connections, each with a thread of the same name: nobody gets another's."""

from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import HumanMessage

from agent.catalogs import catalog_of
from agent.conversation import Answered, Conversation
from agent.graph import TurnContext, build_graph
from agent.identity import Caller
from agent.settings import Settings
from checkpointer import GovernedPostgresSaver, Principal, acting_as
from tests.logins import login_as
from tests.security.scenes import Parrot
from tests.security.stage import state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

PEOPLE = 64
CONNECTIONS = 3
# Each person's queries need a login of theirs, which takes its time.
LOGINS = 24
# Not a part of a random id.
FIGURE = re.compile(r"(?<![\w-])7\d{4}519(?![\w-])")


@dataclass(frozen=True)
class Crowd:
    """A table of which everybody reads their own row."""

    lakehouse: Database
    mark: str = field(default_factory=lambda: f"crowd_{uuid4().hex[:8]}")

    def name(self, number: int) -> str:
        return f"{self.mark}_{number}"

    def figure(self, number: int) -> str:
        return f"7{number:04}519"

    def caller(self, number: int) -> Caller:
        name = self.name(number)
        return Caller(Principal(name), login_as(self.lakehouse, name))

    @property
    def question(self) -> str:
        return f"select figure from {self.mark}.figures"

    @property
    def config(self) -> Any:
        return {"configurable": {"thread_id": self.mark, "checkpoint_ns": ""}}


@pytest.fixture
def crowd(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Crowd]:
    found = Crowd(lakehouse)
    names = [found.name(number) for number in range(PEOPLE)]
    verifier = admin.pgconn.encrypt_password(b"secret", b"", b"scram-sha-256").decode()  # made once: it takes its time
    for name in names:
        admin.execute(f"create role {name} login password '{verifier}' in role mooring_user".encode())
    rows = ", ".join(f"('{name}', {found.figure(number)})" for number, name in enumerate(names))
    admin.execute(
        f"create schema {found.mark}; create table {found.mark}.figures (seller text, figure int);"
        f"insert into {found.mark}.figures values {rows};"
        f"alter table {found.mark}.figures enable row level security;"
        f"create policy own on {found.mark}.figures using (seller = current_user);"
        f"grant usage on schema {found.mark} to {', '.join(names)};"
        f"grant select on {found.mark}.figures to {', '.join(names)}".encode()
    )
    yield found
    admin.execute(f"drop schema {found.mark} cascade; drop role {', '.join(names)}".encode())
    admin.execute("delete from mooring.threads where thread_id = %s", [found.mark])


def assert_own(crowd: Crowd, number: int, what: object) -> None:
    assert set(FIGURE.findall(str(what))) == {crowd.figure(number)}


def assert_prompts_of_one_each(crowd: Crowd, model: Parrot) -> None:
    for prompt in model.prompts:
        assert len(set(FIGURE.findall(str(prompt)))) <= 1
    assert set(FIGURE.findall(str(model.prompts))) == {crowd.figure(number) for number in range(PEOPLE)}


def test_threads_of_a_saver(crowd: Crowd) -> None:
    together = threading.Barrier(PEOPLE)
    with GovernedPostgresSaver.from_conn_string(crowd.lakehouse.runtime, max_size=CONNECTIONS) as saver:

        def session(number: int) -> None:
            together.wait()
            for step in range(3):
                with acting_as(Principal(crowd.name(number))):
                    said = state([HumanMessage(f"{step} {crowd.figure(number)}", id="1")])
                    at = saver.put(crowd.config, said, {"step": step}, {"messages": step + 1})
                    saver.put_writes(at, [("note", crowd.figure(number))], f"task {step}")
                    assert_own(crowd, number, (saver.get_tuple(crowd.config), list(saver.list(None))))
                    assert [s.owner for s in saver.sessions()] == [crowd.name(number)]

        with ThreadPoolExecutor(PEOPLE) as pool:
            list(pool.map(session, range(PEOPLE)))


async def test_tasks_of_a_saver(crowd: Crowd) -> None:
    async with GovernedPostgresSaver.from_conn_string(crowd.lakehouse.runtime, max_size=CONNECTIONS) as saver:

        async def session(number: int) -> None:
            for step in range(3):
                with acting_as(Principal(crowd.name(number))):
                    said = state([HumanMessage(f"{step} {crowd.figure(number)}", id="1")])
                    at = await saver.aput(crowd.config, said, {"step": step}, {"messages": step + 1})
                    await saver.aput_writes(at, [("note", crowd.figure(number))], f"task {step}")
                    found = [each async for each in saver.alist(None)]
                    assert_own(crowd, number, (await saver.aget_tuple(crowd.config), found))
                    assert [s.owner for s in await saver.asessions()] == [crowd.name(number)]

        await asyncio.gather(*map(session, range(PEOPLE)))


def test_threads_of_the_agent(crowd: Crowd) -> None:
    model, logins = Parrot(), threading.BoundedSemaphore(LOGINS)
    with GovernedPostgresSaver.from_conn_string(crowd.lakehouse.runtime, max_size=CONNECTIONS) as saver:
        graph = build_graph(model, saver)

        def session(number: int) -> None:
            caller = crowd.caller(number)
            with logins, catalog_of(Settings(), caller) as catalog:
                chat = Conversation(graph, saver, caller, catalog, crowd.mark)
                for question in (crowd.question, "select 1"):
                    *_, last = chat.ask(question)
                    assert isinstance(last, Answered)
                assert_own(crowd, number, chat.messages())

        with ThreadPoolExecutor(PEOPLE) as pool:
            list(pool.map(session, range(PEOPLE)))
    assert_prompts_of_one_each(crowd, model)


async def test_tasks_of_the_agent(crowd: Crowd) -> None:
    model, logins = Parrot(), asyncio.Semaphore(LOGINS)
    async with GovernedPostgresSaver.from_conn_string(crowd.lakehouse.runtime, max_size=CONNECTIONS) as saver:
        graph = build_graph(model, saver)

        async def session(number: int) -> None:
            async with logins:
                caller = crowd.caller(number)
                with acting_as(caller.principal), ExitStack() as stack:
                    catalog = stack.enter_context(catalog_of(Settings(), caller))
                    for question in (crowd.question, "select 1"):
                        asked: Any = {"messages": [HumanMessage(question)]}
                        context = TurnContext(catalog)
                        found = await graph.ainvoke(asked, crowd.config, context=context, durability="sync")
                        assert_own(crowd, number, found)
                    assert_own(crowd, number, await graph.aget_state(crowd.config))

        await asyncio.gather(*map(session, range(PEOPLE)))
    assert_prompts_of_one_each(crowd, model)
