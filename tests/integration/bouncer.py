"""PgBouncer in transaction mode before a server: each transaction may run on another connection."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from agent.local.account import account_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.foreign import Foreign

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
CONFIG = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
"""


@contextmanager
def bounced(foreign: Foreign) -> Iterator[Foreign]:
    """Run PgBouncer, for migrator and service; yield the server as it is reached through it."""
    assert PROGRAM is not None
    folder = Path(tempfile.mkdtemp(prefix="mooring-bouncer-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    users = "".join(f'"{name}" "{foreign.password}"\n' for name in ("migrator", "service", "administrator"))
    (folder / "users").write_text(users)
    (folder / "config").write_text(CONFIG.format(server=foreign.port, port=port, folder=folder))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    behind = replace(foreign, port=port)
    try:
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen(
                [PROGRAM, str(folder / "config")], cwd="/", stderr=log, **account_for(folder / "none").popen
            ) as process,
        ):
            try:
                _wait_for(behind, process, folder / "log")
                yield behind
            finally:
                process.terminate()
    finally:
        shutil.rmtree(folder)


def _wait_for(behind: Foreign, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(behind.url("service")).close()
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        else:
            return
