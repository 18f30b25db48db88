"""Why something is withheld is told to whoever may know of it, and what is said to mend it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from agent.explanation import explanation_of
from checkpointer import GovernedPostgresSaver, MessageReasons, Principal, ThreadNotFoundError, acting_as
from tests.logins import login_as
from tests.security.scenes import FIGURE, Scene
from tests.security.test_revocation import CASES, POLICY, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

# What is in the way in each case, for one label or more.
VERDICTS = {
    "a grant": {"not granted"},
    "the schema": {"not granted"},
    "a group": {"not granted"},
    "a column": {"changed"},
    "a policy that is changed": {"changed"},
    "a policy that is added": {"changed"},
    "a policy for a group": {"changed"},
    "a policy that looks at the person": {"changed"},
    "a view": {"not granted"},
    "a view that shows something else": {"changed"},
    "a table behind a view of the invoker's": {"beneath", "not granted"},
    "another table in its place": {"gone"},
    "a label that ran out": {"ran out"},
}


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        yield opened


def reasons(scene: Scene) -> list[MessageReasons]:
    with acting_as(scene.principal):
        return list(scene.saver.why(scene.name))


@pytest.mark.parametrize(("name", "setting", "question", "take", "give"), CASES, ids=[case[0] for case in CASES])
def test_every_reason_is_told_and_what_is_missing_mends_it(
    scene: Scene, name: str, setting: tuple[str, ...], question: str, take: tuple[str, ...], give: tuple[str, ...]
) -> None:
    scene.run(*setting)
    scene.ask(question)
    before = reasons(scene)
    assert [(bool(m.labels), m.withheld) for m in before] == [(n > 1, False) for n in range(4)]
    assert all(label.held and not label.missing for message in before for label in message.labels)

    scene.run(*take)

    after = reasons(scene)
    assert [message.withheld for message in after] == [bool(message.labels) for message in after]
    assert [m.message_id for m in after] == [m.message_id for m in before]
    labels = [label for message in after for label in message.labels if not label.held]
    assert {label.verdict for label in labels} <= VERDICTS[name]
    assert labels
    missing = {statement for label in labels for statement in label.missing}
    if name in ("a grant", "the schema", "a group", "a view"):
        assert len(missing) == 1
    # Who is said to be able to give it, is.
    assert all(list(label.grantors) == [scene.admin.info.user] for label in labels if label.missing)
    for statement in missing:
        scene.admin.execute(statement.encode())
    if missing:
        assert not any(message.withheld for message in reasons(scene))
    scene.run(*give)
    assert not any(message.withheld for message in reasons(scene))


def test_in_words_it_says_what_was_seen_and_who_could_give_it(scene: Scene) -> None:
    scene.run(*POLICY)
    scene.ask(TABLE)
    table = f"{scene.admin.info.dbname}.{scene.name}.sales"
    with acting_as(scene.principal):
        [message] = explanation_of(scene.saver, scene.name, 2).messages
        assert (message.number, message.role, message.withheld) == (2, "tool", False)
        [reason] = message.reasons
        assert (reason.source, reason.seen, reason.held) == (table, "in part: some rows", True)
        scene.run("revoke select on {name}.sales from {person}", "revoke usage on schema {name} from {person}")
        [message] = explanation_of(scene.saver, scene.name, 3).messages
        [reason] = message.reasons
        assert message.withheld
        assert not reason.held
        assert " or ".join(("some columns", "some rows", "what a view shows")) in reason.seen
        assert reason.missing == [
            f"GRANT USAGE ON SCHEMA {scene.name} TO {scene.person}",
            f"GRANT SELECT ON {scene.name}.sales TO {scene.person}",
        ]
        owner = scene.admin.info.user
        assert reason.grantors == [owner]
        assert FIGURE not in explanation_of(scene.saver, scene.name, None).model_dump_json()


def test_a_label_that_runs_out_says_when(scene: Scene) -> None:
    (setting, take) = next((case[1], case[3]) for case in CASES if case[0] == "a label that ran out")
    scene.run(*setting)
    scene.ask(TABLE)
    label = reasons(scene)[2].labels[0]
    assert label.held
    assert label.expires_at is not None
    scene.run(*take)
    ran_out = reasons(scene)[2].labels[0]
    assert (ran_out.source, label.source) == (f"{scene.admin.info.dbname}.{scene.name}.sales",) * 2
    assert ran_out.verdict == "ran out"
    assert ran_out.expires_at is not None
    assert ran_out.expires_at < label.expires_at


async def test_async_callers_are_told_the_same(scene: Scene) -> None:
    scene.ask(TABLE)
    scene.run("revoke select on {name}.sales from {person}")
    async with GovernedPostgresSaver.from_conn_string(scene.lakehouse.runtime, principal=scene.principal) as saver:
        assert await saver.awhy(scene.name) == reasons(scene)
        with pytest.raises(ThreadNotFoundError):
            await saver.awhy("no such thread")


def test_nobody_else_is_told_anything(scene: Scene) -> None:
    scene.ask(TABLE)
    told = "select * from mooring.why(%s, %s)"
    with acting_as(Principal("bob")), pytest.raises(ThreadNotFoundError):
        scene.saver.why(scene.name)
    with psycopg.connect(scene.lakehouse.login("bob"), autocommit=True) as bob:
        bob.execute("select set_config('mooring.principal', %s, false)", [scene.person])
        assert bob.execute(told, [scene.person, scene.name]).fetchall() == []
        assert bob.execute(told, ["bob", scene.name]).fetchall() == []
    with psycopg.connect(scene.lakehouse.runtime, autocommit=True) as service:
        assert service.execute(told, [scene.person, scene.name]).fetchall() == []
    conninfo = login_as(scene.lakehouse, scene.person)
    with psycopg.connect(conninfo, autocommit=True) as own:
        assert len(own.execute(told, [scene.person, scene.name]).fetchall()) == 1
