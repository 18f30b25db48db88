"""Nobody deletes or changes a thread under legal hold, by any way, and only an administrator lifts the hold."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from checkpointer import (
    GovernedPostgresSaver,
    NotAdministratorError,
    Principal,
    ThreadHeldError,
    ThreadNotFoundError,
    ThreadNotHeldError,
    acting_as,
    administration,
)
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database

ALICE, BOB = Principal("alice"), Principal("bob")
TABLES = ("threads", "checkpoints", "items", "writes", "holds")
REASON = "case 2026-113"


@dataclass(frozen=True)
class Held:
    """A thread of alice's under hold: three checkpoints in two namespaces, and pending writes."""

    name: str
    thread: int
    config: Any


@pytest.fixture
def held(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Held]:
    name = f"held-{uuid4().hex[:8]}"
    config: Any = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver, acting_as(ALICE):
        stored = config
        for ns, step in (("", 1), ("", 2), ("child:1", 1)):
            values = {"messages": [HumanMessage(f"question {step}", id=f"{step}")], "note": f"{step} " * 100}
            state: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}
            where: Any = {"configurable": {**stored["configurable"], "checkpoint_ns": ns}}
            where["configurable"] |= {"checkpoint_id": None} if ns else {}
            stored = saver.put(where, state, {"run_id": name}, dict.fromkeys(values, 1))
            saver.put_writes(stored, [("messages", [AIMessage("pending", id=f"w{step}")])], "task")
        saver.put_writes(stored, [("__interrupt__", "note of a task")], "task")
    assert lakehouse.admin is not None
    with administration.connect(lakehouse.admin) as administrator:
        administrator.hold("alice", name, reason=REASON)
        [(thread,)] = admin.execute("select id from mooring.threads where thread_id = %s", [name]).fetchall()
        yield Held(name, thread, config)
        administrator.release("alice", name)
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver, acting_as(ALICE):
        saver.delete_thread(name)


def contents(admin: psycopg.Connection[Any], held: Held) -> list[tuple[Any, ...]]:
    """Everything stored for the thread, the hold as well."""
    found = []
    for table in TABLES:
        column = "id" if table == "threads" else "thread"
        rows = admin.execute(
            f"select t::text from mooring.{table} t where {column} = %s order by 1".encode(), [held.thread]
        )
        found.append((table, *rows.fetchall()))
    assert all(len(rows) > 1 for rows in found)
    return found


@contextmanager
def acting_alice(lakehouse: Database) -> Iterator[psycopg.Connection[Any]]:
    """SQL as the runtime role, which is believed to act for alice."""
    with psycopg.connect(lakehouse.runtime) as conn:
        conn.execute("select set_config('mooring.principal', 'alice', true)")
        yield conn
        conn.commit()


def attempt(conn: psycopg.Connection[Any], attack: str, held: Held) -> None:
    for statement in attack.split("; "):
        conn.execute(statement.encode(), {"thread": held.thread})


SAVER_CALLS: dict[str, Callable[[GovernedPostgresSaver, Held], Any]] = {
    "delete_thread": lambda saver, held: saver.delete_thread(held.name),
    "prune to the latest": lambda saver, held: saver.prune([held.name]),
    "prune to nothing": lambda saver, held: saver.prune([held.name], strategy="delete"),
    "delete_for_runs": lambda saver, held: saver.delete_for_runs([held.name]),
    "put in its place": lambda saver, held: saver.put(
        held.config, {**empty_checkpoint(), "id": _first(saver, held)}, {"step": 9}, {}
    ),
}


def _first(saver: GovernedPostgresSaver, held: Held) -> str:
    return str(list(saver.list(held.config))[-1].checkpoint["id"])


@pytest.mark.parametrize("call", SAVER_CALLS)
def test_the_saver_is_refused(lakehouse: Database, admin: psycopg.Connection[Any], held: Held, call: str) -> None:
    before = contents(admin, held)
    with (
        GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver,
        acting_as(ALICE),
        pytest.raises(ThreadHeldError, match=f"'{held.name}' is under legal hold"),
    ):
        SAVER_CALLS[call](saver, held)
    assert contents(admin, held) == before


async def test_its_async_methods_are_refused(lakehouse: Database, admin: psycopg.Connection[Any], held: Held) -> None:
    before = contents(admin, held)
    async with GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver:
        with acting_as(ALICE), pytest.raises(ThreadHeldError):
            await saver.adelete_thread(held.name)
    assert contents(admin, held) == before


ATTACKS = [
    "delete from mooring.threads where id = %(thread)s",
    "delete from mooring.threads where owner = 'alice'",
    "delete from mooring.checkpoints where thread = %(thread)s",
    "delete from mooring.items where thread = %(thread)s",
    "delete from mooring.writes where thread = %(thread)s",
    "delete from mooring.writes where thread = %(thread)s and idx < 0",
    "with gone as (delete from mooring.items where thread = %(thread)s returning 1) select count(*) from gone",
    "with gone as (delete from mooring.items where thread = %(thread)s returning 1)"
    " select set_config('mooring.principal', 'bob', true) from gone",
    "update mooring.checkpoints set state = '', refs = '{}' where thread = %(thread)s",
    "update mooring.checkpoints set metadata = '{}' where thread = %(thread)s",
    "update mooring.checkpoints set ns = 'elsewhere' where thread = %(thread)s",
    "update mooring.writes set value = '' where thread = %(thread)s and idx >= 0",
    "update mooring.writes set idx = -9 where thread = %(thread)s and idx >= 0",
    "update mooring.writes set task_id = 'x' where thread = %(thread)s and idx < 0",
    "merge into mooring.checkpoints c using (select 1) s on c.thread = %(thread)s when matched then delete",
    "insert into mooring.checkpoints select * from mooring.checkpoints where thread = %(thread)s"
    " on conflict (thread, ns, checkpoint_id) do update set state = ''",
]
LIFTING = [
    "update mooring.threads set id = default",
    "select from mooring.holds",
    "delete from mooring.holds",
    "update mooring.holds set thread = 0",
    "insert into mooring.holds (owner, thread, thread_id, reason) select owner, id, 'x', 'x' from mooring.threads",
    "truncate mooring.holds",
    "truncate mooring.checkpoints",
    "alter table mooring.checkpoints disable trigger keep_held",
    "drop trigger keep_held on mooring.threads",
    "drop function mooring.refuse_held(bigint) cascade",
    "create or replace function mooring.refuse_held(thread bigint) returns void language sql as ''",
    "set session_replication_role = replica; delete from mooring.threads where id = %(thread)s",
    "set role mooring_migrator",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_runtime_role_deletes_and_changes_nothing(
    lakehouse: Database, admin: psycopg.Connection[Any], held: Held, attack: str
) -> None:
    before = contents(admin, held)
    with (
        pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.ForeignKeyViolation)),
        acting_alice(lakehouse) as conn,
    ):
        attempt(conn, attack, held)
    assert contents(admin, held) == before


@pytest.mark.parametrize("attack", LIFTING)
def test_the_runtime_role_lifts_no_hold(
    lakehouse: Database, admin: psycopg.Connection[Any], held: Held, attack: str
) -> None:
    before = contents(admin, held)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), acting_alice(lakehouse) as conn:
        attempt(conn, attack, held)
    assert contents(admin, held) == before


@pytest.mark.parametrize("attack", [*ATTACKS, *LIFTING])
def test_nor_does_the_owner_of_the_thread_with_her_own_login(
    lakehouse: Database, admin: psycopg.Connection[Any], held: Held, attack: str
) -> None:
    before = contents(admin, held)
    refused: tuple[type[Exception], ...] = (psycopg.errors.InsufficientPrivilege,)
    if not lakehouse.embedded and attack in ATTACKS:  # her login stores her sessions, and then the hold itself refuses
        refused += (psycopg.errors.RestrictViolation, psycopg.errors.ForeignKeyViolation)
    with pytest.raises(refused), psycopg.connect(lakehouse.login("alice")) as conn:
        attempt(conn, attack, held)
    assert contents(admin, held) == before


def test_not_even_an_administrator_or_a_superuser_deletes_by_accident(
    lakehouse: Database, admin: psycopg.Connection[Any], held: Held
) -> None:
    assert lakehouse.admin is not None
    before = contents(admin, held)
    with psycopg.connect(lakehouse.admin, autocommit=True) as owner:
        owner.execute("set mooring.administer = 'on'")
        for conn in (owner, admin):
            for table in ("threads", "checkpoints", "items", "writes"):
                column = "id" if table == "threads" else "thread"
                with pytest.raises(psycopg.errors.RestrictViolation, match=held.name):
                    conn.execute(f"delete from mooring.{table} where {column} = %s".encode(), [held.thread])
    assert contents(admin, held) == before


@pytest.mark.parametrize("who", ["runtime", "alice"])
def test_only_the_owner_of_the_schema_administers(lakehouse: Database, held: Held, who: str) -> None:
    dsn = lakehouse.runtime if who == "runtime" else lakehouse.login(who)
    with pytest.raises(NotAdministratorError, match="MOORING_ADMIN_URL"), administration.connect(dsn):
        pass


def test_a_setting_opens_nothing_to_the_runtime_role(
    lakehouse: Database, admin: psycopg.Connection[Any], held: Held
) -> None:
    assert contents(admin, held)
    with psycopg.connect(lakehouse.runtime) as conn:
        conn.execute("select set_config('mooring.administer', 'on', true)")
        # the view looks at policies as the schema's owner
        for rows in ("threads", "checkpoints", "writes", "contents"):
            assert conn.execute(f"select from mooring.{rows}".encode()).fetchall() == [], rows


def test_nobody_else_learns_of_a_hold(lakehouse: Database, held: Held) -> None:
    with psycopg.connect(lakehouse.runtime) as conn:
        seen = {}
        for person in ("alice", "bob", ""):
            conn.execute("select set_config('mooring.principal', %s, true)", [person])
            seen[person] = conn.execute("select mooring.held(%s)", [held.thread]).fetchone()
    assert seen == {"alice": (True,), "bob": (False,), "": (False,)}


class Answers(TypedDict):
    answers: Annotated[list[str], lambda old, new: [*old, *new]]


def test_a_held_conversation_goes_on_and_is_deleted_when_released(lakehouse: Database) -> None:
    def ask_twice(_: Answers) -> dict[str, Any]:
        return {"answers": [interrupt("first?"), interrupt("second?")]}

    assert lakehouse.admin is not None
    config: Any = {"configurable": {"thread_id": f"goes-on-{uuid4().hex[:8]}"}}
    name = config["configurable"]["thread_id"]
    with (
        saver_of(lakehouse, ALICE) as saver,
        administration.connect(lakehouse.admin) as administrator,
    ):
        builder: Any = StateGraph(Answers)
        graph = builder.add_node("n", ask_twice).add_edge(START, "n").compile(checkpointer=saver)
        graph.invoke({"answers": []}, config)
        administrator.hold("alice", name, reason=REASON)

        for answer in ("one", "two"):  # an interrupt's notes are replaced as it goes on
            graph.invoke(Command(resume=answer), config)
        graph.invoke({"answers": ["again"]}, config)
        assert graph.get_state(config).values["answers"] == ["one", "two", "again"]
        with pytest.raises(ThreadHeldError):
            saver.delete_thread(name)
        saver.delete_thread("another")

        assert administrator.release("alice", name).reason == REASON
        saver.delete_thread(name)
        assert saver.get_tuple(config) is None


def test_holds_are_listed_and_a_wrong_name_is_told(lakehouse: Database, held: Held) -> None:
    assert lakehouse.admin is not None
    with administration.connect(lakehouse.admin) as administrator:
        found = {(hold.owner, hold.thread_id): hold for hold in administrator.holds()}
        assert found["alice", held.name].reason == REASON
        assert found["alice", held.name].placed_by == "mooring_migrator"
        assert administrator.hold("alice", held.name, reason="another").reason == "another"
        with pytest.raises(ThreadNotFoundError, match="'bob' has no thread"):
            administrator.hold("bob", held.name, reason=REASON)
        with pytest.raises(ThreadNotHeldError, match="mooring db holds"):
            administrator.release("bob", held.name)


@pytest.mark.parametrize("table", ["threads", "checkpoints", "items", "writes"])
def test_the_schemas_owner_does_not_truncate_what_is_held(
    lakehouse: Database, admin: psycopg.Connection[Any], held: Held, table: str
) -> None:
    before = contents(admin, held)
    assert lakehouse.admin is not None
    with psycopg.connect(lakehouse.admin) as conn, pytest.raises(psycopg.errors.RestrictViolation):
        conn.execute(f"truncate mooring.{table} cascade".encode())
    assert contents(admin, held) == before
