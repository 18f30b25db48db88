"""A page that reads chats as Databricks AppKit's template stores them reads sessions, through its own queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from psycopg import sql
from psycopg.rows import dict_row
from typer.testing import CliRunner

from agent.cli.app import app
from agent.local.bootstrap import READERS
from checkpointer import GovernedPostgresSaver, SchemaError, acting_as
from tests.integration.test_transcripts import config_of, stored
from tests.logins import login_as
from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

# What the page sends, with its parameters in psycopg's spelling. The schema's name is the page's own, `chat`.
LIST = "select id, user_id, title, created_at, updated_at from {}.chats where user_id = %s order by updated_at desc"
ONE = "select id, user_id, title, created_at, updated_at from {}.chats where id = %s and user_id = %s"
MESSAGES = """
select m.id, m.chat_id, m.role, m.content, m.created_at from {0}.messages m join {0}.chats c on c.id = m.chat_id
where m.chat_id = %s and c.user_id = %s order by m.created_at asc
"""
BY_CHAT = "select id, chat_id, role, content, created_at from {}.messages where chat_id = %s order by created_at asc"
# The template's own tables.
TYPES = {
    "chats": {
        "id": "uuid",
        "user_id": "text",
        "title": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
    "messages": {"id": "uuid", "chat_id": "uuid", "role": "text", "content": "text", "created_at": "timestamptz"},
}


class Page:
    """The page's connection: the person's own login."""

    def __init__(self, conn: psycopg.Connection[dict[str, Any]], schema: str) -> None:
        self._conn = conn
        self._schema = sql.Identifier(schema)

    def read(self, query: str, *params: object) -> list[dict[str, Any]]:
        """Run one of its queries."""
        return self._conn.execute(sql.SQL(query).format(self._schema), params).fetchall()


@pytest.fixture(scope="module")
def schema(lakehouse: Database) -> Iterator[str]:
    name = f"chat {uuid4().hex[:8]}"
    done = CliRunner().invoke(app, ["db", "migrate", "--login-role", READERS, "--chat-schema", name])
    assert done.exit_code == 0, done.output
    yield name
    assert lakehouse.admin is not None
    with psycopg.connect(lakehouse.admin, autocommit=True) as conn:
        conn.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        yield opened


@pytest.fixture
def page(scene: Scene, schema: str) -> Iterator[Page]:
    conninfo = login_as(scene.lakehouse, scene.person)
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        yield Page(conn, schema)


def test_the_page_reads_sessions(scene: Scene, page: Page, schema: str) -> None:
    scene.ask("select amount from {name}.sales")
    with acting_as(scene.principal):
        other = stored(scene.saver, {"messages": [HumanMessage("hello", id="1")]})
        scene.saver.rename(scene.name, "Sales")

    newest, older = page.read(LIST, scene.person)
    assert (older["title"], newest["title"]) == ("Sales", other)
    assert all(isinstance(chat["id"], UUID) for chat in (newest, older))
    assert page.read(ONE, older["id"], scene.person) == [older]
    found = page.read(MESSAGES, older["id"], scene.person)
    assert found == page.read(BY_CHAT, older["id"])
    assert [row["role"] for row in found] == ["user", "assistant", "tool", "assistant"]
    assert [FIGURE in row["content"] for row in found] == [False, False, True, True]
    assert {row["chat_id"] for row in found} == {older["id"]}
    assert len({row["id"] for row in found}) == 4
    for view, columns in TYPES.items():
        described = page.read(
            "select attname::text as name, atttypid::regtype::text as type from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 order by attnum",
            f'"{schema}".{view}',
        )
        longer = {"timestamptz": "timestamp with time zone"}
        assert {row["name"]: row["type"] for row in described} == {
            name: longer.get(kind, kind) for name, kind in columns.items()
        }


def test_the_page_reads_nobody_else_s_and_nothing_that_is_withheld(scene: Scene, page: Page) -> None:
    scene.ask("select amount from {name}.sales")
    scene.run("revoke select on {name}.sales from {person}")
    [chat] = page.read(LIST, scene.person)
    found = page.read(MESSAGES, chat["id"], scene.person)
    assert FIGURE not in str(found)
    assert [row["content"].startswith("[withheld: ") for row in found] == [False, False, True, True]
    assert page.read(LIST, "alice") == page.read(LIST, "bob") == []


def test_the_time_tells_the_order_and_nothing_is_null(scene: Scene, page: Page, admin: psycopg.Connection[Any]) -> None:
    said = [
        HumanMessage("one", id="1"),
        AIMessage("", additional_kwargs={"x": (1, 2)}, id="2"),
        HumanMessage("3", id="3"),
    ]
    with acting_as(scene.principal):
        stored(scene.saver, {"messages": said}, scene.name)
        # An edit is stored after what follows it.
        edited = [HumanMessage("edited", id="1"), *said[1:], ToolMessage("4", tool_call_id="4", id="4")]
        stored(scene.saver, {"messages": edited}, scene.name)
        assert scene.saver.get_tuple(config_of(scene.name)) is not None
    [chat] = page.read(LIST, scene.person)
    for _ in range(2):
        found = page.read(BY_CHAT, chat["id"])
        assert [row["content"][:20] for row in found] == ["edited", "[not stored as text:", "3", "4"]
        assert [row["role"] for row in found] == ["user", "system", "user", "tool"]
        assert len({row["created_at"] for row in found}) == 4
        assert all(value is not None for row in found for value in row.values())
        # What was stored before there was a time is shown with its session's.
        admin.execute("update mooring.items set created_at = null where owner = %s", [scene.person])


def test_there_is_no_such_schema_where_nobody_asked_for_it(lakehouse: Database, admin: psycopg.Connection[Any]) -> None:
    assert admin.execute("select to_regclass('chat.chats')").fetchone() == (None,)
    printed = CliRunner().invoke(app, ["db", "migrate", "--print"]).stdout
    assert "user_id" not in printed
    asked = ["db", "migrate", "--print", "--login-role", READERS, "--chat-schema", "chat"]
    printed = CliRunner().invoke(app, asked).stdout
    assert 'create or replace view "chat".chats' in printed
    assert printed.count('grant usage on schema "chat"') == 2


def test_tables_of_the_page_s_own_are_left_alone(lakehouse: Database, admin: psycopg.Connection[Any]) -> None:
    assert lakehouse.admin is not None
    name = f"taken_{uuid4().hex[:8]}"
    with psycopg.connect(lakehouse.admin, autocommit=True) as owner:
        owner.execute(f"create schema {name}".encode())
        owner.execute(f"create table {name}.messages (id uuid)".encode())
        try:
            for taken in (name, "mooring"):
                with pytest.raises(SchemaError, match="Choose another"):
                    GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", chat_schema=taken)
            with pytest.raises(SchemaError, match="pg_"):
                GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", chat_schema="pg_chat")
            assert owner.execute(f"select count(*) from {name}.messages".encode()).fetchone() == (0,)
            assert owner.execute("select to_regclass(%s)", [f"{name}.chats"]).fetchone() == (None,)
        finally:
            owner.execute(f"drop schema {name} cascade".encode())
