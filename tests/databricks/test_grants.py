"""`mooring lakebase grant` on a server that has Lakebase's extension: who may do what after it, and again after it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.checkpoint.base import empty_checkpoint
from typer.testing import CliRunner

from agent.cli.app import app
from agent.errors import MooringError
from checkpointer import GovernedPostgresSaver, NotBelievedError, Principal, acting_as
from tests.databricks.harbour import DORA, EMIL, OWNER, SERVICE, url
from tests.databricks.lakebase import ENDPOINT, Lakebase

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databricks.stand_in import StandIn
    from tests.integration.foreign import Foreign

NAMED: dict[str, Any] = {"endpoint": ENDPOINT, "identity": "login"}


def granted(server: Foreign, database: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    monkeypatch.setenv("MOORING_ADMIN_URL", url(server, OWNER, database))
    command = ["lakebase", "grant", "--service", SERVICE, "--user", DORA, "--user", EMIL, *options]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def config() -> Any:
    return {"configurable": {"thread_id": uuid4().hex, "checkpoint_ns": ""}}


def keeps_sessions(server: Foreign, database: str) -> None:
    """The service is believed about anybody, each login about themselves, and nobody sees another's."""
    where = config()
    with GovernedPostgresSaver.from_conn_string(url(server, DORA, database), principal=Principal(DORA)) as saver:
        saver.put(where, empty_checkpoint(), {}, {})
        assert saver.get_tuple(where) is not None
        with acting_as(Principal(EMIL)), pytest.raises(NotBelievedError):
            saver.get_tuple(where)
    with GovernedPostgresSaver.from_conn_string(url(server, EMIL, database), principal=Principal(EMIL)) as saver:
        assert saver.get_tuple(where) is None
    with GovernedPostgresSaver.from_conn_string(url(server, SERVICE, database)) as saver:
        with acting_as(Principal(DORA)):
            assert saver.get_tuple(where) is not None
        with acting_as(Principal(EMIL)):
            assert saver.get_tuple(where) is None


def test_granted_once_and_again(server: Foreign, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0001_initial.sql" in granted(server, database, monkeypatch)
    assert granted(server, database, monkeypatch) == "Granted. The schema was up to date.\n"
    keeps_sessions(server, database)


def test_the_printed_sql_does_the_same(server: Foreign, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = granted(server, database, monkeypatch, "--print")
    with psycopg.connect(url(server, OWNER, database)) as conn:
        assert conn.execute("select to_regnamespace('mooring')").fetchone() == (None,)
    psql = [str(server.programs / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", url(server, OWNER, database)]
    subprocess.run(psql, input=text, text=True, check=True, capture_output=True)
    keeps_sessions(server, database)


@pytest.mark.parametrize(
    ("role", "said"),
    [(DORA, "log in as an identity that may create roles"), (OWNER, "has no extension databricks_auth")],
)
def test_it_fails_loudly(server: Foreign, database: str, monkeypatch: pytest.MonkeyPatch, role: str, said: str) -> None:
    granted(server, database, monkeypatch)
    with psycopg.connect(server.url("administrator", database), autocommit=True) as conn:
        conn.execute("drop extension databricks_auth")
        path = conn.execute("show extension_control_path").fetchone()
        assert path is not None
        if role == OWNER:
            conn.execute(f"alter role \"{OWNER}\" set extension_control_path = '$system'".encode())
    try:
        monkeypatch.setenv("MOORING_ADMIN_URL", url(server, role, database))
        with pytest.raises(MooringError, match=said):
            CliRunner().invoke(app, ["lakebase", "grant", "--service", SERVICE], catch_exceptions=False)
    finally:
        with psycopg.connect(server.url("administrator", database), autocommit=True) as conn:
            conn.execute(f'alter role "{OWNER}" reset all'.encode())


def test_a_granted_login_uses_its_own_tokens(
    stand_in: StandIn, server: Foreign, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    granted(server, database, monkeypatch)
    where = config()

    def saver_of(user: str, port: int) -> GovernedPostgresSaver:
        client = stand_in.client(user)
        return GovernedPostgresSaver.from_lakebase(**NAMED, workspace_client=client, port=port, database=database)

    with Lakebase(stand_in.workspace, lambda user: url(server, user, database), tmp_path).running() as front:
        with saver_of(DORA, front.port) as saver:
            saver.put(where, empty_checkpoint(), {}, {})
            assert saver.get_tuple(where) is not None
            with acting_as(Principal(EMIL)), pytest.raises(NotBelievedError):
                saver.get_tuple(where)
        with saver_of(EMIL, front.port) as saver:
            assert saver.get_tuple(where) is None
        assert {(login.user, login.accepted) for login in front.logins} == {(DORA, True), (EMIL, True)}


def test_who_grants_logs_in_with_their_own_token(
    stand_in: StandIn, server: Foreign, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = f"[owner]\nhost = {stand_in.workspace.url}\ntoken = {stand_in.workspace.token(OWNER)}\n"
    (tmp_path / "databrickscfg").write_text(entry)
    with Lakebase(stand_in.workspace, lambda user: url(server, user, database), tmp_path).running() as front:
        monkeypatch.setenv("LAKEBASE_ENDPOINT", ENDPOINT)
        monkeypatch.setenv("PGPORT", str(front.port))
        command = ["lakebase", "grant", "--service", SERVICE, "--user", DORA, "--user", EMIL, "-p", "owner"]
        assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
        assert {login.user for login in front.logins} == {OWNER}
    keeps_sessions(server, database)
