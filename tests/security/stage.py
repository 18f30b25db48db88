"""A schema of its own with a thread in it, and everybody who could want something of that: owner, editor, stranger, ...

Nothing else is in the schema, so whatever somebody gets to see there is the owner's.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import psycopg
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import empty_checkpoint
from psycopg import sql

from agent.local.bootstrap import READERS, SERVICE
from checkpointer import GovernedPostgresSaver, Principal, acting_as, administration
from tests.logins import login_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

PEOPLE = ("owner", "editor", "viewer", "member", "stranger", "auditor")
SECRET = f"secret-{uuid4().hex}"
"""What the owner's thread holds, and nothing else does."""

_BORN = (
    "create role {group}",
    "create role {auditors}",
    "grant connect on database lakehouse to {auditors}",
    *(f"create role {{{who}}} login password 'secret' in role mooring_user" for who in PEOPLE if who != "auditor"),
    "grant {group} to {member}",
    "create role {auditor} login password 'secret' in role {auditors}",
    "create role {broker} login password 'secret' in role mooring_service",
    "create role {nobody} login password 'secret'",
    "grant connect on database lakehouse to {nobody}",
    "create table public.{table} (amount int)",
    "grant select on public.{table} to {owner}",
)
_GONE = (
    "drop schema if exists {schema}, {chat} cascade",
    "drop table public.{table}",
    "drop owned by {owner}, {editor}, {viewer}, {member}, {stranger}, {auditor}, {broker}, {nobody}, {auditors}",
    "drop role {owner}, {editor}, {viewer}, {member}, {stranger}, {auditor}, {broker}, {nobody}, {auditors}, {group}",
)


@dataclass
class Stage:
    """Use it with `with`. Each of `PEOPLE` is a role; `as_...` are connections that act for them."""

    lakehouse: Database
    admin: psycopg.Connection[Any]
    mark: str = field(default_factory=lambda: uuid4().hex[:8])
    thread_id: str = "plans"

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._stack.callback(self.run, *_GONE)
        self.run(*_BORN)
        assert self.lakehouse.admin is not None
        GovernedPostgresSaver.migrate(
            self.lakehouse.admin,
            runtime_role=SERVICE,
            login_role=READERS,
            auditor_role=self.role("auditors"),
            schema=self.schema,
            chat_schema=f"chat_{self.mark}",
        )
        self._fill()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def schema(self) -> str:
        """Where the tables are."""
        return f"stage_{self.mark}"

    def config(self, thread_id: str, who: str) -> Any:
        """Return how a persona names a thread of the owner's."""
        own = {"thread_id": thread_id, "checkpoint_ns": ""}
        return {"configurable": own if who == "owner" else {**own, "thread_owner": self.role("owner")}}

    def role(self, who: str) -> str:
        """Return the role of a persona."""
        return f"{who}_{self.mark}"

    def principal(self, who: str) -> Principal:
        """Return a persona, authenticated."""
        return Principal(self.role(who))

    def run(self, *statements: str) -> None:
        """Run SQL as a superuser; {owner}, {schema} and the like are the stage's."""
        named = {who: self.role(who) for who in (*PEOPLE, "group", "auditors", "table", "broker", "nobody")}
        for statement in statements:
            self.admin.execute(statement.format(schema=self.schema, chat=f"chat_{self.mark}", **named).encode())

    @contextmanager
    def saver(self, **options: Any) -> Iterator[GovernedPostgresSaver]:
        """Open a saver on the schema, by the runtime role."""
        with GovernedPostgresSaver.from_conn_string(
            self.lakehouse.runtime, schema=self.schema, **{"max_size": 1, **options}
        ) as opened:
            yield opened

    @contextmanager
    def connection(self, persona: str) -> Iterator[psycopg.Connection[Any]]:
        """Connect as a persona, within a transaction that is rolled back.

        `bound owner` is the runtime role acting for the owner; `owner` their own login, which says to be the owner; and
        `unbound`, `broker`, `migrator`, `administrator` are what they are called.
        """
        kind, _, who = persona.rpartition(" ")
        runtime, settings = (
            self.lakehouse.runtime,
            {"mooring.principal": self.role("owner"), "mooring.administer": "on"},
        )
        if kind == "bound":
            conninfo, settings = runtime, {"mooring.principal": self.role(who)}
        elif who == "unbound":
            conninfo, settings = runtime, {"mooring.administer": "on"}
        elif who == "broker":
            conninfo = self.login("broker")
        elif who in ("migrator", "administrator"):
            assert self.lakehouse.admin is not None
            conninfo = self.lakehouse.admin
            settings["mooring.administer"] = "on" if who == "administrator" else "off"
        else:
            conninfo = self.login(who)
            settings["mooring.groups"] = f"{{{self.role('group')},{self.role('auditors')}}}"
        with psycopg.connect(conninfo) as conn:
            for name, value in settings.items():
                conn.execute("select set_config(%s, %s, true)", [name, value])
            yield conn
            conn.rollback()

    def login(self, who: str) -> str:
        """Return how a persona logs in."""
        return login_as(self.lakehouse, self.role(who))

    def rows(self) -> list[Any]:
        """Return all that is stored, but for the lines of the audit, which reading adds to."""
        tables = [name for schema, name, kind in self.relations() if kind == "r" and name != "audit"]
        return [
            (name, self.admin.execute(sql.SQL("select t::text from {} t order by 1").format(self.at(name))).fetchall())
            for name in sorted(tables)
        ]

    def relations(self) -> list[tuple[str, str, str]]:
        """Return schema, name and kind of all that can be read, from the catalog."""
        return self.admin.execute(
            "select n.nspname::text, c.relname::text, c.relkind::text from pg_class c"
            " join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = any(%s) and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1 desc, 2",
            [[self.schema, f"chat_{self.mark}"]],
        ).fetchall()

    def at(self, name: str) -> sql.Identifier:
        """Return a table of the schema."""
        return sql.Identifier(self.schema, name)

    def latest(self, thread_id: str) -> str | None:
        """Return the latest checkpoint of a thread; None where there is none."""
        query = "select c.checkpoint_id from {} c join {} t on t.id = c.thread where t.thread_id = %s"
        found = self.admin.execute(
            sql.SQL(query).format(self.at("checkpoints"), self.at("threads")), [thread_id]
        ).fetchone()
        return found[0] if found else None

    def table(self) -> int:
        """Return the number of the table that the owner may read."""
        [(number,)] = self.admin.execute("select %s::regclass::oid", [f"public.{self.role('table')}"]).fetchall()
        return int(number)

    def begin(self, saver: GovernedPostgresSaver, thread_id: str, *, shared: bool = True) -> None:
        """Have the owner begin a thread, with content that is theirs to read, and share it."""
        label = {"mooring": {"labels": [[f"lakehouse.public.{self.role('table')}", None]]}}
        call: Any = {"name": "query", "args": {"sql": SECRET}, "id": "c", "type": "tool_call"}
        said = [
            HumanMessage(SECRET, id="1"),
            AIMessage(SECRET, id="2", tool_calls=[call]),
            ToolMessage(SECRET, id="3", tool_call_id="c", name="query", response_metadata=label),
        ]
        with acting_as(self.principal("owner")):
            at: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
            stored = saver.put(at, state(said), {"step": 0, "run_id": f"run of {thread_id}"}, {"messages": 1})
            saver.put_writes(stored, [("messages", [AIMessage(SECRET, id="4")])], "task")
            latest = saver.put(stored, state(said), {"step": 1, "run_id": f"run of {thread_id}"}, {})
            saver.rate(latest, 1, "down", SECRET)
            if shared:
                saver.share(thread_id, self.role("editor"), "editor")
                saver.share(thread_id, self.role("viewer"))
                saver.share(thread_id, f"group:{self.role('group')}")

    def _fill(self) -> None:
        """Have a row in every table: a thread with labelled content and writes, shared, and another under hold."""
        with self.saver() as saver:
            self.begin(saver, self.thread_id)
            self.begin(saver, "held", shared=False)
        assert self.lakehouse.admin is not None
        with administration.connect(self.lakehouse.admin, schema=self.schema) as administrator:
            administrator.hold(self.role("owner"), "held", reason=SECRET)


def state(said: list[Any]) -> Any:
    """Return a checkpoint with these messages."""
    values = {"messages": said}
    return {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}
