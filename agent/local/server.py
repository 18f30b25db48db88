"""The embedded Postgres as its users share it: started by the first, stopped by the last, or pinned.

Every process that uses the server holds a share of the clients' lock; whoever starts or stops it holds the start
lock alone. Both vanish with their holders, so nothing has to be cleaned up after a kill.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from agent.local import binaries, locks, passfile
from agent.local.bootstrap import DATABASE, LOGINS, PEOPLE, bootstrap
from agent.local.cluster import HOST, SUPERUSER, Cluster
from agent.local.ephemeral import refuse_ephemeral
from agent.local.errors import HomeError, ServerError, UnknownLoginError
from agent.local.home import Home, locate, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESERVED = frozenset(LOGINS) - frozenset(PEOPLE)


@dataclass(frozen=True)
class Server:
    """A running embedded Postgres."""

    home: Home
    port: int
    pid: int

    def conninfo(self, role: str, database: str = DATABASE) -> str:
        """Build the connection string of a role; the password stays in the passfile."""
        return _conninfo(self.home, self.port, role, database)

    def login(self, user: str) -> str:
        """Build the connection string of a person, never of a role that runs or owns things."""
        people = passfile.read(self.home.passfile).keys() - RESERVED
        if user not in people:
            raise UnknownLoginError(
                f"the embedded Postgres has no login {user!r}", f"log in as one of {', '.join(sorted(people))}"
            )
        return self.conninfo(user)


@dataclass(frozen=True)
class Status:
    """What `mooring db status` tells. `size` is in bytes; port and pid are None when the server is stopped."""

    running: bool
    pinned: bool
    port: int | None
    pid: int | None
    data: Path
    log: Path
    version: str
    size: int


@contextmanager
def joined(home: Path) -> Iterator[Server]:
    """Use the server of a home, starting and setting it up if need be; the last to leave stops it."""
    refuse_ephemeral()
    prepared = prepare(home)
    owner = os.getpid()
    with _explained(prepared):
        share = locks.Share(prepared.clients_lock)
    try:
        with _explained(prepared), locks.alone(prepared.start_lock):
            server = _serve(prepared)
        yield server
    finally:
        # A forked child may run this too when it unwinds; only who joined leaves.
        if os.getpid() == owner:
            _leave(prepared, share)


def start(home: Path, *, keep: bool = True) -> Status:
    """Start the server and, with `keep`, pin it: it then runs until `stop`, used or not."""
    refuse_ephemeral()
    prepared = prepare(home)
    with _explained(prepared), locks.alone(prepared.start_lock):
        _serve(prepared)
        if keep:
            prepared.pin.touch(mode=0o600)
    return status(home)


def stop(home: Path) -> bool:
    """Stop the server, cutting off whoever uses it, and unpin it. False when it was not running."""
    located = locate(home)
    if not located.path.exists():
        return False
    with locks.alone(located.start_lock):
        located.pin.unlink(missing_ok=True)
        cluster = Cluster(located)
        was_running = cluster.running() is not None
        cluster.stop()
    return was_running


def status(home: Path) -> Status:
    """Look without touching: neither starts nor creates anything."""
    located = locate(home)
    cluster = Cluster(located)
    postmaster = cluster.running()
    ready = postmaster if postmaster and postmaster.ready else None
    return Status(
        running=ready is not None,
        pinned=located.pin.exists(),
        port=ready.port if ready else None,
        pid=ready.pid if ready else None,
        data=located.data,
        log=located.log,
        version=binaries.version(),
        size=_size(located.data),
    )


def _serve(home: Home) -> Server:
    cluster = Cluster(home)
    passwords = passfile.ensure(home.passfile, LOGINS, fresh=not cluster.exists)
    if not cluster.exists:
        cluster.create(passwords[SUPERUSER])
    postmaster = cluster.start()
    server = Server(home, postmaster.port, postmaster.pid)
    bootstrap(server.conninfo, passwords, marker=home.bootstrapped)
    return server


@contextmanager
def _explained(home: Home) -> Iterator[None]:
    """Turn what a full disk, a read-only one or a damaged cluster raises into errors that name the folder."""
    try:
        yield
    except OSError as error:
        raise HomeError(
            f"MOORING_HOME={home.path} cannot be used ({error.strerror or error})",
            "make room, or set it to a folder that you may write",
        ) from error
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
        raise ServerError(f"the embedded Postgres cannot be set up ({reason})", f"look into {home.log}") from error


def _leave(home: Home, share: locks.Share) -> None:
    with locks.alone(home.start_lock):
        share.close()
        if not home.pin.exists() and locks.shared_by_nobody(home.clients_lock):
            Cluster(home).stop()


def _conninfo(home: Home, port: int, role: str, database: str) -> str:
    """Leave nothing to PG* variables that are meant for another server.

    The empty password is what makes libpq pass over PGPASSWORD and look into the passfile.
    """
    return make_conninfo(
        host=HOST,
        hostaddr=HOST,
        port=port,
        dbname=database,
        user=role,
        password="",
        passfile=str(home.passfile),
        sslmode="disable",
        gssencmode="disable",
        channel_binding="disable",
        target_session_attrs="any",
        options="",
        # Whoever took the port after a crash cannot ask for the password in clear, nor serve us without proving that
        # it knows the verifier.
        require_auth="scram-sha-256",
    )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # Postgres removes files as it likes
            continue
    return total
