"""The saver and the graph as LangGraph's server uses them: for whom it authenticated, and for nobody else.

The server itself is not installed here. A stand-in has the two names of it that are looked at, and calls the saver as
its adapter for custom checkpointers does (langgraph-api 0.16, `langgraph_api/_checkpointer/_adapter.py`).
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import typing
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph_sdk.auth.types import StudioUser
from langgraph_sdk.runtime import ServerRuntime, _ExecutionRuntime, _ReadRuntime

from agent import langgraph_server
from agent.errors import MooringError
from agent.langgraph_server import NobodyError, SomebodyElseError, checkpointer, graph
from checkpointer import GovernedPostgresSaver, NoPrincipalError
from tests.integration.travels import said, travels

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from agent.database import Database

ROOT = Path(__file__).parents[2]
NOBODY = {
    "no authentication": None,
    "not authenticated": SimpleNamespace(identity="", is_authenticated=False),
    "without a name": SimpleNamespace(identity="", is_authenticated=True),
    "studio on a laptop": StudioUser("langgraph-studio-user"),
    "studio": StudioUser("alice", is_authenticated=True),
    "studio, as a run keeps it": SimpleNamespace(identity="alice", is_authenticated=True, kind="StudioUser"),
}


class Server:
    """LangGraph's server: whom it authenticated, and how it calls a custom checkpointer."""

    def __init__(self) -> None:
        self._context: ContextVar[Any] = ContextVar("AuthContext", default=None)
        self.utils, self.config = ModuleType("langgraph_api.utils"), ModuleType("langgraph_api.config")
        self.utils.__dict__["get_auth_ctx"] = self._context.get
        self.config.__dict__.update(LANGGRAPH_AUTH={"path": "./auth.py:auth"}, LANGGRAPH_AUTH_TYPE="noop")

    @contextmanager
    def request(self, user: Any) -> Iterator[None]:
        """Handle a request of this user, or of somebody of this name."""
        if isinstance(user, str):
            user = SimpleNamespace(identity=user, is_authenticated=True)
        token = self._context.set(None if user is None else SimpleNamespace(user=user, permissions=[]))
        try:
            yield
        finally:
            self._context.reset(token)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, lakehouse: Database) -> Server:
    standing_in = Server()
    for name in ("utils", "config"):
        monkeypatch.setitem(sys.modules, f"langgraph_api.{name}", getattr(standing_in, name))
    monkeypatch.setitem(sys.modules, "langgraph_api", ModuleType("langgraph_api"))
    return standing_in


class Adapter(InMemorySaver):
    """Passes on to the saver inside what the server's adapter passes on, with its versions and metadata."""

    def __init__(self, inner: BaseCheckpointSaver[Any]) -> None:
        super().__init__(serde=inner.serde)
        self.inner = inner

    async def aget_tuple(self, config: Any) -> Any:
        return await self.inner.aget_tuple(config)

    async def alist(self, config: Any, **options: Any) -> Any:
        async for found in self.inner.alist(config, **options):
            yield found

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        enriched: Any = {"graph_id": "mooring", "run_id": "r", **metadata}
        return await self.inner.aput(config, checkpoint, enriched, new_versions)

    async def aput_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        await self.inner.aput_writes(config, writes, task_id, task_path)


def config_of(thread_id: str, **configurable: Any) -> Any:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": "", **configurable}}


def every_call(saver: GovernedPostgresSaver, config: Any) -> dict[str, Callable[[], Awaitable[Any]]]:
    """What the server may ask of a custom checkpointer."""

    async def listed() -> Any:
        return [found async for found in saver.alist(config)]

    return {
        "aget": lambda: saver.aget(config),
        "aget_tuple": lambda: saver.aget_tuple(config),
        "alist": listed,
        "aput": lambda: saver.aput(config, empty_checkpoint(), {}, {}),
        "aput_writes": lambda: saver.aput_writes(config_of("t", checkpoint_id="c"), [("a", 1)], "task"),
        "adelete_thread": lambda: saver.adelete_thread("t"),
        "adelete_for_runs": lambda: saver.adelete_for_runs(["r"]),
        "acopy_thread": lambda: saver.acopy_thread("t", "u"),
        "aprune": lambda: saver.aprune(["t"], strategy="delete_all"),
    }


async def test_a_graph_runs_through_the_server_s_calls(server: Server) -> None:
    thread_id, copy = str(uuid4()), str(uuid4())
    config = config_of(thread_id)
    async with checkpointer() as saver:
        with server.request("alice"):
            ran = travels(Adapter(saver))
            await ran.ainvoke(said("one"), config)
            await ran.ainvoke(said("two, and ask"), config)
            state = await ran.aget_state(config)
            assert state.interrupts
            assert state.metadata is not None
            assert state.metadata["graph_id"] == "mooring"  # type: ignore[typeddict-item]
            history = [found async for found in saver.alist(config_of(thread_id), limit=3)]
            assert history[0].checkpoint == await saver.aget(config)

            await saver.acopy_thread(thread_id, copy)
            await saver.aprune([thread_id], strategy="keep_latest")
            assert len([found async for found in saver.alist(config)]) == 1
            await saver.aprune([thread_id], strategy="delete_all")
            assert await saver.aget_tuple(config) is None
            await saver.adelete_for_runs(["r"])
            assert await saver.aget_tuple(config_of(copy)) is None
            await saver.adelete_thread(copy)


async def test_requests_at_once_see_their_own_callers_sessions(server: Server) -> None:
    thread_id = str(uuid4())

    async def asked(person: str) -> list[str]:
        with server.request(person):
            ran = travels(Adapter(saver))
            for n in range(3):
                await ran.ainvoke(said(f"{person} {n}"), config_of(thread_id, langgraph_auth_user_id=person))
            return [m.text for m in (await ran.aget_state(config_of(thread_id))).values["messages"]]

    async with checkpointer() as saver:
        people = [f"{name}-{uuid4()}" for name in ("anna", "ben", "cleo")]
        for person, texts in zip(people, await asyncio.gather(*map(asked, people)), strict=True):
            assert len(texts) == 6
            assert all(person in text for text in texts)


@pytest.mark.parametrize("nobody", NOBODY)
async def test_nobody_has_no_sessions(server: Server, nobody: str) -> None:
    async with checkpointer() as saver:
        with server.request(NOBODY[nobody]):
            for config in (config_of("t"), config_of("t", langgraph_auth_user_id="alice")):
                for call in every_call(saver, config).values():
                    with pytest.raises(NoPrincipalError):
                        await call()


async def test_a_name_in_the_body_is_not_believed(server: Server) -> None:
    """The server's routes for a thread's state put a request's `checkpoint` into the config as it is."""
    async with checkpointer() as saver:
        thread_id = str(uuid4())
        with server.request("alice"):
            await travels(Adapter(saver)).ainvoke(said("secret"), config_of(thread_id))
        with server.request("bob"):
            assert await saver.aget_tuple(config_of(thread_id)) is None
            calls = every_call(saver, config_of(thread_id, langgraph_auth_user_id="alice"))
            for name in ("aget", "aget_tuple", "alist", "aput"):
                with pytest.raises(SomebodyElseError, match="thread_id"):
                    await calls[name]()


@pytest.mark.embedded
class TestOnePerson:
    """A laptop's server without authentication, for whoever MOORING_USER logs in."""

    @pytest.fixture
    def alone(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
        server.config.__dict__["LANGGRAPH_AUTH"] = None
        monkeypatch.setenv("MOORING_USER", "alice")
        return server

    async def test_is_everybody(self, alone: Server) -> None:
        async with checkpointer() as saver:
            with alone.request(NOBODY["not authenticated"]):
                thread_id = str(uuid4())
                await travels(Adapter(saver)).ainvoke(said("one"), config_of(thread_id))
                assert [found.owner for found in await saver.asessions(thread_id=thread_id)] == ["alice"]

    async def test_has_to_log_in(self, alone: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MOORING_USER", "nobody-known")
        with pytest.raises(MooringError, match="has no login"):
            async with checkpointer():
                pass

    @pytest.mark.parametrize(
        "setting", [{"LANGGRAPH_AUTH": {"path": "./auth.py:auth"}}, {"LANGGRAPH_AUTH_TYPE": "langsmith"}]
    )
    async def test_is_nobody_where_there_is_authentication(self, alone: Server, setting: dict[str, Any]) -> None:
        alone.config.__dict__.update(setting)
        async with checkpointer() as saver:
            for call in every_call(saver, config_of("t")).values():
                with pytest.raises(NoPrincipalError):
                    await call()

    async def test_is_nobody_on_another_postgres(
        self, alone: Server, monkeypatch: pytest.MonkeyPatch, lakehouse: Database
    ) -> None:
        monkeypatch.setenv("MOORING_DATABASE_URL", lakehouse.runtime)
        async with checkpointer() as saver:
            with pytest.raises(NoPrincipalError):
                await saver.asessions()


@pytest.mark.embedded
class TestGraph:
    STORE = InMemoryStore()

    async def answer(self, question: str) -> str:
        runtime: ServerRuntime[Any] = _ExecutionRuntime(access_context="threads.create_run", store=self.STORE)
        async with checkpointer() as saver, graph(runtime) as built:
            ran = built.copy(update={"checkpointer": Adapter(saver), "store": self.STORE})
            config = config_of(str(uuid4()))
            # What the server makes of a body without a context.
            result = await ran.ainvoke({"messages": [("user", question)]}, config, context={})
            return str(result["messages"][-1].text)

    async def test_answers_with_the_caller_s_own_rights(self, server: Server) -> None:
        with server.request("alice"):
            assert "240" in await self.answer("how many reviews are there?")
        with server.request("carol"):
            assert "240" not in await self.answer("how many reviews are there?")

    async def test_runs_for_nobody_but_shows_its_shape(self, server: Server) -> None:
        with pytest.raises(NobodyError):
            await self.answer("how many reviews are there?")
        async with graph(_ReadRuntime(access_context="assistants.read", store=self.STORE)) as built:
            assert {"model", "tools"} <= set(built.get_graph().nodes)

    async def test_needs_the_caller_s_login(self, server: Server) -> None:
        with server.request("somebody@example.com"), pytest.raises(MooringError, match="has no login"):
            await self.answer("how many reviews are there?")


def test_langgraph_json_names_what_is_there() -> None:
    settings = json.loads((ROOT / "langgraph.json").read_text("utf-8"))
    assert set(settings) == {"dependencies", "graphs", "checkpointer"}
    for path in (settings["checkpointer"]["path"], *settings["graphs"].values()):
        file, _, name = path.rpartition(":")
        assert ROOT / file == Path(langgraph_server.__file__)
        spec = importlib.util.spec_from_file_location("as_the_server_loads_it", ROOT / file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert callable(getattr(module, name))
    # The server passes the runtime only where the annotations resolve.
    assert typing.get_type_hints(graph)["runtime"] == ServerRuntime[Any]
