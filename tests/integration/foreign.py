"""A Postgres that Mooring did not set up: a cluster of its own, an administrator, roles, people and unseen data."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from agent.local import binaries
from agent.local.account import account_for

if TYPE_CHECKING:
    from collections.abc import Iterator

DEBIANS = Path("/usr/lib/postgresql/15")
WHEELS = {16: "pginstall", 18: "pginstall18"}
DATABASE = "harbour"
ROLES = """
create role migrator login password '{password}';
create role service login password '{password}';
create role crew nologin;
create role anna login password '{password}' in role crew;
create role ben login password '{password}' in role crew;
"""
DATA = """
create schema quay;
create table quay.anchors (anchor_id int primary key, weight numeric not null);
comment on table quay.anchors is 'Anchors for sale';
insert into quay.anchors select n, n * 10 from generate_series(1, 7) n;
create table quay.ropes (rope_id int primary key, metres int not null);
insert into quay.ropes select n, n from generate_series(1, 5) n;
grant usage on schema quay to anna, ben;
grant select on quay.anchors to anna;
grant select on quay.ropes to anna, ben;
"""


@dataclass(frozen=True)
class Foreign:
    """The running server. Everybody has the same password, which nobody else knows."""

    programs: Path
    """The folder of psql and pg_dump."""
    port: int
    password: str

    def url(self, role: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{self.password}@127.0.0.1:{self.port}/{database}"

    def make_database(self, name: str, encoding: str = "UTF8") -> None:
        """Make a database as an administrator would, for the migrator, the service and the crew."""
        with psycopg.connect(self.url("administrator", "postgres"), autocommit=True) as conn:
            conn.execute(f"create database {name} encoding '{encoding}' template template0".encode())
            conn.execute(f"revoke all on database {name} from public".encode())
            conn.execute(f"grant connect, create on database {name} to migrator".encode())
            conn.execute(f"grant connect on database {name} to service, crew".encode())


@contextmanager
def foreign_server(release: int, *settings: str) -> Iterator[Foreign]:
    """Run a release of Postgres, 16 or 18 of the wheel, or Debian's 15, with settings besides our own."""
    folder = Path(tempfile.mkdtemp(prefix="mooring-foreign-"))
    folder.chmod(0o755)
    account = account_for(folder / "cluster")
    try:
        wheels = WHEELS.get(release)
        installed = binaries.installation(account, folder, wheels) if wheels else DEBIANS
        with _running(installed / "bin", folder, account.uid, account.popen, settings) as foreign:
            with psycopg.connect(foreign.url("administrator", "postgres"), autocommit=True) as conn:
                conn.execute(ROLES.format(password=foreign.password).encode())
            foreign.make_database(DATABASE)
            with psycopg.connect(foreign.url("administrator")) as conn:
                conn.execute(DATA.encode())
            yield foreign
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(
    programs: Path, folder: Path, uid: int, run_as: dict[str, Any], more: tuple[str, ...]
) -> Iterator[Foreign]:
    data, pwfile, password = folder / "data", folder / "password", secrets.token_hex(8)
    data.mkdir()
    pwfile.write_text(password)
    for path in (data, pwfile):
        os.chown(path, uid, -1)
    environment = {"LC_ALL": "C"}
    options = ["-U", "administrator", "-A", "scram-sha-256", f"--pwfile={pwfile}", "-E", "UTF8", "-N"]
    initdb = [str(programs / "initdb"), "-D", str(data), *options]
    subprocess.run(initdb, cwd="/", env=environment, stdout=subprocess.DEVNULL, check=True, **run_as)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = ("listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "fsync=off", *more)
    command = [str(programs / "postgres"), "-D", str(data), *(f"--{setting}" for setting in settings)]
    with (folder / "log").open("w") as log:
        server: subprocess.Popen[bytes] = subprocess.Popen(command, cwd="/", env=environment, stderr=log, **run_as)
    foreign = Foreign(programs, port, password)
    try:
        _wait_for(foreign, server)
        yield foreign
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _wait_for(foreign: Foreign, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(foreign.url("administrator", "postgres")).close()
        except psycopg.OperationalError:
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        else:
            return
