"""Two people use the same session name; the second looks for the first's with SQL, by the URL that Mooring prints."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.local import binaries

if TYPE_CHECKING:
    from agent.database import Database

# On Lakebase a login stores the person's own sessions: tests/security/test_isolation.py has what holds there.
pytestmark = pytest.mark.embedded

TABLES = ("threads", "checkpoints", "items", "writes")
QUESTION = "how many reviews are there?"
BECOME_ALICE = [
    "set mooring.principal = 'alice'",
    "set session mooring.principal to 'alice'",
    "begin; set local mooring.principal = 'alice'",
    "select set_config('mooring.principal', 'alice', false)",
    "begin; select set_config('mooring.principal', 'alice', true)",
    "begin; declare c cursor for select set_config('mooring.principal', 'alice', true); fetch c",
    "do $$ begin perform set_config('mooring.principal', 'alice', false); end $$",
    "prepare p as select set_config('mooring.principal', 'alice', false); execute p",
]
CHANGES = [
    "insert into mooring.threads (owner, thread_id) values ('alice', 'forged')",
    "insert into mooring.threads (owner, thread_id) values ('bob', 'own')",
    "insert into mooring.items select owner, thread, 9999, digest, kind, message, value from mooring.items limit 1",
    "insert into mooring.writes select * from mooring.writes on conflict do nothing",
    "insert into mooring.checkpoints select * from mooring.checkpoints on conflict do nothing",
    "copy mooring.threads (owner, thread_id) from stdin",
    "update mooring.threads set owner = 'bob'",
    "update mooring.threads set title = 'mine' where id = %(thread)s",
    "update mooring.items set message = 'x' where thread = %(thread)s",
    "update mooring.checkpoints set thread = thread where thread = %(thread)s",
    "update mooring.writes set channel = channel",
    "delete from mooring.threads where id = %(thread)s",
    "delete from mooring.items where thread = %(thread)s",
    "delete from mooring.checkpoints where thread = %(thread)s",
    "delete from mooring.writes",
    "merge into mooring.threads t using (select 1) s on t.id = %(thread)s when matched then delete",
    "truncate mooring.threads cascade",
    "select from mooring.threads for update",
    "do $$ begin lock table mooring.threads in share mode; end $$",
]


@dataclass(frozen=True)
class Hers:
    """alice's session, and the URL of bob, who has one of its name."""

    session: str
    thread: int
    rows: list[tuple[str, int]]
    bobs_url: str


def rows_of(admin: psycopg.Connection[Any], thread: int) -> list[tuple[str, int]]:
    """Per table, a fingerprint of what belongs to a thread."""
    found = []
    for table in TABLES:
        column = "id" if table == "threads" else "thread"
        statement = (
            f"select hashtext(string_agg(t::text, '' order by t::text)) from mooring.{table} t where {column} = %s"
        )
        [(digest,)] = admin.execute(statement.encode(), [thread]).fetchall()
        assert digest is not None
        found.append((table, digest))
    return found


@pytest.fixture(scope="module")
def hers(lakehouse: Database) -> Hers:
    session = f"plans-{uuid4().hex[:8]}"
    for person in ("alice", "bob"):
        asked = CliRunner().invoke(app, ["ask", QUESTION, "--session", session, "--as", person])
        assert asked.exit_code == 0
    url = CliRunner().invoke(app, ["db", "url", "--as", "bob"]).stdout.strip()
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser) as admin:
        named = "select id from mooring.threads where thread_id = %s and owner = 'alice'"
        [(thread,)] = admin.execute(named, [session]).fetchall()
        return Hers(session, thread, rows_of(admin, thread), url)


def assert_only_bobs(conn: psycopg.Connection[Any], hers: Hers) -> None:
    for table in TABLES:
        owners = conn.execute(f"select distinct owner from mooring.{table}".encode()).fetchall()
        assert owners == [("bob",)], table
        column = "id" if table == "threads" else "thread"
        named = f"select from mooring.{table} where {column} = %s or owner = 'alice'"
        assert conn.execute(named.encode(), [hers.thread]).fetchall() == [], table
    named = "select owner from mooring.threads where thread_id = %s"
    assert conn.execute(named, [hers.session]).fetchall() == [("bob",)]


def test_bob_sees_his_own_only(hers: Hers) -> None:
    with psycopg.connect(hers.bobs_url, autocommit=True) as bob:
        assert_only_bobs(bob, hers)


def test_bob_sees_his_own_only_in_psql(hers: Hers) -> None:
    sql = f"select owner from mooring.threads where thread_id = '{hers.session}'"
    psql = [str(binaries.wheel() / "bin" / "psql"), hers.bobs_url, "-XAtc", sql]
    assert subprocess.check_output(psql, text=True) == "bob\n"


@pytest.mark.parametrize("attempt", BECOME_ALICE)
def test_bob_cannot_say_that_he_is_alice(hers: Hers, attempt: str) -> None:
    with psycopg.connect(hers.bobs_url, autocommit=True) as bob:
        bob.execute(attempt.encode())
        setting = bob.execute("select current_setting('mooring.principal'), mooring.principal()").fetchone()
        assert setting == ("alice", "bob")
        assert_only_bobs(bob, hers)


def test_bob_cannot_log_in_saying_that_he_is_alice(hers: Hers) -> None:
    with psycopg.connect(hers.bobs_url, options="-c mooring.principal=alice", autocommit=True) as bob:
        assert bob.execute("select current_setting('mooring.principal')").fetchone() == ("alice",)
        assert_only_bobs(bob, hers)


@pytest.mark.parametrize("change", CHANGES)
def test_bob_changes_nothing(hers: Hers, admin: psycopg.Connection[Any], change: str) -> None:
    with (
        psycopg.connect(hers.bobs_url, options="-c mooring.principal=alice", autocommit=True) as bob,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        bob.execute(change.encode(), {"thread": hers.thread})
    assert rows_of(admin, hers.thread) == hers.rows
