"""The peers: each opens savers on a fresh store of its own, as its documentation says."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import uuid4

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from checkpointer import GovernedPostgresSaver, Keyring, Principal, acting_as

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from tests.benchmarks.server import BenchServer

PERSON = Principal("somebody@example.com")


class Store(ABC):
    """One peer's storage. `port` leads through a proxy, where there is a network at all."""

    name: ClassVar[str]
    delta: ClassVar[bool] = False
    networked: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def made(cls, server: BenchServer, folder: Path) -> Self:
        """Make an empty store."""

    @abstractmethod
    @contextmanager
    def open(self, port: int | None = None) -> Iterator[Any]:
        """Open a saver for one thread at a time."""

    @abstractmethod
    @asynccontextmanager
    async def aopen(self, connections: int, port: int | None = None) -> AsyncIterator[Any]:
        """Open an async saver for many threads at once."""
        yield

    @abstractmethod
    def size(self) -> int:
        """Return the bytes stored, indexes included."""

    @abstractmethod
    def settle(self) -> None:
        """Bring the storage into the state that it has after some rest."""

    @abstractmethod
    def multiply(self, thread_id: str, copies: Sequence[str]) -> None:
        """Copy a thread."""

    @abstractmethod
    def drop(self) -> None:
        """Throw the storage away."""


class Governed(Store):
    """Ours: row-level security on, connected as a runtime role that owns nothing, a principal bound."""

    name = "ours"
    encryption: ClassVar[Keyring | None] = None

    def __init__(self, server: BenchServer) -> None:
        self._server = server
        self._owner, self._service = (f"bench_{part}_{uuid4().hex[:8]}" for part in ("owner", "service"))
        owner = server.role(self._owner)
        self._conninfo = server.role(self._service)
        self.database = server.database(self._owner)
        self._conninfo = make_conninfo(self._conninfo, dbname=self.database)
        GovernedPostgresSaver.migrate(make_conninfo(owner, dbname=self.database), runtime_role=self._service)

    @classmethod
    def made(cls, server: BenchServer, folder: Path) -> Self:
        return cls(server)

    @contextmanager
    def open(self, port: int | None = None) -> Iterator[Any]:
        conninfo = _through(self._conninfo, port)
        opened = GovernedPostgresSaver.from_conn_string(conninfo, encryption=self.encryption)
        with opened as saver, acting_as(PERSON):
            yield saver

    @asynccontextmanager
    async def aopen(self, connections: int, port: int | None = None) -> AsyncIterator[Any]:
        conninfo = _through(self._conninfo, port)
        opened = GovernedPostgresSaver.from_conn_string(conninfo, min_size=connections, max_size=connections)
        async with opened as saver:
            with acting_as(PERSON):
                yield saver

    def size(self) -> int:
        return self._server.size(self.database)

    def settle(self) -> None:
        self._server.settle(self.database)

    def multiply(self, thread_id: str, copies: Sequence[str]) -> None:
        with self.open() as saver:
            for copy in copies:
                saver.copy_thread(thread_id, copy)

    def drop(self) -> None:
        self._server.drop_database(self.database)
        for role in (self._service, self._owner):
            self._server.drop_role(role)


class Encrypting(Governed):
    """Ours, with everything encrypted that a user gave."""

    encryption = Keyring({"benchmark": bytes(32)})


class Clear(Governed):
    """Ours, to be compared with it."""

    name = "ours, without encryption"


class Upstream(Store):
    """LangGraph's own saver: one connection where one thread runs at a time, a pool for many at once."""

    name = "upstream"

    def __init__(self, server: BenchServer) -> None:
        self._server = server
        self._role = f"bench_upstream_{uuid4().hex[:8]}"
        self._conninfo = server.role(self._role)
        self._database = server.database(self._role)
        self._conninfo = make_conninfo(self._conninfo, dbname=self._database)
        with self.open() as saver:
            saver.setup()

    @classmethod
    def made(cls, server: BenchServer, folder: Path) -> Self:
        return cls(server)

    @contextmanager
    def open(self, port: int | None = None) -> Iterator[Any]:
        with PostgresSaver.from_conn_string(_through(self._conninfo, port)) as saver:
            yield saver

    @asynccontextmanager
    async def aopen(self, connections: int, port: int | None = None) -> AsyncIterator[Any]:
        pool = AsyncConnectionPool[AsyncConnection[DictRow]](
            _through(self._conninfo, port),
            kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
            min_size=connections,
            max_size=connections,
            open=False,
        )
        async with pool:
            yield AsyncPostgresSaver(pool)

    def size(self) -> int:
        return self._server.size(self._database)

    def settle(self) -> None:
        self._server.settle(self._database)

    def multiply(self, thread_id: str, copies: Sequence[str]) -> None:
        with self._server.inside(self._database) as conn:
            for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
                row = "(jsonb_populate_record(t, jsonb_build_object('thread_id', copy))).*"
                rows = f"select {row} from {table} t, unnest(%s::text[]) copy where t.thread_id = %s"
                conn.execute(f"insert into {table} {rows}".encode(), [list(copies), thread_id])

    def drop(self) -> None:
        self._server.drop_database(self._database)
        self._server.drop_role(self._role)


class UpstreamDelta(Upstream):
    """LangGraph's own saver under a graph whose growing channel is a `DeltaChannel`."""

    name = "upstream + DeltaChannel"
    delta = True


class Sqlite(Store):
    """LangGraph's saver for one machine: no server, no network, no roles. Its write-ahead log is not counted."""

    name = "sqlite"
    networked = False

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{uuid4().hex}.sqlite"

    @classmethod
    def made(cls, server: BenchServer, folder: Path) -> Self:
        return cls(folder)

    @contextmanager
    def open(self, port: int | None = None) -> Iterator[Any]:
        with SqliteSaver.from_conn_string(str(self._file)) as saver:
            saver.setup()
            yield saver

    @asynccontextmanager
    async def aopen(self, connections: int, port: int | None = None) -> AsyncIterator[Any]:
        async with AsyncSqliteSaver.from_conn_string(str(self._file)) as saver:
            await saver.setup()
            yield saver

    def size(self) -> int:
        with closing(sqlite3.connect(self._file)) as conn:
            conn.execute("pragma wal_checkpoint(truncate)")
        return self._file.stat().st_size

    def settle(self) -> None:
        with closing(sqlite3.connect(self._file)) as conn:
            conn.execute("pragma wal_checkpoint(truncate)")
            conn.execute("analyze")

    def multiply(self, thread_id: str, copies: Sequence[str]) -> None:
        with closing(sqlite3.connect(self._file)) as conn:
            for table in ("checkpoints", "writes"):
                columns = [column for _, column, *_ in conn.execute(f"pragma table_info({table})")]
                chosen = ", ".join("?" if column == "thread_id" else column for column in columns)
                query = f"insert into {table} ({', '.join(columns)}) select {chosen} from {table} where thread_id = ?"
                conn.executemany(query, [(copy, thread_id) for copy in copies])
            conn.commit()

    def drop(self) -> None:
        for file in self._file.parent.glob(f"{self._file.name}*"):
            file.unlink()


@contextmanager
def fresh(server: BenchServer, folder: Path, *kinds: type[Store]) -> Iterator[list[Store]]:
    """Make an empty store of each kind, dropped afterwards."""
    with ExitStack() as stack:
        made = [kind.made(server, folder) for kind in kinds or (Governed, Upstream, UpstreamDelta, Sqlite)]
        for store in made:
            stack.callback(store.drop)
        yield made


def _through(conninfo: str, port: int | None) -> str:
    return conninfo if port is None else make_conninfo(conninfo, port=port)
