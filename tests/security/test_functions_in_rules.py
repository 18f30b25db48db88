"""A policy or a view is as good as the functions that it calls, and as those that they call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from agent.database import Database

TABLE = "select amount from {name}.sales"
VIEW = "select amount from {name}.seen"
SQL = "language sql immutable as"
FILTER = (
    "alter table {name}.sales enable row level security",
    "create policy filter on {name}.sales using ({name}.shown(country))",
)


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        yield opened


def function(name: str, body: str, returns: str = "boolean", language: str = SQL) -> str:
    return f"create or replace function {{name}}.{name} returns {returns} {language} {body}"


def inner(country: str) -> str:
    return function("inner_one(c text)", f"$$ select c = '{country}' $$")


# Name, what is set up, what is asked, how the right is taken, and how it is given back.
CASES: list[tuple[str, tuple[str, ...], str, str, str]] = [
    (
        "a body that is text calls another",
        (
            inner("NL"),
            function(
                "shown(c text)",
                "$$ begin return {name}.Inner_One (c); end $$",
                language="language plpgsql immutable as",
            ),
            *FILTER,
        ),
        TABLE,
        inner("DE"),
        inner("NL"),
    ),
    (
        "a name is quoted",
        (
            function('"inner One"(c text)', "$$ select c = 'NL' $$"),
            function("shown(c text)", '$$ select {name}."inner One"(c) $$'),
            *FILTER,
        ),
        TABLE,
        function('"inner One"(c text)', "$$ select c = 'DE' $$"),
        function('"inner One"(c text)', "$$ select c = 'NL' $$"),
    ),
    (
        "a comment hides nothing",
        (
            inner("NL"),
            function("shown(c text)", "$$ select {name}.inner_one/* as\nbefore */(c) -- '\n $$"),
            *FILTER,
        ),
        TABLE,
        inner("DE"),
        inner("NL"),
    ),
    (
        "a body that is a tree calls another",
        (
            inner("NL"),
            function("shown(c text)", "return {name}.inner_one(c)", language="language sql immutable"),
            *FILTER,
        ),
        TABLE,
        inner("DE"),
        inner("NL"),
    ),
    (
        "an operator stands for a function",
        (
            function("same(a text, b text)", "$$ select a = b $$"),
            "create operator {name}.=== (leftarg = text, rightarg = text, function = {name}.same)",
            function("shown(c text)", "$$ select c operator({name}.===) 'NL' $$"),
            *FILTER,
        ),
        TABLE,
        function("same(a text, b text)", "$$ select a <> b $$"),
        function("same(a text, b text)", "$$ select a = b $$"),
    ),
    (
        "an aggregate is made of functions",
        (
            function("more(a int, b int)", "$$ select a + b $$", "int"),
            "create aggregate {name}.total(int) (sfunc = {name}.more, stype = int, initcond = 0)",
            "create view {name}.seen as select {name}.total(amount) as amount from {name}.sales group by country",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        function("more(a int, b int)", "$$ select 0 $$", "int"),
        function("more(a int, b int)", "$$ select a + b $$", "int"),
    ),
    (
        "whoever reads has to be allowed to call it",
        (function("shown(c text)", "$$ select c = 'NL' $$"), *FILTER),
        TABLE,
        "revoke execute on function {name}.shown from public",
        "grant execute on function {name}.shown to {person}",
    ),
    (
        "so it is behind a view",
        (
            function("shown(c text)", "$$ select c = 'NL' $$"),
            "create view {name}.seen as select amount from {name}.sales where {name}.shown(country)",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        "revoke execute on function {name}.shown from public",
        "grant execute on function {name}.shown to {person}",
    ),
]


@pytest.mark.parametrize(("setting", "question", "take", "give"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_function_that_is_changed_or_closed_withholds_until_it_is_as_it_was(
    scene: Scene, setting: tuple[str, ...], question: str, take: str, give: str
) -> None:
    scene.run(*setting)
    assert FIGURE in scene.ask(question)
    before = scene.everything()

    scene.run(take)

    for way, seen in scene.everything().items():
        assert FIGURE not in str(seen), way
    scene.run(give)
    assert scene.everything()["state"] == before["state"]


# Name, what is set up, and whether the label of what is read is the reader's alone and runs out.
SAID: list[tuple[str, tuple[str, ...], bool]] = [
    ("it only computes", (function("shown(c text)", "$$ select upper(c) = 'NL' $$"), *FILTER), False),
    (
        "it looks at a table",
        (function("shown(c text)", "$$ select c in (select country from {name}.allowed) $$"), *FILTER),
        True,
    ),
    (
        "it looks at a table, and is a tree",
        (
            function(
                "shown(c text)",
                "return exists (select from {name}.allowed a where a.country = c)",
                language="language sql immutable",
            ),
            *FILTER,
        ),
        True,
    ),
    (
        "it looks at the time",
        (function("shown(c text)", "$$ select clock_timestamp() > '2020-01-01' $$"), *FILTER),
        True,
    ),
    (
        "another one looks at a setting",
        (
            function("inner_one(c text)", "$$ select coalesce(current_setting('a.b', true), '') = '' $$"),
            function("shown(c text)", "$$ select {name}.inner_one(c) $$"),
            *FILTER,
        ),
        True,
    ),
]


@pytest.mark.parametrize(("setting", "open_"), [case[1:] for case in SAID], ids=[case[0] for case in SAID])
def test_that_a_function_is_immutable_is_not_believed_against_its_body(
    scene: Scene, setting: tuple[str, ...], open_: bool
) -> None:
    scene.run(
        "create table {name}.allowed as select 'NL' as country", "grant select on {name}.allowed to public", *setting
    )
    assert FIGURE in scene.ask(TABLE)

    [print_] = scene.admin.execute(
        "select fingerprint from mooring.labels where source like %s", [f"%.{scene.name}.sales"]
    ).fetchall()

    assert print_[0].endswith("~") is open_


@pytest.mark.parametrize("body", ["$$ select s = current_user $$", "return s = session_user"], ids=["text", "a tree"])
def test_a_function_that_looks_at_the_person_shows_nobody_else_what_they_read(scene: Scene, body: str) -> None:
    language = SQL if body.startswith("$$") else "language sql immutable"
    scene.run(
        function("shown(s text)", body, language=language),
        "alter table {name}.sales enable row level security",
        "create policy filter on {name}.sales using ({name}.shown(seller))",
        "grant usage on schema {name} to {colleague}",
        "grant select on {name}.sales to {colleague}",
    )
    assert FIGURE in scene.ask(TABLE)
    assert FIGURE not in scene.ask(TABLE, who=scene.colleague)
    assert FIGURE not in scene.shared()


def test_what_a_function_computes_for_everybody_is_shared(scene: Scene) -> None:
    scene.run(
        function("shown(c text)", "$$ select c = 'NL' $$"),
        *FILTER,
        "grant usage on schema {name} to {colleague}",
        "grant select on {name}.sales to {colleague}",
    )
    assert FIGURE in scene.ask(TABLE)
    assert FIGURE in scene.shared()
