"""One embedded server for all processes of a home: the first starts it, the last stops it, a crash is mended."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from agent import local
from agent.local import binaries, locks, processes
from agent.local.cluster import SETTINGS, Cluster
from agent.local.home import locate
from tests.embedded import child, descendants, fresh_home, kill, member, servers

if TYPE_CHECKING:
    from collections.abc import Iterator

# Commits numbers one by one, prints each when it is committed, until it is killed.
WRITER = """
import sys
from itertools import count
from pathlib import Path
import psycopg
from agent import local
with local.joined(Path(sys.argv[1])) as server:
    conn = psycopg.connect(server.conninfo("postgres"), autocommit=True)
    conn.execute("create table if not exists public.kept (number bigint primary key, filling text)")
    conn.execute("truncate public.kept")
    for number in count():
        conn.execute("insert into public.kept values (%s, repeat('x', 1000))", [number])
        print(number, flush=True)
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home that two processes opened first, at the same time."""
    with fresh_home() as path:
        with child(path) as first, child(path) as second:
            outputs = [process.communicate() for process in (first, second)]
            assert [process.returncode for process in (first, second)] == [0, 0], outputs
        yield path


def rows(conninfo: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(conninfo) as conn:
        return conn.execute(query.encode()).fetchall()


def test_two_that_start_at_once_share_a_server(home: Path) -> None:
    with member(home) as first, member(home) as second:
        assert first == second
        assert servers(home) == [first]


@pytest.mark.parametrize("proc", ["/proc", "/nonexistent"])
def test_the_last_to_leave_stops_the_server(home: Path, monkeypatch: pytest.MonkeyPatch, proc: str) -> None:
    monkeypatch.setattr(processes, "PROC", Path(proc))  # macOS has none, and is asked through ps
    with local.joined(home) as server:
        with member(home):
            pass
        assert rows(server.conninfo("alice"), "select count(*) from bakehouse.transactions") == [(24_000,)]
        assert servers(home) == [server.pid]

    assert servers(home) == []
    assert not local.status(home).running


def test_a_member_that_is_killed_holds_nothing_up(home: Path) -> None:
    with local.joined(home):
        process = child(home)
        assert process.stdout is not None
        assert process.stdout.readline()
        process.kill()
        process.communicate()

    assert servers(home) == []


def test_a_forked_child_that_ends_does_not_leave_for_its_parent(home: Path) -> None:
    with child(
        home,
        "import os, sys; from pathlib import Path; from agent import local\n"
        "with local.joined(Path(sys.argv[1])) as server:\n"
        "    pid = os.fork()\n"
        "    if pid == 0: sys.exit()\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "    import psycopg; psycopg.connect(server.conninfo('alice')).close()\n",
    ) as process:
        _, errors = process.communicate()

    assert process.returncode == 0, errors
    assert servers(home) == []


def test_a_started_server_stays_until_it_is_stopped(home: Path) -> None:
    started = local.start(home)
    with local.joined(home) as server:
        assert server.pid == started.pid
    with member(home):
        pass

    status = local.status(home)
    assert (status.running, status.pinned, status.pid) == (True, True, started.pid)
    assert status.size > 10_000_000

    assert local.stop(home)
    assert servers(home) == []
    assert not local.status(home).pinned
    assert not local.stop(home)


def test_stopping_cuts_members_off_and_the_next_one_is_served(home: Path) -> None:
    with local.joined(home) as first, psycopg.connect(first.conninfo("alice"), autocommit=True) as conn:
        assert local.stop(home)
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select")
        with local.joined(home) as second:
            assert second.pid != first.pid
            assert rows(first.conninfo("alice"), "select 1") == [(1,)]

    assert servers(home) == []


def test_no_committed_row_is_lost_when_everything_is_killed(home: Path) -> None:
    # given a server that outlives its clients, and a process that commits row after row
    pinned = local.start(home)
    assert pinned.pid is not None
    writer = child(home, WRITER)
    assert writer.stdout is not None
    committed = [int(writer.stdout.readline()) for _ in range(200)]

    # when all of them are killed
    kill(pinned.pid, *descendants(pinned.pid), writer.pid)
    committed += map(int, writer.stdout.read().splitlines())  # `communicate` would pass over what is buffered
    writer.communicate()

    # then the next one to come finds every row
    with local.joined(home) as server:
        assert server.pid != pinned.pid
        assert server.port == pinned.port
        found = rows(server.conninfo("postgres"), "select number from public.kept order by number")
        assert [number for (number,) in found][: len(committed)] == committed
    # and it still stays until it is stopped
    assert local.status(home).pinned
    assert local.stop(home)


@pytest.mark.parametrize("proc", ["/proc", "/nonexistent"])
def test_orphaned_backends_of_a_killed_postmaster_do_not_stand_in_the_way(
    home: Path, monkeypatch: pytest.MonkeyPatch, proc: str
) -> None:
    monkeypatch.setattr(processes, "PROC", Path(proc))
    with local.joined(home) as first, psycopg.connect(first.conninfo("postgres"), autocommit=True) as orphan:
        kill(first.pid)

        with local.joined(home) as second:
            assert second.pid != first.pid
            # whoever holds the old address is served again
            assert rows(first.conninfo("alice"), "select 1") == [(1,)]
        with pytest.raises(psycopg.OperationalError):
            orphan.execute("select")

    assert servers(home) == []


def test_a_pid_that_was_given_to_another_process_is_left_alone(home: Path) -> None:
    # given a pid file as a power cut leaves it, whose pid now belongs to somebody who even names the cluster
    name = Cluster(locate(home)).name
    innocent = subprocess.Popen([sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", name],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert innocent.stdout is not None
    innocent.stdout.readline()
    data = home / "cluster" / "data"
    port = (home / "port").read_text().strip()
    (data / "postmaster.pid").write_text(f"{innocent.pid}\n{data}\n1700000000\n{port}\n\n127.0.0.1\n  1 1\nready   \n")

    try:
        assert not local.status(home).running
        assert not local.stop(home)
        with local.joined(home) as server:
            assert rows(server.conninfo("alice"), "select 1") == [(1,)]
        assert innocent.poll() is None
    finally:
        innocent.communicate()


@pytest.mark.parametrize("content", [b"", b"garbage", "\u00b2".encode(), b"\xff\xfe", b"99999999", b"-1"])
def test_a_damaged_port_file_is_not_believed(home: Path, content: bytes) -> None:
    (home / "port").write_bytes(content)

    with local.joined(home) as server:
        assert rows(server.conninfo("alice"), "select 1") == [(1,)]


@pytest.mark.parametrize("content", [b"", b"4", b"\xff", b"4\n/x\n1\n"])
def test_a_damaged_pid_file_is_not_believed(home: Path, content: bytes) -> None:
    (home / "cluster" / "data" / "postmaster.pid").write_bytes(content)

    with local.joined(home) as server:
        assert rows(server.conninfo("alice"), "select 1") == [(1,)]


def test_a_port_that_somebody_took_is_left_to_them(home: Path) -> None:
    with local.joined(home) as before:
        pass
    with socket.create_server(("127.0.0.1", before.port)), local.joined(home) as after:
        assert after.port != before.port
        assert rows(after.conninfo("alice"), "select 1") == [(1,)]
    with local.joined(home) as again:
        assert again.port == after.port


def test_no_descriptor_of_a_starter_stays_open_in_the_server(home: Path) -> None:
    """Else a program that reads a chat's output to its end would wait for the server."""
    process = child(
        home, "import sys; from pathlib import Path; from agent import local; local.start(Path(sys.argv[1]))"
    )
    output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (0, "", "")
    assert local.stop(home)


def test_pg_variables_of_another_server_are_not_heeded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGHOST": "elsewhere.invalid", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGDATABASE": "other",
        "PGUSER": "other", "PGPASSWORD": "other", "PGPASSFILE": "/dev/null", "PGSSLMODE": "verify-full",
        "PGREQUIREAUTH": "none", "PGCHANNELBINDING": "require", "PGTARGETSESSIONATTRS": "standby",
        "PGSERVICE": "other", "PGOPTIONS": "-c role=postgres",
        "PGSERVICEFILE": str(home / "services"), "PGDATA": "/nonexistent", "PGGSSENCMODE": "require",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (home / "services").write_text("[other]\nhost=elsewhere.invalid\nhostaddr=192.0.2.1\nuser=other\n")

    with local.joined(home) as server:
        assert rows(server.conninfo("alice"), "select session_user::text, current_user::text") == [("alice", "alice")]


def test_a_lost_password_file_is_named_and_may_be_put_back(home: Path) -> None:
    (home / "passfile").rename(home / "elsewhere")

    with pytest.raises(local.ServerError, match=r"passfile is missing"), local.joined(home):
        pass

    # a backup's mode is that of the moment; libpq reads no password file that others may read
    shutil.copyfile(home / "elsewhere", home / "passfile")
    (home / "passfile").chmod(0o644)
    with local.joined(home) as server:
        psycopg.connect(server.conninfo("alice")).close()
    assert (home / "passfile").stat().st_mode & 0o777 == 0o600

    # a server that knows other passwords
    (home / "passfile").write_text("127.0.0.1:*:*:postgres:another\n")
    (home / "bootstrapped").unlink()
    with pytest.raises(local.ServerError, match=r"cannot be set up .*look into"), local.joined(home):
        pass
    assert servers(home) == []

    shutil.copyfile(home / "elsewhere", home / "passfile")
    with local.joined(home):
        pass


def test_a_home_that_another_container_serves_is_refused(home: Path) -> None:
    # given a server whose processes cannot be seen from here
    pid_file = home / "cluster" / "data" / "postmaster.pid"
    pid_file.write_text("theirs")
    share = locks.Share(home / "server.lock")

    with pytest.raises(local.ServerError, match=r"another container.*MOORING_DATABASE_URL"), local.joined(home):
        pass

    assert pid_file.read_text() == "theirs"
    share.close()
    with local.joined(home):
        # and the server itself is one that others would refuse to join
        assert not locks.shared_by_nobody(home / "server.lock")
    assert locks.shared_by_nobody(home / "server.lock")


def test_a_server_that_is_seen_late_is_no_other_containers(home: Path) -> None:
    # given one that holds its lock, and has no command line yet
    located = locate(home)
    cluster = Cluster(located)
    with local.joined(home):  # its port is free, and its binaries are there
        port = located.port.read_text().strip()
    settings = {**SETTINGS, "port": port, "cluster_name": cluster.name}
    postgres = binaries.installation(located.account, located.path) / "bin" / "postgres"
    command = [str(postgres), "-D", str(located.data), *(f"--{name}={value}" for name, value in settings.items())]
    share = locks.Share(located.server_lock)
    late = subprocess.Popen(
        ["/bin/sh", "-s"],
        cwd="/",
        env={"LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        pass_fds=[share.descriptor],
        **located.account.popen,
    )
    assert late.stdin is not None
    late.stdin.write(f"sleep 0.5; exec {shlex.join(command)}\n")
    late.stdin.close()
    share.close()

    with local.joined(home) as server:
        assert server.pid == late.pid
        assert rows(server.conninfo("alice"), "select count(*) from bakehouse.suppliers") == [(27,)]
    assert late.wait(30) == 0
