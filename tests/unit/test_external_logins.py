"""Another Postgres: callers log in with what is theirs, and nothing of the runtime role's ever stands in for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from agent import external
from agent.database import open_database
from agent.errors import MooringError
from agent.migration import connection_url, migrate_database
from agent.settings import Settings
from checkpointer import GovernedPostgresSaver, Principal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database


@pytest.fixture
def passwords(lakehouse: Database) -> dict[str, str]:
    lines = Path(str(conninfo_to_dict(lakehouse.runtime)["passfile"])).read_text().splitlines()
    return {line.split(":")[3]: line.split(":")[4] for line in lines}


@pytest.fixture
def port(lakehouse: Database) -> str:
    return str(conninfo_to_dict(lakehouse.runtime)["port"])


@pytest.fixture
def twin(admin: psycopg.Connection, passwords: dict[str, str]) -> Iterator[str]:
    """A person whose password is the runtime role's: a stand-in would be let in."""
    name = f"twin-{uuid4()}"
    admin.execute(
        sql.SQL("create role {} login password {} in role mooring_user").format(
            sql.Identifier(name), sql.Literal(passwords["mooring_service"])
        )
    )
    yield name
    admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for the password file and the service file, both missing."""
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def who(conninfo: str) -> tuple[str, str]:
    with psycopg.connect(conninfo) as conn:
        row = conn.execute("select session_user::text, current_database()::text").fetchone()
    assert row is not None
    return row


def login(user: str) -> str:
    with open_database(Settings()) as database:
        assert not database.embedded
        return database.login(user)


@pytest.fixture(params=["url", "variables", "section", "section of the environment", "passfile"])
def configured(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    files: Path,
    port: str,
    passwords: dict[str, str],
) -> None:
    password = passwords["mooring_service"]
    address = {"HOST": "127.0.0.1", "PORT": port, "DATABASE": "lakehouse", "USER": "mooring_service"}
    section = f"[main]\nhost=127.0.0.1\nport={port}\ndbname=lakehouse\nuser=mooring_service\npassword={password}\n"
    if request.param == "url":
        url = f"postgresql://mooring_service:{password}@127.0.0.1:{port}/lakehouse"
        monkeypatch.setenv("MOORING_DATABASE_URL", url)
    elif request.param == "variables":
        for name, value in (address | {"PASSWORD": password}).items():
            monkeypatch.setenv(f"PG{name}", value)
    elif request.param == "passfile":
        write(files / "pgpass", f"127.0.0.1:{port}:lakehouse:mooring_service:{password}\n")
        monkeypatch.setenv("MOORING_DATABASE_URL", f"postgresql://mooring_service@127.0.0.1:{port}/lakehouse")
    else:
        write(files / "services", section)
        variable = "MOORING_DATABASE_URL" if request.param == "section" else "PGSERVICE"
        monkeypatch.setenv(variable, "service=main" if request.param == "section" else "main")


@pytest.mark.usefixtures("configured")
def test_the_runtime_role_logs_in_and_a_person_without_a_password_does_not(twin: str) -> None:
    with open_database(Settings()) as database:
        assert who(database.runtime) == ("mooring_service", "lakehouse")

    for person in (twin, "alice"):
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            who(login(person))


@pytest.mark.usefixtures("configured")
def test_a_person_logs_in_by_the_password_file(files: Path, port: str, passwords: dict[str, str]) -> None:
    with (files / "pgpass").open("a") as file:
        file.write(f"127.0.0.1:{port}:lakehouse:alice:{passwords['alice']}\n")
    (files / "pgpass").chmod(0o600)

    assert who(login("alice")) == ("alice", "lakehouse")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        who(login("bob"))


@pytest.mark.usefixtures("configured")
def test_a_person_logs_in_by_a_service_of_their_own(files: Path, port: str, passwords: dict[str, str]) -> None:
    with (files / "services").open("a") as file:
        file.write(f"[hers]\nhost=127.0.0.1\nport={port}\nuser=alice\npassword={passwords['alice']}\n")
        file.write(f"[elsewhere]\nhost=127.0.0.2\nport={port}\nuser=bob\npassword={passwords['bob']}\n")

    assert who(login("alice")) == ("alice", "lakehouse")
    # bob's is for another server, and never sent to this one
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        who(login("bob"))


@pytest.mark.usefixtures("configured")
def test_a_wrong_password_of_a_person_is_not_made_good(
    twin: str, files: Path, port: str, passwords: dict[str, str]
) -> None:
    with (files / "pgpass").open("a") as file:
        file.write(f"127.0.0.1:{port}:lakehouse:{twin}:wrong\n")
    (files / "pgpass").chmod(0o600)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        who(login(twin))


@pytest.mark.usefixtures("configured")
def test_a_person_s_url_holds_no_password_of_the_service(passwords: dict[str, str]) -> None:
    url = connection_url(Settings(), "alice", None)

    assert "alice@127.0.0.1" in url
    assert passwords["mooring_service"] not in url


def test_a_service_that_nobody_defined_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_DATABASE_URL", "service=main")

    with pytest.raises(external.LoginError, match=r"service main .*PGSERVICEFILE"):
        login("alice")


def test_a_damaged_service_file_is_named(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    monkeypatch.setenv("MOORING_DATABASE_URL", "host=127.0.0.1")

    for content in (b"password=geheim\n", b"[a]\ngeheim\n", b"[a]\nuser=\xff\n"):
        (files / "services").write_bytes(content)
        with pytest.raises(external.LoginError) as caught:
            login("alice")
        assert "geheim" not in str(caught.value)


@pytest.fixture
def another(admin: psycopg.Connection, lakehouse: Database) -> Iterator[str]:
    """An empty database, the migrator's, where nothing was set up."""
    name = f"another-{uuid4()}"
    admin.execute(sql.SQL("create database {} owner mooring_migrator").format(sql.Identifier(name)))
    yield name
    admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.mark.parametrize("how", ["url", "variables", "section"])
def test_the_migrator_sets_another_database_up_for_the_runtime_role(
    another: str, how: str, monkeypatch: pytest.MonkeyPatch, files: Path, port: str, passwords: dict[str, str]
) -> None:
    service, migrator = passwords["mooring_service"], passwords["mooring_migrator"]
    admin_url = f"postgresql://mooring_migrator:{migrator}@127.0.0.1:{port}/{another}"
    monkeypatch.setenv("MOORING_ADMIN_URL", admin_url)
    if how == "url":
        url = f"postgresql://mooring_service:{service}@127.0.0.1:{port}/{another}"
        monkeypatch.setenv("MOORING_DATABASE_URL", url)
    elif how == "variables":
        values = {
            "HOST": "127.0.0.1",
            "PORT": port,
            "DATABASE": another,
            "USER": "mooring_service",
            "PASSWORD": service,
        }
        for name, value in values.items():
            monkeypatch.setenv(f"PG{name}", value)
    else:
        user = f"user=mooring_service\npassword={service}\n"
        write(files / "services", f"[main]\nhost=127.0.0.1\nport={port}\ndbname={another}\n{user}")
        monkeypatch.setenv("MOORING_DATABASE_URL", "service=main")

    applied = migrate_database(Settings(), login_role=None)

    assert applied
    assert migrate_database(Settings(), login_role=None) == []
    with (
        open_database(Settings()) as database,
        GovernedPostgresSaver.from_conn_string(database.runtime, principal=Principal("anna")) as saver,
    ):
        assert saver.sessions() == []


def test_a_migrator_without_a_runtime_role_is_not_sent_to_the_embedded_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_ADMIN_URL", "postgresql://migrator@db.example.com/main")

    with pytest.raises(MooringError, match=r"MOORING_ADMIN_URL.*set MOORING_DATABASE_URL"):
        migrate_database(Settings(), login_role=None)
