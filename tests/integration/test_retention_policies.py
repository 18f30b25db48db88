"""Whose policy counts for a thread, and what is none."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    Retention,
    ThreadNotFoundError,
)
from tests.integration.keeping import (
    DAY,
    graph_of,
    last_used,
    name_of,
    steps,
    talk,
    went,
)
from tests.logins import saver_of

if TYPE_CHECKING:
    from agent.database import Database


class TestPolicies:
    def test_a_thread_s_own_goes_before_the_saver_s(
        self, lakehouse: Database, person: Principal, admin: psycopg.Connection[Any]
    ) -> None:
        with saver_of(lakehouse, person, retention=Retention(keep_last=2, ttl=10 * DAY)) as saver:
            default, forever, short = talk(saver), talk(saver), talk(saver)
            saver.set_retention(name_of(forever), Retention())
            saver.set_retention(name_of(short), Retention(ttl=DAY))
            for config in (default, forever, short):
                last_used(admin, config, 5 * DAY)

            assert went(saver.expire()) == {name_of(default): (False, 7, None), name_of(short): (True, 9, None)}
            assert len(steps(saver, forever)) == 9
            saver.set_retention(name_of(forever), None)
            assert saver.get_retention(name_of(forever)) is None
            assert went(saver.expire(dry_run=True)) == {name_of(forever): (False, 7, None)}
            assert went(saver.expire([name_of(default)], retention=Retention(keep_last=1))) == {
                name_of(default): (False, 1, None)
            }

    def test_without_a_policy_everything_stays(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
    ) -> None:
        config = talk(saver)
        last_used(admin, config, 10_000 * DAY)
        assert saver.expire() == []
        assert len(steps(saver, config)) == 9

    async def test_async_callers(self, lakehouse: Database, person: Principal) -> None:
        async with saver_of(lakehouse, person, retention=Retention()) as saver:
            config: Any = {"configurable": {"thread_id": str(uuid4())}}
            await graph_of(saver).ainvoke({"said": ["q"]}, config, durability="sync")
            policy = Retention(keep_last=1, ttl=DAY, refresh_on_read=True)
            await saver.aset_retention(name_of(config), policy)
            assert await saver.aget_retention(name_of(config)) == policy
            assert went(await saver.aexpire()) == {name_of(config): (False, 2, None)}

    def test_an_unknown_thread_is_told(self, saver: GovernedPostgresSaver) -> None:
        with pytest.raises(ThreadNotFoundError):
            saver.set_retention("unknown", Retention())
        with pytest.raises(ThreadNotFoundError):
            saver.get_retention("unknown")

    @pytest.mark.parametrize("wrong", [{"keep_last": 0}, {"ttl": timedelta(0)}, {"ttl": -DAY}])
    def test_a_policy_that_cannot_be_is_refused(self, wrong: Any) -> None:
        with pytest.raises(ValueError, match="not"):
            Retention(**wrong)

    @pytest.mark.parametrize("keep_last", [-1, 2**31, True, 1.0, float("nan"), "1"], ids=repr)
    def test_so_is_a_number_that_is_no_count(self, keep_last: Any) -> None:
        with pytest.raises(ValueError, match="keep_last is an int from 1 to"):
            Retention(keep_last=keep_last)

    @pytest.mark.parametrize("ttl", [timedelta.max, 3_000_000 * DAY, 36_526 * DAY, timedelta.min, 30, "30d"], ids=repr)
    def test_so_is_a_time_that_nothing_is_kept_for(self, ttl: Any) -> None:
        with pytest.raises(ValueError, match="ttl is a positive timedelta of at most 36,525 days"):
            Retention(ttl=ttl)

    def test_the_largest_are_kept_to(self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]) -> None:
        largest = Retention(keep_last=2**31 - 1, ttl=36_525 * DAY, refresh_on_read=False)
        config, other = talk(saver), talk(saver)
        saver.set_retention(name_of(config), largest)
        last_used(admin, config, 2 * DAY)
        last_used(admin, other, 2 * DAY)

        assert saver.get_retention(name_of(config)) == largest
        assert saver.expire(retention=largest) == []
        assert went(saver.expire(retention=Retention(ttl=DAY))) == {name_of(other): (True, 9, None)}

    @pytest.mark.parametrize(
        "value",
        [
            "ttl = interval '3000000 days'",
            "ttl = interval '100000 years'",
            "ttl = -interval '1 day'",
            "keep_last = 0",
            "read_at = '20000-01-01'",
            "read_at = '-infinity'",
            "title = 'both', sealed_title = 'both'",
        ],
    )
    def test_the_database_refuses_what_would_stop_a_pass(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], value: str
    ) -> None:
        config = talk(saver)
        with pytest.raises(psycopg.errors.CheckViolation):
            admin.execute(f"update mooring.threads set {value} where thread_id = %s".encode(), [name_of(config)])

    def test_months_against_days_end_no_pass(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
    ) -> None:
        """They are a time of one day by comparison, and one that cannot be taken from now."""
        config, other = talk(saver), talk(saver)
        mixed = "update mooring.threads set refresh_on_read = false, ttl = '-12000000 months 360000001 days'"
        admin.execute(f"{mixed} where thread_id = %s".encode(), [name_of(config)])
        last_used(admin, other, 2 * DAY)

        assert went(saver.expire(retention=Retention(ttl=DAY))) == {name_of(other): (True, 9, None)}
