"""What was read from a table is withheld from whoever may not read it any more, and comes back with the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from checkpointer import GovernedPostgresSaver
from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from agent.database import Database

TABLE = "select amount from {name}.sales"
VIEW = "select amount from {name}.seen"
POLICY = (
    "alter table {name}.sales enable row level security",
    "create policy filter on {name}.sales using (country = 'NL')",
)


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        yield opened


# Name, what is set up, what is asked, how the right is taken, and how it is given back.
CASES: list[tuple[str, tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "a grant",
        (),
        TABLE,
        ("revoke select on {name}.sales from {person}",),
        ("grant select on {name}.sales to {person}",),
    ),
    (
        "the schema",
        (),
        TABLE,
        ("revoke usage on schema {name} from {person}",),
        ("grant usage on schema {name} to {person}",),
    ),
    (
        "a group",
        (
            "revoke select on {name}.sales from {person}",
            "grant select on {name}.sales to {group}",
            "grant {group} to {person}",
        ),
        TABLE,
        ("revoke {group} from {person}",),
        ("grant {group} to {person}",),
    ),
    (
        "a column",
        ("revoke select on {name}.sales from {person}", "grant select (amount, country) on {name}.sales to {person}"),
        TABLE,
        ("revoke select (amount) on {name}.sales from {person}",),
        ("grant select (amount) on {name}.sales to {person}",),
    ),
    (
        "a policy that is changed",
        POLICY,
        TABLE,
        ("alter policy filter on {name}.sales using (country = 'DE')",),
        ("alter policy filter on {name}.sales using (country = 'NL')",),
    ),
    (
        "a policy that is added",
        (),
        TABLE,
        POLICY,
        ("drop policy filter on {name}.sales", "alter table {name}.sales disable row level security"),
    ),
    (
        "a policy for a group",
        (
            "alter table {name}.sales enable row level security",
            "create policy filter on {name}.sales to {group} using (true)",
            "grant {group} to {person}",
        ),
        TABLE,
        ("revoke {group} from {person}",),
        ("grant {group} to {person}",),
    ),
    (
        "a policy that looks at the person",
        (
            "alter table {name}.sales enable row level security",
            "create policy filter on {name}.sales using (seller = current_user)",
        ),
        TABLE,
        ("alter policy filter on {name}.sales using (country = 'DE' or seller = current_user)",),
        ("alter policy filter on {name}.sales using (seller = current_user)",),
    ),
    (
        "a view",
        (
            "revoke select on {name}.sales from {person}",
            "create view {name}.seen as select * from {name}.sales",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        ("revoke select on {name}.seen from {person}",),
        ("grant select on {name}.seen to {person}",),
    ),
    (
        "a view that shows something else",
        (
            "create view {name}.seen as select amount from {name}.sales",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        ("create or replace view {name}.seen as select amount from {name}.sales where country = 'DE'",),
        ("create or replace view {name}.seen as select amount from {name}.sales",),
    ),
    (
        "a table behind a view of the invoker's",
        (
            "create view {name}.seen with (security_invoker) as select * from {name}.sales",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        ("revoke select on {name}.sales from {person}",),
        ("grant select on {name}.sales to {person}",),
    ),
    (
        "another table in its place",
        (),
        TABLE,
        (
            "alter table {name}.sales rename to old",
            "create table {name}.sales as select 1 as amount",
            "grant select on {name}.sales to {person}",
        ),
        ("drop table {name}.sales", "alter table {name}.old rename to sales"),
    ),
    (
        "a label that ran out",
        (
            "create table {name}.sellers as select '{person}' as login",
            "grant select on {name}.sellers to {person}",
            "alter table {name}.sales enable row level security",
            "create policy filter on {name}.sales using (exists (select from {name}.sellers s where s.login = seller))",
        ),
        TABLE,
        ("update mooring.labels set expires_at = expires_at - interval '2 days' where source like '%{name}.sales'",),
        ("update mooring.labels set expires_at = expires_at + interval '2 days' where source like '%{name}.sales'",),
    ),
]


@pytest.mark.parametrize(("setting", "question", "take", "give"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_may_not_be_read_any_more_is_withheld_until_it_may(
    scene: Scene, setting: tuple[str, ...], question: str, take: tuple[str, ...], give: tuple[str, ...]
) -> None:
    scene.run(*setting)
    assert FIGURE in scene.ask(question)
    before = scene.everything()
    assert all(FIGURE in str(seen) for seen in before.values())

    scene.run(*take)

    with GovernedPostgresSaver.from_conn_string(scene.lakehouse.runtime) as another:
        for saver in (scene.saver, another):
            for way, seen in scene.everything(saver).items():
                assert FIGURE not in str(seen), way
    scene.model.prompts.clear()
    assert FIGURE not in scene.ask("select 1")
    assert scene.model.prompts
    assert FIGURE not in str(scene.model.prompts)

    scene.run(*give)

    after = scene.everything()
    assert after["state"]["messages"][: len(before["state"]["messages"])] == before["state"]["messages"]
    assert after["history"][-len(before["history"]) :] == before["history"]
    assert set(before["sql"]) <= set(after["sql"])
    for view in ("messages", "tool calls"):
        assert after[view][: len(before[view])] == before[view]
