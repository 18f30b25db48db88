"""A Postgres of somebody else's, from an empty database to two people's sessions, by the commands that a person types.

Debian's release is an older one than the wheel's, and is used as well where it is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from checkpointer import GovernedPostgresSaver, Principal, acting_as
from tests.integration.foreign import DATABASE, DEBIANS, Foreign, foreign_server

if TYPE_CHECKING:
    from collections.abc import Iterator

MOORING = str(Path(sys.executable).with_name("mooring"))
DEBIAN = (DEBIANS / "bin" / "postgres").exists()


@pytest.fixture(scope="module", params=["urls", "variables"])
def how(request: pytest.FixtureRequest) -> str:
    """How the runtime role is configured."""
    return str(request.param)


@pytest.fixture(scope="module")
def foreign(how: str) -> Iterator[Foreign]:
    with foreign_server(18 if how == "urls" or not DEBIAN else 15) as running:
        yield running


@pytest.fixture
def people(foreign: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """anna's password is in a password file, ben's in a service file."""
    passwords, services = tmp_path / "pgpass", tmp_path / "services"
    passwords.write_text(f"127.0.0.1:{foreign.port}:*:anna:{foreign.password}\n")
    passwords.chmod(0o600)
    services.write_text(f"[bens]\nport={foreign.port}\nuser=ben\npassword={foreign.password}\n")
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    monkeypatch.setenv("PGSERVICEFILE", str(services))


@pytest.fixture
def configured(how: str, people: None, foreign: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime role by URL or by PG* variables, and the migrator."""
    variables = {"PGHOST": "127.0.0.1", "PGPORT": str(foreign.port), "PGDATABASE": DATABASE}
    variables |= {"PGUSER": "service", "PGPASSWORD": foreign.password}
    urls = {"MOORING_DATABASE_URL": foreign.url("service")}
    for name, value in (urls if how == "urls" else variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MOORING_ADMIN_URL", foreign.url("migrator"))


def described(foreign: Foreign, database: str) -> list[str]:
    """The schema as pg_dump writes it, without the keys that each dump has of its own."""
    dump = [str(foreign.programs / "pg_dump"), "--schema=mooring", "--schema-only", foreign.url("migrator", database)]
    lines = subprocess.check_output(dump, text=True).splitlines()
    return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]


def mooring(*args: str) -> Any:
    """Run a command whose result is JSON."""
    done = CliRunner().invoke(app, [*args, "-o", "json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.usefixtures("configured")
def test_from_an_empty_database_to_two_people_s_sessions(foreign: Foreign) -> None:
    session = f"plans-{uuid4().hex[:8]}"
    with psycopg.connect(foreign.url("migrator"), autocommit=True) as conn:
        conn.execute("drop schema if exists mooring cascade")

    # An empty database says what to do.
    checks = CliRunner().invoke(app, ["doctor", "--as", "anna"])
    assert checks.exit_code == 1
    assert "mooring db migrate" in checks.output
    migrate = ["db", "migrate", "--login-role", "crew"]
    assert CliRunner().invoke(app, migrate).stdout.startswith("Applied 0001")
    assert CliRunner().invoke(app, migrate).stdout == "Everything is up to date.\n"
    checked = mooring("doctor", "--as", "anna")
    assert [check["name"] for check in checked if not check["ok"]] == []
    assert next(check["detail"] for check in checked if check["name"] == "tables").startswith("2 ")

    # anna's password is in the password file.
    listed = mooring("ask", "which tables can I read?", "--as", "anna", "--session", session)
    assert all(table in listed["answer"] for table in ("quay.anchors", "quay.ropes"))
    asked = ["ask", "how many anchors are there?", "--as", "anna", "--session", session, "-o", "json"]
    counted = json.loads(subprocess.check_output([MOORING, *asked]))
    assert "7" in counted["answer"]
    assert counted["sources"] == [f"{DATABASE}.quay.anchors"]
    assert [found["session"] for found in mooring("sessions", "list", "--as", "anna")] == [session]

    # ben's is in the service file. He sees nothing of hers by command,
    assert mooring("sessions", "list", "--as", "ben") == []
    for command in ("show", "export", "delete"):
        assert CliRunner().invoke(app, ["sessions", command, session, "--as", "ben"]).exit_code == 1
    listed = mooring("ask", "which tables can I read?", "--as", "ben", "--session", session)
    assert "quay.ropes" in listed["answer"]
    assert "quay.anchors" not in listed["answer"]
    # nor by the saver,
    checkpoints = {}
    with GovernedPostgresSaver.from_conn_string(os.environ.get("MOORING_DATABASE_URL", "")) as saver:
        for person, questions in (("anna", 2), ("ben", 1)):
            with acting_as(Principal(person)):
                assert [found.thread_id for found in saver.sessions()] == [session]
                state = saver.get_tuple({"configurable": {"thread_id": session}})
                checkpoints[person] = saver.sessions()[0].checkpoints
            assert state is not None
            assert [m.type for m in state.checkpoint["channel_values"]["messages"]].count("human") == questions
    # nor with SQL of his own.
    for person, count in checkpoints.items():
        with psycopg.connect(foreign.url(person), autocommit=True) as conn:
            assert conn.execute("select owner, thread_id from mooring.threads").fetchall() == [(person, session)]
            assert conn.execute("select distinct owner from mooring.items").fetchall() == [(person,)]
            assert conn.execute("select count(*) from mooring.checkpoints").fetchall() == [(count,)]
            exported = mooring("sessions", "export", session, "--as", person)["messages"]
            messages = conn.execute("select role, content, sources from mooring.messages order by position").fetchall()
            assert messages == [(m["role"], m["content"], m["sources"]) for m in exported]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute("delete from mooring.threads")


@pytest.mark.usefixtures("people")
def test_a_database_that_cannot_hold_every_text_is_refused(foreign: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ascii_{uuid4().hex[:8]}"
    foreign.make_database(name, encoding="SQL_ASCII")
    monkeypatch.setenv("MOORING_DATABASE_URL", foreign.url("service", name))

    checks = CliRunner().invoke(app, ["doctor", "--as", "anna"])

    assert checks.exit_code == 1
    assert f"'{name}' is encoded as SQL_ASCII" in checks.output


@pytest.mark.usefixtures("configured")
def test_an_administrator_may_run_the_printed_sql_by_hand(foreign: Foreign) -> None:
    names = [f"db_{uuid4().hex[:8]}" for _ in range(2)]
    for name in names:
        foreign.make_database(name)
    roles = {"runtime_role": "service", "login_role": "crew"}
    GovernedPostgresSaver.migrate(foreign.url("migrator", names[0]), **roles)
    printed = CliRunner().invoke(app, ["db", "migrate", "--print", "--login-role", "crew"]).stdout
    psql = [str(foreign.programs / "psql"), "-v", "ON_ERROR_STOP=1", "-qXf", "-", foreign.url("migrator", names[1])]
    subprocess.run(psql, input=printed, text=True, check=True)

    dumps = [described(foreign, name) for name in names]
    assert "row level security" in "".join(dumps[0]).lower()
    assert dumps[0] == dumps[1]
    for name in names:
        with GovernedPostgresSaver.from_conn_string(foreign.url("service", name), principal=Principal("anna")) as saver:
            assert saver.sessions() == []
