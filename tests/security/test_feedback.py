"""What people think of messages: who may say it, who sees it, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from agent.feedback import give_feedback
from agent.schemas import Opinion
from agent.transcript import transcript_of
from checkpointer import (
    ClearRowError,
    EncryptedRowError,
    FeedbackError,
    Keyring,
    MessageNotFoundError,
    MessageWithheldError,
    Principal,
    ThreadHeldError,
    ThreadNotFoundError,
    acting_as,
    administration,
)
from tests.security.scenes import FIGURE, Scene
from tests.security.test_encryption import NEW, OLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

TABLE = "select amount from {name}.sales"
COMMENT = f"why {FIGURE}?"
RATED = "select position, rater, feedback, comment from mooring.ratings where owner = %s order by rated_at"


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        opened.ask(TABLE)
        yield opened


def answers(scene: Scene, who: str | None = None) -> list[Any]:
    """The messages of the assistant's, as somebody sees them."""
    owner = None if who in (None, scene.person) else scene.person
    with acting_as(Principal(who or scene.person)):
        messages = transcript_of(scene.saver, scene.name, owner).messages
    return [each for each in messages if each.role == "assistant"]


def rate(scene: Scene, rating: Any, comment: str | None = None, who: str | None = None, message: Any = None) -> Any:
    """Rate the last answer, or another message."""
    owner = None if who in (None, scene.person) else scene.person
    message = message or answers(scene)[-1].id
    with acting_as(Principal(who or scene.person)):
        return give_feedback(scene.saver, scene.name, message, Opinion(rating=rating, comment=comment), owner)


def share(scene: Scene, *, reads: bool = True) -> None:
    """Share the thread with the colleague, who reads the table too."""
    if reads:
        scene.run("grant usage on schema {name} to {colleague}", "grant select on {name}.sales to {colleague}")
    with acting_as(scene.principal):
        scene.saver.share(scene.name, scene.colleague)


def own(scene: Scene, who: str, query: str = RATED) -> list[Any]:
    """What somebody reads with SQL, logged in as themselves."""
    with psycopg.connect(scene.login(who), autocommit=True) as conn:
        return conn.execute(query.encode(), [scene.person]).fetchall()


def rows(scene: Scene) -> list[Any]:
    return scene.admin.execute(
        "select rater, rating, comment, sealed_comment from mooring.feedback where owner = %s order by rated_at",
        [scene.person],
    ).fetchall()


def test_an_answer_is_rated_and_rated_again_and_the_audit_tells(scene: Scene) -> None:
    given = rate(scene, "up").feedback
    assert (given.rating, given.comment, given.owner) == ("up", None, None)
    again = rate(scene, "down", COMMENT).feedback
    assert again.rated_at > given.rated_at
    assert [each.feedback for each in answers(scene)] == [None, Opinion(rating="down", comment=COMMENT)]
    assert own(scene, scene.person) == [(3, scene.person, "down", COMMENT)]
    with acting_as(scene.principal):
        told = [(each.actor, each.act) for each in scene.saver.audit(thread_id=scene.name) if each.act == "rated"]
    assert told == [(scene.person, "rated")] * 2


def test_answers_that_were_rated_down_are_found_with_sql(scene: Scene) -> None:
    scene.ask("select max(amount) from {name}.sales")
    rate(scene, "down", message=answers(scene)[1].id)
    rate(scene, "up")
    query = (
        "select m.content from mooring.messages m join mooring.ratings r using (owner, thread_id, position)"
        " where r.feedback = 'down' and owner = %s"
    )
    assert own(scene, scene.person, query) == [(answers(scene)[1].content,)]


def test_a_viewer_rates_what_they_may_read_and_each_sees_their_own(scene: Scene) -> None:
    share(scene)
    rate(scene, "up", "mine")
    rate(scene, "down", "theirs", who=scene.colleague)
    assert [each.feedback for each in answers(scene)][-1] == Opinion(rating="up", comment="mine")
    assert [each.feedback for each in answers(scene, scene.colleague)][-1] == Opinion(rating="down", comment="theirs")
    # The owner reads what is said of their session, others what they said.
    assert [row[1:] for row in own(scene, scene.person)] == [
        (scene.person, "up", "mine"), (scene.colleague, "down", "theirs"),
    ]  # fmt: skip
    assert [row[1:] for row in own(scene, scene.colleague)] == [(scene.colleague, "down", "theirs")]
    with acting_as(scene.principal):
        scene.saver.unshare(scene.name, scene.colleague)
    assert own(scene, scene.colleague) == []
    with pytest.raises(ThreadNotFoundError):
        rate(scene, "up", who=scene.colleague)


def test_what_is_withheld_is_not_rated_and_what_was_said_of_it_is_withheld(scene: Scene) -> None:
    share(scene, reads=False)
    with pytest.raises(MessageWithheldError):
        rate(scene, "up", who=scene.colleague)
    rate(scene, "down", COMMENT)
    scene.run("revoke select on {name}.sales from {person}")
    assert answers(scene)[-1].feedback is None
    assert own(scene, scene.person) == []
    assert own(scene, scene.person, "select from mooring.feedback where owner = %s") == []
    with pytest.raises(MessageWithheldError):
        rate(scene, "up")
    scene.run("grant select on {name}.sales to {person}")
    assert answers(scene)[-1].feedback == Opinion(rating="down", comment=COMMENT)
    assert len(rows(scene)) == 1


def test_the_database_itself_refuses_who_may_not(scene: Scene) -> None:
    share(scene, reads=False)
    with acting_as(scene.principal):
        latest = scene.saver.get_tuple(scene.config)
    assert latest is not None
    shared: Any = {"configurable": {**latest.config["configurable"], "thread_owner": scene.person}}
    with acting_as(Principal(scene.colleague)):
        # What was asked is anybody's, what came of it is not.
        assert scene.saver.rate(shared, 0, "up").rater == scene.colleague
        for number in (2, 3):
            with pytest.raises(MessageWithheldError):
                scene.saver.rate(shared, number, "up")
        for number in (4, -1, 2**40):
            with pytest.raises(MessageNotFoundError):
                scene.saver.rate(shared, number, "up")
    with acting_as(Principal("carol")), pytest.raises(MessageNotFoundError):
        scene.saver.rate(shared, 0, "up")
    assert [row[:2] for row in rows(scene)] == [(scene.colleague, "up")]


@pytest.mark.parametrize("verb", ["update", "delete", "insert"])
def test_nobody_writes_what_others_think(scene: Scene, verb: str, lakehouse: Database) -> None:
    share(scene)
    rate(scene, "up", "mine")
    statement = {
        "update": "update mooring.feedback set rating = 'down', rater = rater",
        "delete": "delete from mooring.feedback",
        "insert": "insert into mooring.feedback select * from mooring.feedback",
    }[verb]
    for conninfo in (scene.login(scene.person), scene.login(scene.colleague), lakehouse.runtime):
        with psycopg.connect(conninfo) as conn:
            conn.execute("select set_config('mooring.principal', %s, true)", [scene.person])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement.encode())
    assert [row[:3] for row in rows(scene)] == [(scene.person, "up", "mine")]


def test_what_nobody_can_think_is_refused(scene: Scene) -> None:
    with acting_as(scene.principal):
        latest = scene.saver.get_tuple(scene.config)
        assert latest is not None
        for rating, comment in (("sideways", None), ("up", "x" * 2001), ("up", "\x00"), ("up", "\ud800")):
            with pytest.raises(FeedbackError):
                scene.saver.rate(latest.config, 3, rating, comment)  # type: ignore[arg-type]
        messages = transcript_of(scene.saver, scene.name).messages
    with pytest.raises(FeedbackError, match="assistant"):
        rate(scene, "up", message=messages[0].id)
    with pytest.raises(MessageNotFoundError):
        rate(scene, "up", message="another")
    assert rows(scene) == []


def test_it_goes_with_its_session_and_is_given_away_with_it(scene: Scene) -> None:
    share(scene)
    rate(scene, "down", COMMENT)
    with acting_as(scene.principal):
        scene.saver.copy_thread(scene.name, "a-copy")
        scene.saver.transfer(scene.name, scene.colleague)
    assert own(scene, scene.person) == []
    with psycopg.connect(scene.login(scene.colleague), autocommit=True) as conn:
        assert conn.execute("select rater, comment from mooring.ratings").fetchall() == [(scene.person, COMMENT)]
    with acting_as(Principal(scene.colleague)):
        scene.saver.delete_thread(scene.name)
    count = "select count(*) from mooring.feedback where rater = %s"
    assert scene.admin.execute(count.encode(), [scene.person]).fetchall() == [(0,)]


def test_it_goes_with_its_message(scene: Scene) -> None:
    rate(scene, "down", COMMENT)
    scene.admin.execute("delete from mooring.items where owner = %s", [scene.person])
    assert rows(scene) == []


def test_a_held_session_keeps_what_was_said_and_takes_more(scene: Scene, lakehouse: Database) -> None:
    share(scene)
    rate(scene, "down", COMMENT)
    assert lakehouse.admin is not None
    with administration.connect(lakehouse.admin) as administrator:
        administrator.hold(scene.person, scene.name, reason="case")
        try:
            with pytest.raises(ThreadHeldError):
                rate(scene, "up")
            rate(scene, "up", who=scene.colleague)
            for statement in ("delete from mooring.feedback where owner = %s", "truncate mooring.feedback"):
                with pytest.raises(psycopg.errors.RestrictViolation):
                    scene.admin.execute(statement.encode(), [scene.person] if "%s" in statement else None)
        finally:
            administrator.release(scene.person, scene.name)
    assert [row[:3] for row in rows(scene)] == [(scene.person, "down", COMMENT), (scene.colleague, "up", None)]


def test_an_encrypted_comment_is_read_with_the_key_alone(lakehouse: Database, admin: psycopg.Connection[Any]) -> None:
    with Scene(lakehouse, admin, encryption=Keyring({"k": NEW})) as scene:
        scene.ask(TABLE)
        share(scene)
        rate(scene, "down", COMMENT)
        [(_, _, clear, stored)] = rows(scene)
        assert clear is None
        assert COMMENT.encode() not in stored
        assert answers(scene)[-1].feedback == Opinion(rating="down", comment=COMMENT)
        assert own(scene, scene.person) == [(3, scene.person, "down", "[encrypted]")]
        with acting_as(scene.principal):
            latest = scene.saver.get_tuple(scene.config)
            assert latest is not None
            with Scene(lakehouse, admin) as other, pytest.raises(EncryptedRowError):
                other.saver.ratings(latest.config)
            scene.saver.transfer(scene.name, scene.colleague)
        with acting_as(Principal(scene.colleague)):
            moved = scene.saver.get_tuple(scene.config)
            assert moved is not None
            assert [(each.rater, each.comment) for each in scene.saver.ratings(moved.config)] == [
                (scene.person, COMMENT)
            ]
            # Neither somebody else's words, nor any in the clear, are taken for theirs.
            admin.execute("update mooring.feedback set rater = 'bob' where owner = %s", [scene.colleague])
            with pytest.raises(Exception, match="is not what was encrypted"):
                scene.saver.ratings(moved.config)
            admin.execute(
                "update mooring.feedback set comment = 'x', sealed_comment = null where owner = %s", [scene.colleague]
            )
            with pytest.raises(ClearRowError):
                scene.saver.ratings(moved.config)
            scene.saver.delete_thread(scene.name)


def test_a_comment_in_the_clear_or_under_an_older_key_is_encrypted_with_the_rest(
    lakehouse: Database, admin: psycopg.Connection[Any]
) -> None:
    ring = Keyring({"new": NEW, "old": OLD})
    for before in (None, Keyring({"old": OLD})):
        with Scene(lakehouse, admin, encryption=before) as scene:
            scene.ask(TABLE)
            rate(scene, "down", COMMENT)
            assert lakehouse.admin is not None
            with administration.connect(lakehouse.admin) as administrator:
                [done] = administrator.encrypt(ring, owner=scene.person)
                assert done.blocked is None
                assert list(administrator.encrypt(ring, owner=scene.person)) == []
            [(_, _, clear, stored)] = rows(scene)
            assert (clear, stored[:5]) == (None, b"\x09\x03new")
            scene.saver._encryption = ring
            assert answers(scene)[-1].feedback == Opinion(rating="down", comment=COMMENT)
