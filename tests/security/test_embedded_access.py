"""Who gets in to the embedded server: nobody without a password, nobody from afar, and no impostor learns one."""

from __future__ import annotations

import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agent import local
from agent.settings import Settings
from tests.embedded import AS_ACCOUNT, child

if TYPE_CHECKING:
    from agent.database import Database

pytestmark = pytest.mark.embedded

ROLES = ("postgres", "mooring_migrator", "mooring_service", "alice", "bob", "carol", "lakehouse_owner", "mooring_user")
READ = """
home = Path(sys.argv[1])
for path in (home / "passfile", home / "server.log", home / "cluster" / "data" / "global" / "pg_authid"):
    try:
        path.open().close()
    except PermissionError:
        continue
    print(path, "was read")
try:
    with local.joined(home):
        print("was joined")
except local.HomeError as error:
    print(error)
"""


@pytest.fixture
def passwords(lakehouse: Database) -> dict[str, str]:
    """Passwords by role, as the file of the server's owner has them."""
    lines = Path(str(conninfo_to_dict(lakehouse.runtime)["passfile"])).read_text().splitlines()
    return {line.split(":")[3]: line.split(":")[4] for line in lines}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("password", [None, "", "wrong", "postgres"])
def test_nobody_gets_in_without_the_password(lakehouse: Database, role: str, password: str | None) -> None:
    conninfo = make_conninfo(lakehouse.runtime, user=role, passfile="/dev/null", password=password)
    with pytest.raises(psycopg.OperationalError, match=r"no password supplied|password authentication failed"):
        psycopg.connect(conninfo)


@pytest.mark.parametrize("role", ROLES)
def test_one_s_password_is_nobody_else_s(lakehouse: Database, passwords: dict[str, str], role: str) -> None:
    for other, password in passwords.items():
        if other != role:
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(make_conninfo(lakehouse.runtime, user=role, password=password))


def test_passwords_are_long_and_differ(passwords: dict[str, str]) -> None:
    assert len(set(passwords.values())) == len(passwords) == 6
    assert min(map(len, passwords.values())) >= 40


def test_every_way_in_asks_for_a_scram_password(admin: psycopg.Connection, passwords: dict[str, str]) -> None:
    assert admin.execute("select distinct auth_method, error from pg_hba_file_rules").fetchall() == [
        ("scram-sha-256", None)
    ]
    verifiers = admin.execute("select rolname::text, left(rolpassword, 14) from pg_authid").fetchall()
    assert {role: verifier for role, verifier in verifiers if role in ROLES} == {
        role: "SCRAM-SHA-256$" if role in passwords else None for role in ROLES
    }


def test_the_server_is_reached_by_loopback_only(admin: psycopg.Connection) -> None:
    port = admin.info.port
    assert admin.execute("show unix_socket_directories").fetchone() == ("",)
    for address in ("127.0.0.2", "::1", socket.gethostbyname(socket.gethostname())):
        if address != "127.0.0.1":
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=5)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"R\0\0\0\x08\0\0\0\x03", id="asks for the password in clear"),
        pytest.param(b"R\0\0\0\x0c\0\0\0\x05salt", id="asks for an MD5 digest"),
        pytest.param(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", id="lets everybody in"),
    ],
)
def test_an_impostor_on_the_port_learns_no_password(lakehouse: Database, answer: bytes) -> None:
    def impersonate(listener: socket.socket) -> bytes:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            connection.recv(10_000)
            connection.sendall(answer)
            return connection.recv(10_000)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        heard = pool.submit(impersonate, listener)
        with pytest.raises(psycopg.OperationalError, match="authentication"):
            psycopg.connect(make_conninfo(lakehouse.login("alice"), port=listener.getsockname()[1]))
        assert heard.result() == b""


def test_another_account_reads_no_password_and_no_data(lakehouse: Database) -> None:
    home = Settings().home
    assert (home / "passfile").stat().st_mode & 0o777 == 0o600
    assert (home / "server.log").stat().st_mode & 0o777 == 0o600
    assert (home / "cluster").stat().st_mode & 0o077 == 0
    if os.geteuid() == 0:
        output, errors = child(home, AS_ACCOUNT + READ, ACCOUNT="54321").communicate()
        assert output.startswith(f"MOORING_HOME={home} is somebody else's"), output
        assert errors == ""


def test_no_password_shows_in_command_lines_logs_or_connection_strings(
    lakehouse: Database, passwords: dict[str, str]
) -> None:
    assert lakehouse.superuser is not None
    assert lakehouse.admin is not None
    psycopg.connect(lakehouse.login("alice")).close()
    shown = subprocess.run(["ps", "-axwwo", "command="], capture_output=True, text=True, check=True).stdout
    shown += (Settings().home / "server.log").read_text()
    shown += lakehouse.runtime + lakehouse.admin + lakehouse.superuser + lakehouse.login("alice")

    assert [role for role, password in passwords.items() if password in shown] == []


def test_rows_and_statements_stay_out_of_the_log(lakehouse: Database) -> None:
    secret = f"secret{uuid4().hex}"
    statements = (f"select '{secret}'::int", f"select * from no.{secret}", f"selec {secret}")
    with psycopg.connect(lakehouse.login("alice"), autocommit=True) as conn:
        for statement in statements:
            with pytest.raises(psycopg.Error):
                conn.execute(statement.encode())

    assert secret not in (Settings().home / "server.log").read_text()


def test_the_embedded_server_does_not_start_where_its_disk_is_thrown_away(
    lakehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_APP_NAME", "chat")

    with pytest.raises(local.DatabaseNotConfiguredError, match=r"MOORING_DATABASE_URL"), local.joined(Settings().home):
        pass
