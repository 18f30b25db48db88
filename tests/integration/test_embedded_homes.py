"""Homes of every kind: awkward paths, set-ups that were killed, folders that cannot be used, other accounts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from agent import local
from agent.local.lakehouse import tables
from agent.migration import connection_url
from agent.settings import Settings
from tests.embedded import child, fresh_home, kill, servers

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.database import Database

pytestmark = pytest.mark.embedded

AWKWARD = 'It\'s $HOME & "déjà" 数据 100%/' + "long" * 25
FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, {bytes}))"
JOIN = """
import resource, sys
from pathlib import Path
import psycopg
from agent import local
{before}
with local.joined(Path(sys.argv[1])) as server:
    print(psycopg.connect(server.conninfo("alice")).execute("select count(*) from bakehouse.transactions").fetchone())
"""


def fingerprint(conninfo: str) -> dict[str, object]:
    """Digest every row of every table, in the order of its text."""
    with psycopg.connect(conninfo) as conn:
        digest = sql.SQL("select md5(string_agg(t::text, '|' order by t::text)) from {} t")
        return {table: conn.execute(digest.format(sql.Identifier(*table.split(".")))).fetchone() for table in tables()}


def test_a_home_may_have_any_name_and_gets_the_same_sample(lakehouse: Database) -> None:
    assert lakehouse.superuser is not None
    with fresh_home(AWKWARD) as home, local.joined(home) as server:
        assert len(str(home)) > 100
        assert fingerprint(server.conninfo("postgres")) == fingerprint(lakehouse.superuser)

        url = connection_url(Settings(home=home), "bob", None)
        with psycopg.connect(url) as conn:
            assert conn.execute("select session_user::text").fetchone() == ("bob",)
        local.stop(home)


def test_a_set_up_that_is_killed_is_done_again() -> None:
    with fresh_home() as home:
        # in initdb, sooner and later
        for delay in (0.0, 0.05, 0.1, 0.2, 0.3):
            with child(home) as process:
                until(lambda: any((home / "cluster").glob("half-*/PG_VERSION")), process, home)
                time.sleep(delay)
                process.kill()
        # while the server is started
        with child(home) as process:
            until((home / "port").exists, process, home)
            process.kill()
        # while the database is created; the server goes on with it
        with child(home) as process:
            until(lambda: runs(home, "create database"), process, home)
            process.kill()
        # while the sample is copied; everything goes this time
        with child(home) as process:
            until(lambda: runs(home, "copy"), process, home)
            kill(process.pid, *servers(home))
        # while the marker is missing, though all is done
        local.start(home)
        local.stop(home)
        (home / "bootstrapped").unlink()

        with local.joined(home) as server, psycopg.connect(server.conninfo("alice")) as conn:
            assert conn.execute("select count(*) from bakehouse.transactions").fetchone() == (24_000,)
            assert conn.execute("select count(*) from mooring.threads").fetchone() == (0,)


def until(condition: Callable[[], bool], process: subprocess.Popen[str], home: Path) -> None:
    """Wait for a condition while the process works towards it; on a slow machine it may be over too soon to be seen."""
    while not condition() and not (home / "bootstrapped").exists():
        assert process.poll() is None, process.communicate()


def runs(home: Path, command: str) -> bool:
    port = local.status(home).port
    if port is None:
        return False
    statement = "select 1 from pg_stat_activity where starts_with(lower(query), %s) and state = 'active'"
    with (
        contextlib.suppress(psycopg.OperationalError),  # it stops right now
        psycopg.connect(
            host="127.0.0.1", port=port, user="postgres", dbname="postgres", passfile=str(home / "passfile")
        ) as conn,
    ):
        return conn.execute(statement, [command]).fetchone() is not None
    return False


def test_a_full_disk_is_named() -> None:
    with fresh_home() as home:
        # in the first file of ours, and in initdb
        for size in (16, 1_000_000):
            process = child(home, JOIN.format(before=FULL.format(bytes=size)))
            _, errors = process.communicate()
            assert process.returncode == 1
            assert "make room" in errors.splitlines()[-1]
            assert str(home) in errors.splitlines()[-1]
            assert servers(home) == []

        # and with room made, it works
        process = child(home, JOIN.format(before=""))
        assert process.communicate() == ("(24000,)\n", "")


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for home in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/mooring")):
        with pytest.raises(local.HomeError, match=f"MOORING_HOME={home}"), local.joined(home):
            pass


def test_a_folder_where_everybody_could_replace_the_passwords_is_refused() -> None:
    with fresh_home() as home:
        home.mkdir()
        home.chmod(0o777)

        with pytest.raises(local.HomeError, match=r"everybody may write to MOORING_HOME=.*new folder"):
            local.start(home)

        assert list(home.iterdir()) == []


def test_a_home_of_root_opens_no_folder_above_it() -> None:
    """An ordinary user may have it anywhere below a closed folder; root's server could not get there."""
    with fresh_home("closed") as closed:
        closed.mkdir(mode=0o700)
        program = "import sys; from pathlib import Path; from agent import local; local.start(Path(sys.argv[1]))"
        with child(closed / "home", program) as process:
            _, errors = process.communicate()

        if os.geteuid() == 0:
            assert f"lies in {closed}, which the unprivileged account" in errors
            assert "set MOORING_HOME" in errors
        else:
            assert process.returncode == 0
            local.stop(closed / "home")
        assert closed.stat().st_mode & 0o777 == 0o700
        assert not (closed / "home" / "cluster").exists() or os.geteuid() != 0
