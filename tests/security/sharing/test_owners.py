"""Who owns a thread: whom they share it with, take it back from, and give it to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from checkpointer import (
    GovernedPostgresSaver,
    NotSharedError,
    ThreadDeletedError,
    ThreadHeldError,
    acting_as,
    administration,
)

if TYPE_CHECKING:
    from agent.database import Database

from tests.security.sharing.plans import ALICE, BOB, NOTHING, SECRET, Plans, rows_of, seen, state

pytestmark = pytest.mark.usefixtures("unshared_afterwards")


class TestOwner:
    def test_lists_and_takes_back_what_is_shared(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "bob")
            saver.share(plans.name, "group:analysts", "editor")
            saver.share(plans.name, "bob", "editor")
            assert [(s.shared_with, s.role) for s in saver.shares(plans.name)] == [
                ("bob", "editor"),
                ("group:analysts", "editor"),
            ]
            saver.unshare(plans.name, "group:analysts")
            with pytest.raises(NotSharedError):
                saver.unshare(plans.name, "group:bob")
            assert [s.shared_with for s in saver.shares(plans.name)] == ["bob"]

    @pytest.mark.parametrize(
        ("with_", "role"),
        [("", "viewer"), ("alice", "viewer"), ("group:", "viewer"), ("x\x00", "viewer"), ("bob", "owner")],
    )
    def test_is_told_with_whom_a_thread_cannot_be_shared(
        self, saver: GovernedPostgresSaver, plans: Plans, with_: str, role: Any
    ) -> None:
        with acting_as(ALICE), pytest.raises(ValueError, match=r"name|role|owner"):
            saver.share(plans.name, with_, role)

    def test_gives_it_away_with_all_that_is_in_it(
        self, saver: GovernedPostgresSaver, plans: Plans, admin: psycopg.Connection[Any]
    ) -> None:
        before = rows_of(admin, plans.thread)
        with acting_as(ALICE):
            saver.share(plans.name, "bob", "editor")
            saver.share(plans.name, "group:analysts")
            saver.transfer(plans.name, "bob")
            assert saver.get_tuple(plans.own) is None
            assert saver.get_tuple({"configurable": {"thread_id": plans.name, "thread_owner": "bob"}}) is None
            with pytest.raises(ThreadDeletedError):
                saver.put(plans.latest, state("late"), {}, {"messages": 2})
        with acting_as(BOB):
            found = saver.get_tuple(plans.own)
            assert found is not None
            assert SECRET in str(found.checkpoint)
            assert SECRET in str(found.pending_writes)
            assert [(s.owner, s.shared_with) for s in saver.shares(plans.name)] == [("bob", "group:analysts")]
        assert list(map(len, rows_of(admin, plans.thread)))[:4] == list(map(len, before))[:4]

    def test_whoever_gets_it_keeps_their_own_of_that_name(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(BOB):
            saver.put(plans.own, state("bobs"), {}, {"messages": 1})
        with acting_as(ALICE):
            saver.transfer(plans.name, "bob")
        with acting_as(BOB):
            assert "bobs" in str(saver.get_tuple(plans.own))
            [given] = [s.thread_id for s in saver.sessions() if s.thread_id.startswith(f"{plans.name}-")]
            assert SECRET in str(saver.get_tuple({"configurable": {"thread_id": given}}))
            saver.delete_thread(plans.name)

    @pytest.mark.parametrize("to", ["alice", "", "group:analysts", "x\x00"])
    def test_is_told_to_whom_it_cannot_be_given(self, saver: GovernedPostgresSaver, plans: Plans, to: str) -> None:
        with acting_as(ALICE), pytest.raises(ValueError, match=r"yours|name|group"):
            saver.transfer(plans.name, to)

    def test_a_name_that_has_no_room_is_cut(self, saver: GovernedPostgresSaver) -> None:
        long: Any = {"configurable": {"thread_id": "é" * 500, "checkpoint_ns": ""}}
        for who in (ALICE, BOB):
            with acting_as(who):
                saver.put(long, state(who.name), {}, {"messages": 1})
        with acting_as(ALICE):
            saver.transfer("é" * 500, "bob")
        with acting_as(BOB):
            for found in saver.sessions():
                if found.thread_id.startswith("é"):
                    assert saver.get_tuple({"configurable": {"thread_id": found.thread_id}}) is not None
                    saver.delete_thread(found.thread_id)

    def test_keeps_what_is_held(self, saver: GovernedPostgresSaver, plans: Plans, lakehouse: Database) -> None:
        assert lakehouse.admin is not None
        with administration.connect(lakehouse.admin) as administrator:
            administrator.hold("alice", plans.name, reason="a case")
            try:
                with acting_as(ALICE), pytest.raises(ThreadHeldError):
                    saver.transfer(plans.name, "bob")
            finally:
                administrator.release("alice", plans.name)

    def test_shares_go_with_the_thread(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "bob")
            saver.delete_thread(plans.name)
            saver.put(plans.own, state("anew"), {}, {"messages": 1})
        assert seen(saver, BOB, plans) == NOTHING
        with acting_as(ALICE):
            saver.delete_thread(plans.name)
