"""Threads that are shared with a group: with its members, while they are members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    acting_as,
)

if TYPE_CHECKING:
    from agent.database import Database

from tests.security.sharing.plans import ALICE, BOB, CAROL, NOTHING, SECRET, Plans, seen

pytestmark = pytest.mark.usefixtures("unshared_afterwards")


class TestGroup:
    def test_members_have_it_until_they_are_members_no_longer(
        self,
        saver: GovernedPostgresSaver,
        plans: Plans,
        group: str,
        admin: psycopg.Connection[Any],
        lakehouse: Database,
    ) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, f"group:{group}")
        query = "select message from mooring.contents where thread = %s"
        with psycopg.connect(lakehouse.login("bob"), autocommit=True) as bob:
            assert SECRET in seen(saver, BOB, plans)
            assert SECRET in str(bob.execute(query, [plans.thread]).fetchall())
            assert seen(saver, CAROL, plans) == NOTHING
            with acting_as(BOB):
                assert [s.shared_with for s in saver.shares()] == [f"group:{group}"]

            admin.execute(f"revoke {group} from bob".encode())

            assert seen(saver, BOB, plans) == NOTHING
            assert bob.execute(query, [plans.thread]).fetchall() == []

    def test_a_group_inside_of_a_group_and_one_that_is_dropped(
        self, saver: GovernedPostgresSaver, plans: Plans, group: str, admin: psycopg.Connection[Any]
    ) -> None:
        outer = f"{group}_all"
        admin.execute(f"create role {outer}; grant {outer} to {group}".encode())
        with acting_as(ALICE):
            saver.share(plans.name, f"group:{outer}", "editor")
        with acting_as(BOB):
            saver.put_writes(plans.at(plans.latest["configurable"]["checkpoint_id"]), [("messages", ["x"])], "bobs")
        admin.execute(f"drop role {outer}".encode())
        assert seen(saver, BOB, plans) == NOTHING

    def test_groups_that_the_runtime_binds_are_believed_for_one_operation(
        self, saver: GovernedPostgresSaver, plans: Plans
    ) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:the analysts, {all}")
        for groups, expected in (({"the analysts, {all}"}, True), ({"the analysts"}, False), (set(), False)):
            found = seen(saver, Principal("carol", frozenset(groups)), plans)
            assert (SECRET in found) is expected

    def test_a_login_claims_no_group(self, lakehouse: Database, plans: Plans, saver: GovernedPostgresSaver) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:analysts")
        with psycopg.connect(lakehouse.login("bob"), autocommit=True, options="-c mooring.groups={analysts}") as bob:
            bob.execute("select set_config('mooring.groups', '{analysts}', false)")
            assert bob.execute("select from mooring.threads where id = %s", [plans.thread]).fetchall() == []
            query = "select * from mooring.get_parts('bob', '{analysts}', null, 'alice', %s, '', null, null, '{}')"
            assert bob.execute(query, [plans.name]).fetchall() == []
            assert bob.execute("select from mooring.shares").fetchall() == []

    def test_a_group_that_a_session_of_the_runtime_role_was_left_with_counts_for_nobody(
        self, lakehouse: Database, plans: Plans, saver: GovernedPostgresSaver
    ) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:analysts")
        query = "select * from mooring.get_parts('carol', %s, null, 'alice', %s, '', null, null, '{}')"
        with psycopg.connect(lakehouse.runtime, autocommit=True) as conn:
            conn.execute("select set_config('mooring.groups', '{analysts}', false)")
            assert conn.execute(query, [["analysts"], plans.name]).fetchall()
            assert conn.execute(query, [[], plans.name]).fetchall() == []

    def test_a_person_of_a_group_s_name_is_not_its_member(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:bob")
            saver.share(plans.name, "analysts")
        assert seen(saver, BOB, plans) == NOTHING
        assert seen(saver, Principal("group:bob"), plans) == NOTHING
        assert seen(saver, Principal("carol", frozenset({"analysts"})), plans) == NOTHING

    def test_nobody_bound_is_in_no_group(self, lakehouse: Database, plans: Plans, saver: GovernedPostgresSaver) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "group:analysts")
        with psycopg.connect(lakehouse.runtime) as conn:
            conn.execute("select set_config('mooring.groups', '{analysts}', true)")
            assert conn.execute("select from mooring.threads where id = %s", [plans.thread]).fetchall() == []
