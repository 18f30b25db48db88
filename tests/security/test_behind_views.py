"""Whose rights count behind a view, and when grants on columns or a policy let somebody see a table whole."""

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


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        yield opened


# Name, what is set up, what is asked, and what takes the right to it.
TAKEN: list[tuple[str, tuple[str, ...], str, tuple[str, ...]]] = [
    (
        "the table behind a view of the invoker's, however that is spelled",
        (
            "create view {name}.seen with (security_invoker = 1) as select * from {name}.sales",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        ("revoke select on {name}.sales from {person}",),
    ),
    (
        "the table behind a view of the invoker's that stands behind a view of its owner's",
        (
            "create view {name}.inner_one with (security_invoker) as select * from {name}.sales",
            "create view {name}.seen as select * from {name}.inner_one",
            "grant select on {name}.seen, {name}.inner_one to {person}",
        ),
        VIEW,
        ("revoke select on {name}.sales from {person}",),
    ),
    (
        "policies that admit nothing for want of an expression",
        (),
        TABLE,
        (
            "alter table {name}.sales enable row level security",
            "create policy filter on {name}.sales with check (true)",
        ),
    ),
]


@pytest.mark.parametrize(("setting", "question", "take"), [c[1:] for c in TAKEN], ids=[c[0] for c in TAKEN])
def test_what_takes_the_right_withholds(
    scene: Scene, setting: tuple[str, ...], question: str, take: tuple[str, ...]
) -> None:
    scene.run(*setting)
    assert FIGURE in scene.ask(question)

    scene.run(*take)

    assert FIGURE not in scene.ask(question)
    for way, seen in scene.everything().items():
        assert FIGURE not in str(seen), way


# Name, what is set up, what is asked, and what changes nothing in what may be read.
KEPT: list[tuple[str, tuple[str, ...], str, tuple[str, ...]]] = [
    (
        "a view that is defined again as it was, when its table has another name",
        ("create view {name}.seen as select * from {name}.sales", "grant select on {name}.seen to {person}"),
        VIEW,
        (
            'alter table {name}.sales rename to "so (ld"',
            'create or replace view {name}.seen as select * from {name}."so (ld"',
        ),
    ),
    (
        "every column is granted by itself",
        (),
        TABLE,
        (
            "revoke select on {name}.sales from {person}",
            "grant select (amount, country, seller) on {name}.sales to {person}",
        ),
    ),
    (
        "the schema of a table behind a view is closed",
        (
            "create schema {name}_views",
            "grant usage on schema {name}_views to {person}",
            "create view {name}_views.seen as select * from {name}.sales",
            "create role {name}_owner",
            "grant select on {name}.sales to {name}_owner",
            "alter view {name}_views.seen owner to {name}_owner",
            "grant select on {name}_views.seen to {person}",
        ),
        "select amount from {name}_views.seen",
        ("revoke usage on schema {name} from {person}",),
    ),
    (
        "a policy behind a view reads what its reader may not",
        (
            "create role {name}_owner",
            "create table {name}.sellers as select '{person}' as login",
            "create view {name}.seen as select * from {name}.sales",
            "grant usage on schema {name} to {name}_owner",
            "grant select on {name}.sales, {name}.sellers to {name}_owner",
            "alter view {name}.seen owner to {name}_owner",
            "grant select on {name}.seen to {person}",
            "revoke select on {name}.sales from {person}",
            "alter table {name}.sales enable row level security",
            "create policy filter on {name}.sales using (seller in (select login from {name}.sellers))",
        ),
        VIEW,
        (),
    ),
]


@pytest.mark.parametrize(("setting", "question", "change"), [c[1:] for c in KEPT], ids=[c[0] for c in KEPT])
def test_what_takes_nothing_withholds_nothing(
    scene: Scene, setting: tuple[str, ...], question: str, change: tuple[str, ...]
) -> None:
    scene.run(*setting)
    assert FIGURE in scene.ask(question)

    scene.run(*change)

    try:
        for way, seen in scene.everything().items():
            assert FIGURE in str(seen), way
    finally:
        scene.run(
            "drop schema if exists {name}_views cascade",
            "drop view if exists {name}.seen",
            "do $$ begin if to_regrole('{name}_owner') is not null then drop owned by {name}_owner; end if; end $$",
            "drop role if exists {name}_owner",
        )


def test_behind_a_view_a_policy_that_looks_at_the_person_looks_at_its_reader(scene: Scene) -> None:
    scene.run(
        "create role {name}_owner",
        "create view {name}.seen as select * from {name}.sales",
        "alter table {name}.sales enable row level security",
        "create policy filter on {name}.sales using (seller = current_user)",
        "grant select on {name}.sales to {name}_owner",
        "alter view {name}.seen owner to {name}_owner",
        "grant usage on schema {name} to {colleague}",
        "grant select on {name}.seen to {person}, {colleague}",
    )
    try:
        assert FIGURE in scene.ask(VIEW)
        assert FIGURE not in scene.ask(VIEW, who=scene.colleague)
        assert FIGURE not in scene.shared()
    finally:
        scene.run("drop view {name}.seen", "drop owned by {name}_owner", "drop role {name}_owner")
