"""Encrypted sessions obey the same rules as any, and whoever reads them with SQL is told what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from checkpointer import (
    ClearRowError,
    GovernedPostgresSaver,
    Keyring,
    Principal,
    SealBrokenError,
    ViewerError,
    acting_as,
    administration,
)
from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

TABLE = "select amount from {name}.sales"
NOTE = "encrypted: only a program that has the key can read it"


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin, encryption=Keyring({"k": bytes(32)})) as opened:
        assert FIGURE in opened.ask(TABLE)
        yield opened


@pytest.fixture
def own(scene: Scene) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """The person's own login."""
    with psycopg.connect(scene.login(scene.person), autocommit=True, row_factory=dict_row) as conn:
        yield conn


def test_transcripts_say_that_they_are_encrypted(scene: Scene, own: psycopg.Connection[dict[str, Any]]) -> None:
    with acting_as(scene.principal):
        [session] = scene.saver.sessions()
    assert session.title
    [row] = own.execute("select * from mooring.sessions").fetchall()
    assert (row["thread_id"], row["title"]) == (scene.name, "[encrypted]")
    messages = own.execute("select * from mooring.messages order by position").fetchall()
    assert [row["role"] for row in messages] == ["user", "assistant", "tool", "assistant"]
    assert {(row["content"], row["id"], row["arguments"], row["note"], row["withheld"]) for row in messages} == {
        (None, None, None, NOTE, False)
    }
    table = f"{own.info.dbname}.{scene.name}.sales"
    assert [row["sources"] for row in messages] == [[], [], [table], [table]]
    calls = own.execute("select * from mooring.tool_calls").fetchall()
    assert [(row["position"], row["status"], row["sources"], row["withheld"]) for row in calls] == [
        (2, "encrypted", [table], False)
    ]
    assert {calls[0][name] for name in ("id", "name", "arguments", "result", "result_position")} == {None}


def test_a_page_of_chats_says_so(scene: Scene, own: psycopg.Connection[dict[str, Any]]) -> None:
    assert scene.lakehouse.admin is not None
    chat = f"chat_{uuid4().hex[:8]}"
    login_role = {"login_role": "mooring_user"}
    GovernedPostgresSaver.migrate(scene.lakehouse.admin, runtime_role="mooring_service", chat_schema=chat, **login_role)
    try:
        query = sql.SQL("select title, content from {0}.chats c join {0}.messages m on m.chat_id = c.id")
        found = own.execute(query.format(sql.Identifier(chat))).fetchall()
        assert [tuple(row.values()) for row in found] == [("[encrypted]", f"[{NOTE}]")] * 4
    finally:
        with psycopg.connect(scene.lakehouse.admin, autocommit=True) as migrator:
            migrator.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(chat)))


def test_what_is_revoked_is_withheld_and_comes_back(scene: Scene, own: psycopg.Connection[dict[str, Any]]) -> None:
    before = scene.everything()
    assert FIGURE in str(before["state"])
    scene.run("revoke select on {name}.sales from {person}")

    closed = scene.everything()
    messages = closed["state"]["messages"]
    assert FIGURE not in str(closed)
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert [message.id for message in messages] == [message.id for message in before["state"]["messages"]]
    assert messages[2].tool_call_id == before["state"]["messages"][2].tool_call_id
    rows = own.execute("select withheld, content, note from mooring.messages order by position").fetchall()
    assert [row["withheld"] for row in rows] == [False, False, True, True]
    assert "withheld" in rows[3]["note"]
    scene.ask("select 1 as one")

    scene.run("grant select on {name}.sales to {person}")
    after = scene.everything()["state"]["messages"]
    assert after[:4] == before["state"]["messages"]
    assert len(after) == 8


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ("'[\"x\"]'", ClearRowError),
        ('\'{"type": "ai", "id": "x"}\'', ClearRowError),
        ("''", ClearRowError),
        ("replace(encode(set_byte(decode(envelope, 'base64'), 20, 0), 'base64'), chr(10), '')", SealBrokenError),
        ("(select i.envelope from mooring.items i where i.thread = items.thread and i.kind = 'ai')", SealBrokenError),
    ],
)
def test_what_stays_of_withheld_content_is_believed_only_under_its_seal(
    scene: Scene, changed: str, error: type[Exception]
) -> None:
    scene.run("revoke select on {name}.sales from {person}")
    which = "kind = 'tool' and envelope is not null and thread = (select id from mooring.threads where thread_id = %s)"
    changes = f"update mooring.items set envelope = {changed} where {which}"
    changes = changes.replace("i.kind = 'ai')", "i.kind = 'ai' and i.envelope is not null limit 1)")
    assert scene.admin.execute(changes.encode(), [scene.name]).rowcount == 1
    with pytest.raises(error), acting_as(scene.principal):
        scene.saver.get_tuple(scene.config)


def test_who_it_is_shared_with_reads_and_goes_on_with_it_as_themselves(scene: Scene) -> None:
    config: Any = {"configurable": {**scene.config["configurable"], "thread_owner": scene.person}}
    colleague = Principal(scene.colleague)
    with acting_as(scene.principal):
        scene.saver.share(scene.name, scene.colleague, "viewer")
    with acting_as(colleague):
        found = scene.saver.get_tuple(config)
        assert found is not None
        assert [m.type for m in found.checkpoint["channel_values"]["messages"]] == ["human", "ai", "tool", "ai"]
        assert FIGURE not in str(found)
        assert scene.saver.sessions(owner=scene.person)[0].title
        with pytest.raises(ViewerError):
            scene.saver.put_writes(found.config, [("a", 1)], "task")
    with acting_as(scene.principal):
        scene.saver.share(scene.name, scene.colleague, "editor")
    scene.ask("select 2 as two", scene.colleague, scene.person)
    assert "It says" in str(scene.everything()["state"]["messages"][-1])


def test_it_is_held_and_erased_without_a_key(scene: Scene) -> None:
    assert scene.lakehouse.admin is not None
    with administration.connect(scene.lakehouse.admin) as admin:
        admin.hold(scene.person, scene.name, reason="case")
        assert admin.erase(scene.person, except_held=True).held == (scene.name,)
        admin.release(scene.person, scene.name)
        assert admin.erase(scene.person).rows["threads"] == 1
    with acting_as(scene.principal):
        assert scene.saver.sessions() == []
