"""LakebaseLogins: each person's own connections, kept while they come back, and no more than there is room for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from checkpointer import GovernedPostgresSaver, Principal
from checkpointer.lakebase import LakebaseError
from checkpointer.logins import LakebaseLogins
from tests.databricks.lakebase import ENDPOINT

if TYPE_CHECKING:
    import psycopg

    from tests.databricks.lakebase import Lakebase
    from tests.databricks.stand_in import StandIn

PEOPLE = ("alice", "bob", "carol")


@contextmanager
def logins_of(lakebase: Lakebase, **options: Any) -> Iterator[LakebaseLogins]:
    compute = {"endpoint": ENDPOINT, "database": "lakehouse", "port": lakebase.port}
    with LakebaseLogins(compute=compute, options={"timeout": 3}, **options) as logins:
        yield logins


def used(stand_in: StandIn, logins: LakebaseLogins, name: str) -> GovernedPostgresSaver:
    """Count the sessions of a person."""
    with logins.of(stand_in.client(name), Principal(name)) as saver:
        saver.sessions()
        return saver


def connected(admin: psycopg.Connection) -> set[str]:
    """Who has connections."""
    found = admin.execute("select distinct usename from pg_stat_activity where application_name = 'mooring'")
    return {str(name) for (name,) in found if name in PEOPLE}


def wait_for(expected: set[str], admin: psycopg.Connection) -> None:
    end = time.monotonic() + 20
    while connected(admin) != expected:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_everybody_has_their_own_connections_and_keeps_them(
    stand_in: StandIn, lakebase: Lakebase, admin: psycopg.Connection
) -> None:
    with logins_of(lakebase) as logins:
        with ThreadPoolExecutor(8) as pool:
            names = ["alice", "bob"] * 4
            savers = dict(zip(names, pool.map(lambda name: used(stand_in, logins, name), names), strict=True))
        assert connected(admin) == {"alice", "bob"}
        for _ in range(10):
            assert used(stand_in, logins, "alice") is savers["alice"]
        assert len(lakebase.logins) <= 4  # a pool of two each, which may still be growing
    wait_for(set(), admin)


def test_who_stays_away_is_let_go(stand_in: StandIn, lakebase: Lakebase, admin: psycopg.Connection) -> None:
    clock = 0.0
    with logins_of(lakebase, idle_seconds=60, now=lambda: clock) as logins:
        used(stand_in, logins, "alice")
        clock = 50.0
        used(stand_in, logins, "bob")
        clock = 100.0
        used(stand_in, logins, "bob")
        wait_for({"bob"}, admin)
        used(stand_in, logins, "alice")
        assert connected(admin) == {"alice", "bob"}


def test_who_was_away_longest_makes_room_and_nobody_who_is_here(
    stand_in: StandIn, lakebase: Lakebase, admin: psycopg.Connection
) -> None:
    clock = 0.0
    with logins_of(lakebase, most=2, now=lambda: clock) as logins, ExitStack() as stack:
        for name in ("alice", "bob"):
            used(stand_in, logins, name)
            clock += 1
        used(stand_in, logins, "carol")
        wait_for({"bob", "carol"}, admin)
        for name in ("bob", "carol"):
            stack.enter_context(logins.of(stand_in.client(name), Principal(name)))
        with pytest.raises(LakebaseError, match="2 people"):
            used(stand_in, logins, "alice")
        used(stand_in, logins, "bob")


def test_a_client_of_somebody_else_opens_nothing(stand_in: StandIn, lakebase: Lakebase) -> None:
    with logins_of(lakebase) as logins:
        alices = logins.of(stand_in.client("alice"), Principal("bob"))
        with pytest.raises(LakebaseError, match="not that of 'bob'"):
            alices.__enter__()
        used(stand_in, logins, "bob")
    assert {login.user for login in lakebase.logins} == {"bob"}


def test_a_client_of_somebody_else_gets_nothing_that_is_open(stand_in: StandIn, lakebase: Lakebase) -> None:
    with logins_of(lakebase) as logins:
        lakebase.life = 0.5
        saver = used(stand_in, logins, "alice")
        bobs = logins.of(stand_in.client("bob"), Principal("alice"))
        with pytest.raises(LakebaseError, match="not that of 'alice'"):
            bobs.__enter__()
        time.sleep(0.5)
        lakebase.cut()
        saver.sessions()  # with a token that her own client mints
    assert {minted.user for minted in lakebase.minted.values()} == {"alice"}


def test_who_comes_again_with_the_same_login_is_not_asked_who_that_is(stand_in: StandIn, lakebase: Lakebase) -> None:
    with logins_of(lakebase) as logins:
        client = stand_in.client("alice")
        for _ in range(3):
            with logins.of(client, Principal("alice")) as saver:
                saver.sessions()
    assert len(stand_in.workspace.sent("/Me$")) == 1


def test_new_connections_are_made_with_the_client_of_the_request(stand_in: StandIn, lakebase: Lakebase) -> None:
    with logins_of(lakebase) as logins:
        lakebase.life = 0.5
        saver = used(stand_in, logins, "alice")
        time.sleep(0.5)  # the token that was minted is over, and so is the one that minted it
        stand_in.workspace.revoke_all()
        lakebase.life = 3600.0
        lakebase.cut()
        assert used(stand_in, logins, "alice") is saver
