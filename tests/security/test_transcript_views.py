"""Transcripts show a person their own, as far as they may read it now, and nobody anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.logins import login_as
from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

VIEWS = ("sessions", "conversation", "messages", "tool_calls")
TABLE = "select amount, seller from {name}.sales"


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        assert FIGURE in opened.ask(TABLE)
        yield opened


@pytest.fixture
def own(scene: Scene) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """The person's own login."""
    conninfo = login_as(scene.lakehouse, scene.person)
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        yield conn


def seen(conn: psycopg.Connection[Any], scene: Scene) -> list[str]:
    """What a connection sees of the scene in the views and the functions under them."""
    found = []
    for source in (*(f"mooring.{view}" for view in VIEWS), "mooring.label_sources()"):
        rows = conn.execute(f"select v::text from {source} v".encode()).fetchall()
        found += [str(row) for row in rows if scene.name in str(row)]
    return found


def test_a_person_sees_their_own(scene: Scene, own: psycopg.Connection[dict[str, Any]]) -> None:
    table = f"{own.info.dbname}.{scene.name}.sales"
    [session] = own.execute("select * from mooring.sessions").fetchall()
    assert (session["owner"], session["thread_id"], session["held"]) == (scene.person, scene.name, False)
    messages = own.execute("select * from mooring.messages order by position").fetchall()
    assert [(row["role"], row["sources"], row["withheld"]) for row in messages] == [
        ("user", [], False),
        ("assistant", [], False),
        ("tool", [table], False),
        ("assistant", [table], False),
    ]
    [call] = own.execute("select * from mooring.tool_calls").fetchall()
    assert call["arguments"] == messages[2]["arguments"] == {"sql": TABLE.format(name=scene.name)}
    assert FIGURE in call["result"]
    assert (call["name"], call["status"], call["sources"]) == ("query", "success", [table])


def test_transcripts_join_with_the_tables_of_the_same_database(
    scene: Scene, own: psycopg.Connection[dict[str, Any]]
) -> None:
    joined = own.execute(
        "select m.position, s.amount from mooring.messages m"
        f" join {scene.name}.sales s on m.content like '%' || s.amount || '%' and s.amount > 9"
        " where m.role = 'tool'".encode()
    ).fetchall()
    assert joined == [{"position": 2, "amount": int(FIGURE)}]


def test_what_is_withheld_keeps_its_shape(scene: Scene, own: psycopg.Connection[dict[str, Any]]) -> None:
    # The second question is asked in a prompt with the figure, so that the call is derived from it as well.
    scene.ask(TABLE)
    before = own.execute("select * from mooring.messages order by position").fetchall()
    calls = own.execute("select * from mooring.tool_calls order by position").fetchall()
    scene.run("revoke select on {name}.sales from {person}")

    after = own.execute("select * from mooring.messages order by position").fetchall()

    kept = ("owner", "thread_id", "position", "id", "role", "tool_name", "tool_call_id", "created_at", "sources")
    assert [[row[name] for name in kept] for row in after] == [[row[name] for name in kept] for row in before]
    for row in after:
        assert row["withheld"] is bool(row["sources"])
        assert (row["content"] is None) is row["withheld"]
        assert (row["note"] is not None) is row["withheld"]
    assert [row["arguments"] is None for row in after if row["role"] == "tool"] == [False, True]
    closed = own.execute("select * from mooring.tool_calls order by position").fetchall()
    assert [(row["id"], row["name"], row["status"], row["sources"]) for row in closed] == [
        (row["id"], row["name"], row["status"], row["sources"]) for row in calls
    ]
    assert [(row["result"], row["withheld"]) for row in closed] == [(None, True)] * 2
    assert FIGURE not in str(after) + str(closed)
    scene.run("grant select on {name}.sales to {person}")
    assert own.execute("select * from mooring.messages order by position").fetchall() == before
    assert own.execute("select * from mooring.tool_calls order by position").fetchall() == calls


def test_another_person_sees_nothing_of_it(scene: Scene) -> None:
    with psycopg.connect(scene.lakehouse.login("bob"), autocommit=True) as bob:
        bob.execute("select set_config('mooring.principal', %s, false)", [scene.person])
        assert seen(bob, scene) == []


def test_the_runtime_role_sees_what_the_bound_principal_may_see(scene: Scene) -> None:
    with psycopg.connect(scene.lakehouse.runtime, autocommit=True) as service:
        assert seen(service, scene) == []
        for person, sees in (("bob", False), (scene.person, True), ("", False)):
            with service.transaction():
                service.execute("select set_config('mooring.principal', %s, true)", [person])
                assert bool(seen(service, scene)) is sees
        scene.run("revoke select on {name}.sales from {person}")
        with service.transaction():
            service.execute("select set_config('mooring.principal', %s, true)", [scene.person])
            assert FIGURE not in str(seen(service, scene))


def test_the_owner_of_the_schema_sees_nothing_by_accident(scene: Scene) -> None:
    assert scene.lakehouse.admin is not None
    with psycopg.connect(scene.lakehouse.admin, autocommit=True) as owner:
        assert seen(owner, scene) == []


def test_who_is_no_user_has_no_privilege_on_them(scene: Scene) -> None:
    stranger = f"stranger_{uuid4().hex[:8]}"
    scene.admin.execute(f"create role {stranger} login password 'secret'".encode())
    scene.admin.execute(f"grant connect on database {scene.admin.info.dbname} to {stranger}".encode())
    try:
        conninfo = login_as(scene.lakehouse, stranger)
        with psycopg.connect(conninfo, autocommit=True) as conn:
            for source in (*(f"mooring.{view}" for view in VIEWS), "mooring.label_sources()"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f"select * from {source}".encode())
    finally:
        scene.admin.execute(f"drop owned by {stranger}; drop role {stranger}".encode())


@pytest.mark.parametrize("view", VIEWS)
def test_nobody_writes_through_them(scene: Scene, own: psycopg.Connection[Any], view: str) -> None:
    with psycopg.connect(scene.lakehouse.runtime) as service:
        service.execute("select set_config('mooring.principal', %s, true)", [scene.person])
        for conn in (own, service):
            refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)
            with pytest.raises(refused), conn.transaction():
                conn.execute(f"delete from mooring.{view}".encode())
