"""Who shares nothing of a thread: it is as if it were not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from checkpointer import (
    GovernedPostgresSaver,
    NoPrincipalError,
    Principal,
    ThreadDeletedError,
    ThreadIdError,
    ThreadNotFoundError,
    acting_as,
)

if TYPE_CHECKING:
    pass

from tests.security.sharing.plans import ALICE, BOB, CAROL, NOTHING, Plans, rows_of, seen, writes_of

pytestmark = pytest.mark.usefixtures("unshared_afterwards")


class TestStranger:
    @pytest.mark.parametrize("who", [BOB, CAROL, Principal("nobody"), Principal("bob", frozenset({"alice"}))])
    def test_reads_nothing_whether_it_is_there_or_not(
        self, saver: GovernedPostgresSaver, plans: Plans, who: Principal
    ) -> None:
        assert seen(saver, who, plans) == NOTHING
        assert seen(saver, who, Plans("no-such-thread", 0, plans.latest)) == NOTHING

    def test_writes_nothing_and_is_told_the_same_of_a_thread_that_does_not_exist(
        self, saver: GovernedPostgresSaver, plans: Plans, admin: psycopg.Connection[Any]
    ) -> None:
        before = rows_of(admin, plans.thread)
        missing = Plans(f"{plans.name}-not", 2**40, plans.latest)
        for (way, attempt), other in zip(
            writes_of(saver, plans).items(), writes_of(saver, missing).values(), strict=True
        ):
            told = []
            for attempted in (attempt, other):
                with acting_as(BOB), pytest.raises((ThreadNotFoundError, ThreadDeletedError)) as refused:
                    attempted()
                told.append((type(refused.value), str(refused.value).replace("-not'", "'")))
            assert told[0] == told[1], way
        assert rows_of(admin, plans.thread) == before
        assert admin.execute("select from mooring.threads where thread_id = %s", [missing.name]).fetchall() == []

    def test_cannot_share_give_away_copy_or_delete_it(
        self, saver: GovernedPostgresSaver, plans: Plans, admin: psycopg.Connection[Any]
    ) -> None:
        before = rows_of(admin, plans.thread)
        with acting_as(BOB):
            for attempt in (
                lambda: saver.share(plans.name, "carol"),
                lambda: saver.unshare(plans.name, "carol"),
                lambda: saver.shares(plans.name),
                lambda: saver.transfer(plans.name, "carol"),
                lambda: saver.rename(plans.name, "mine"),
            ):
                with pytest.raises(ThreadNotFoundError):
                    attempt()
            saver.copy_thread(plans.name, "copied")
            assert saver.sessions(thread_id="copied") == []
            saver.delete_thread(plans.name)
            assert saver.shares() == []
        assert rows_of(admin, plans.thread) == before

    def test_nobody_bound_gets_nowhere(self, saver: GovernedPostgresSaver, plans: Plans) -> None:
        with pytest.raises(NoPrincipalError):
            saver.get_tuple(plans.config)

    @pytest.mark.parametrize("owner", ["alice\x00", "\ud800"])
    def test_an_owner_that_nobody_can_be_is_refused(self, saver: GovernedPostgresSaver, owner: str) -> None:
        with acting_as(BOB), pytest.raises(ThreadIdError):
            saver.get_tuple({"configurable": {"thread_id": "x", "thread_owner": owner}})

    @pytest.mark.parametrize("owner", ["' or true --", "alice'", "ALICE", "alice ", "%", "*", ["alice"], {"alice"}, 1])
    def test_an_owner_is_an_address_that_is_taken_to_the_letter(
        self, saver: GovernedPostgresSaver, plans: Plans, owner: Any
    ) -> None:
        with acting_as(ALICE):
            saver.share(plans.name, "bob")
        config: Any = {"configurable": {"thread_id": plans.name, "thread_owner": owner}}
        with acting_as(BOB):
            assert saver.get_tuple(config) is None
            assert list(saver.list(config)) == []
