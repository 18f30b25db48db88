"""One Postgres cluster: made with initdb, started, found and stopped. Who may do so when is decided in server.py."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.local import binaries, locks, processes
from agent.local.errors import ServerError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.local.home import Home

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS = 60.0  # crash recovery on a slow disk takes its time
STOP_SECONDS = 30.0
POLL_SECONDS = 0.005
LOG_BYTES = 10_000_000

# On the command line, so that a new release's settings reach clusters that an old one made.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Modest, for laptops.
    "max_connections": "300",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "jit": "off",
    # Neither statements nor rows of data reach the log: errors quote both, and so do their details.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Postmaster:
    """The running server, as its postmaster.pid tells it."""

    pid: int
    port: int
    ready: bool


class Cluster:
    """The cluster of a home. No method may run at the same time as another process's `create`, `start` or `stop`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.name = "mooring-" + hashlib.sha256(os.fsencode(home.data.resolve())).hexdigest()[:12]

    @property
    def exists(self) -> bool:
        return (self.home.data / "PG_VERSION").exists()

    def create(self, superuser_password: str) -> None:
        """Run initdb next to the final place, so that one killed half-way is simply done again.

        Its folder has a new name each time: an initdb whose starter was killed goes on for a while in the old one.
        """
        for remains in self.home.cluster.glob("half-*"):
            shutil.rmtree(remains, ignore_errors=True)
        half, pwfile = self.home.cluster / f"half-{secrets.token_hex(4)}", self.home.cluster / "password"
        pwfile.unlink(missing_ok=True)
        descriptor = os.open(pwfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(superuser_password)
            if self.home.account.drop:
                # By descriptor: the folder is the account's, which might put another file in this one's place.
                os.fchown(file.fileno(), self.home.account.uid, self.home.account.gid)
        try:
            self._initdb(half, pwfile)
        finally:
            pwfile.unlink(missing_ok=True)
        half.rename(self.home.data)

    def running(self) -> Postmaster | None:
        """Find the living server of this cluster; a stale postmaster.pid, a reused pid or a zombie is none."""
        try:
            lines = (self.home.data / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
            if not processes.belongs(pid, self.name):
                return None
            # The eighth line appears last (manual: pg_ctl reads it for the same purpose).
            ready = len(lines) >= 8 and lines[7].strip() == "ready"
            return Postmaster(pid, int(lines[3]) if ready else 0, ready)
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def start(self) -> Postmaster:
        """Return the ready server, starting it if need be.

        A server found starting (its starter was killed) is waited for, one found stopping is replaced.
        """
        deadline = time.monotonic() + START_SECONDS
        pid, launches = 0, 0
        while time.monotonic() < deadline:
            if (postmaster := self.running()) and postmaster.ready:
                self.home.port.write_text(f"{postmaster.port}\n")
                return postmaster
            if postmaster is None and not processes.belongs(pid, self.name):
                if launches == 3:
                    break
                if self._clear_remains():
                    pid, launches = self._launch(), launches + 1
            time.sleep(POLL_SECONDS)
        raise ServerError(f"the embedded Postgres does not start ({self._last_words()})", f"look into {self.home.log}")

    def stop(self) -> None:
        """Shut down fast: clients are cut off, everything committed is kept."""
        postmaster = self.running()
        if postmaster is None:
            return
        os.kill(postmaster.pid, signal.SIGINT)
        if not self._gone(STOP_SECONDS):
            raise ServerError(
                f"the embedded Postgres (pid {postmaster.pid}) does not stop", f"look into {self.home.log}"
            )

    def _initdb(self, folder: Path, pwfile: Path) -> None:
        try:
            pwd.getpwuid(self.home.account.uid)
        except KeyError:
            raise ServerError(
                f"initdb needs a name for the account {self.home.account.uid}, and the system knows none",
                "run as an account of the password file, or set MOORING_DATABASE_URL",
            ) from None
        bin_folder = binaries.installation(self.home.account, self.home.path) / "bin"
        options = ["--username", SUPERUSER, "--auth", "scram-sha-256", f"--pwfile={pwfile}", "--encoding", "UTF8"]
        # The builtin provider sorts alike on every machine.
        locale = ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        done = subprocess.run(  # noqa: S603
            [bin_folder / "initdb", "--pgdata", folder, "--no-instructions", *options, *locale],
            cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self.home.account.popen,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["killed"])[0]
            raise ServerError(f"initdb failed ({reason})", f"make room for about 100 MB in {self.home.path}")

    def _launch(self) -> int:
        """Start a postmaster that is nobody's child, has a session of its own and of our descriptors only its lock."""
        server = binaries.installation(self.home.account, self.home.path) / "bin" / "postgres"
        settings = {**SETTINGS, "port": str(self._free_port()), "cluster_name": self.name}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        if self.home.log.exists() and self.home.log.stat().st_size > LOG_BYTES:
            self.home.log.rename(self.home.log.with_suffix(".log.old"))
        self.home.log.touch(mode=0o600)
        with self.home.log.open("ab") as log, contextlib.closing(locks.Share(self.home.server_lock)) as lock:
            # The shell leaves at once, so init is the parent; it opens nothing, the log comes as its stderr.
            launcher = subprocess.run(  # noqa: S603
                ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", server, "-D", self.home.data, *options],
                cwd="/",
                env={"LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.descriptor],
                check=True,
                **self.home.account.popen,
            )
        return int(launcher.stdout)

    def _last_words(self) -> str:
        lines = self.home.log.read_text(errors="replace").splitlines()[-20:]
        return next((line.partition("FATAL:")[2].strip() for line in reversed(lines) if "FATAL:" in line), "no answer")

    def _free_port(self) -> int:
        """Prefer the port used last; should somebody take it before Postgres does, the start is tried again."""
        for port in (self._last_port(), 0):
            with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
        raise ServerError("no port is free on 127.0.0.1", "close some programs")

    def _last_port(self) -> int:
        try:
            return int(self.home.port.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _clear_remains(self) -> bool:
        """Make room for a server; False where one is about to start after all.

        After a kill: end orphaned backends, which hold shared memory, and drop a pid file that misleads.

        Postgres removes a stale pid file by itself, unless the pid has been given to another process.
        """
        for request, patience in ((signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0)):
            for pid in processes.members(self.name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, request)
            if self._gone(patience):
                break
        if self._server_appears():
            return False
        (self.home.data / "postmaster.pid").unlink(missing_ok=True)
        return True

    def _server_appears(self) -> bool:
        """Two servers on the same files would destroy them, and each container sees its own processes only.

        A process has no command line for a moment while it becomes the server: on a busy machine it is seen later.
        """
        deadline = time.monotonic() + 2.0  # a process that just died lets go of its files a little later
        while not locks.shared_by_nobody(self.home.server_lock):
            if processes.members(self.name):
                return True
            if time.monotonic() > deadline:
                raise ServerError(
                    f"the embedded Postgres of {self.home.path} runs in another container",
                    "stop it there, or point both to one server with MOORING_DATABASE_URL",
                )
            time.sleep(POLL_SECONDS)
        return False

    def _gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while processes.members(self.name):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True
