"""The agent as an MLflow model: logged by a command, loaded and served where the repository is not."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import requests
from packaging.requirements import Requirement

from agent.packaging import auth_policy_of, pins
from agent.settings import Settings
from tests.serving.elsewhere import MOORING, QUIET, Elsewhere, deployed, logged_model, post

if TYPE_CHECKING:
    from agent.database import Database

LOCK = Path(__file__).parents[2] / "requirements" / "databricks.lock"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    return logged_model(tmp_path_factory.mktemp("elsewhere"))


def asked(text: str, session: str) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": text}], "custom_inputs": {"thread_id": session}}


def said(response: dict[str, Any]) -> str:
    return "".join(part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"])


def test_a_loaded_model_goes_on_with_a_session_in_a_new_process(lakehouse: Database, elsewhere: Elsewhere) -> None:
    session = uuid4().hex
    first = elsewhere.ask(asked("how many franchises are there?", session), MOORING_USER="alice")
    assert said(first) == "The number of franchises is 48.", first
    assert first["custom_outputs"]["thread_id"] == session
    assert first["custom_outputs"]["sources"] == ["lakehouse.bakehouse.franchises"]
    assert "country" in said(elsewhere.ask(asked("and by country?", session), MOORING_USER="alice"))


def test_mlflow_serves_it_and_a_session_outlives_the_server(lakehouse: Database, elsewhere: Elsewhere) -> None:
    session = uuid4().hex
    with elsewhere.served(MOORING_USER="alice") as url:
        status, first = post(f"{url}/invocations", asked("how many franchises are there?", session))
        assert (status, said(first)) == (200, "The number of franchises is 48.")
    with elsewhere.served(MOORING_USER="alice") as url:
        status, second = post(f"{url}/invocations", asked("and by country?", session))
        assert (status, "country" in said(second)) == (200, True)
        # And as MLflow's own client asks.
        third = deployed(url, asked("how many franchises are there?", session))
        assert (said(third), third["custom_outputs"]["thread_id"]) == ("The number of franchises is 48.", session)
        with pytest.raises(requests.HTTPError, match="400"):
            deployed(url, {"messages": [{"role": "user", "content": "hello"}]})


def test_nobody_is_answered_where_nobody_is_proven(lakehouse: Database, elsewhere: Elsewhere) -> None:
    request = asked("which tables can I read?", uuid4().hex)
    request["custom_inputs"] |= {"user": "alice", "user_id": "alice"}
    request["context"] = {"user_id": "alice", "conversation_id": "c"}
    program = (
        "import json, sys, mlflow\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "try: model.predict(json.loads(sys.argv[2]))\n"
        "except Exception as error: print(error)"
    )
    told = elsewhere.run("-c", program, elsewhere.model, json.dumps(request))
    assert told.splitlines()[-1] == (
        "unauthenticated: It is not said who is asking: set MOORING_USER, or MOORING_PROFILE"
    )


def test_logging_needs_no_database_and_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {
        "MOORING_HOME": str(home),
        "MOORING_DATABASE_URL": "postgresql://service:canary-password@localhost:1/none",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    command = [MOORING, "log-model", "--register", "bot", "--alias", "prod", "-o", "json"]
    done = subprocess.run(
        command, env=os.environ | QUIET | environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert (printed["registered"], printed["version"], printed["alias"]) == ("bot", "1", "prod")
    assert not home.exists()
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"agent", "checkpointer", "tools"} <= {path.parent.name for path in stored}
    assert not [path for path in stored if path.suffix == ".pyc" or b"canary-password" in path.read_bytes()]
    [requirements] = [path for path in stored if path.name == "requirements.txt"]
    wanted = [str(Requirement(pin)) for pin in pins(LOCK.read_text())]
    assert [str(Requirement(line)) for line in requirements.read_text().splitlines()] == wanted


def test_requirements_are_all_pins_of_the_lock() -> None:
    found = pins(LOCK.read_text())
    assert len(found) == sum(not line.startswith(" ") for line in LOCK.read_text().splitlines())
    assert all("==" in pin and "--hash" not in pin and "://" not in pin for pin in found)
    assert {"mlflow", "langgraph", "psycopg"} <= {pin.partition("==")[0].partition("[")[0] for pin in found}


@pytest.mark.parametrize(
    ("given", "scopes", "resources"),
    [
        ({}, [], 0),
        ({"DATABRICKS_WAREHOUSE_ID": "w"}, ["sql", "unity-catalog"], 0),
        (
            {"DATABRICKS_WAREHOUSE_ID": "w", "MOORING_MODEL": "databricks:chat"},
            ["sql", "unity-catalog", "model-serving"],
            0,
        ),
        ({"DATABRICKS_WAREHOUSE_ID": "w", "MOORING_FUNCTIONS": "a.b.c, a.b.d"}, ["sql", "unity-catalog"], 0),
        ({"MOORING_VECTOR_INDEXES": "a.b.c"}, ["unity-catalog", "vectorsearch.vector-search-indexes"], 0),
        ({"MOORING_GENIE_SPACES": "01ef"}, ["dashboards.genie", "sql", "unity-catalog"], 0),
        ({"MOORING_MCP_SERVERS": "external/github"}, ["catalog.connections", "mcp.external"], 0),
        ({"LAKEBASE_INSTANCE_NAME": "lake"}, [], 1),
        ({"LAKEBASE_INSTANCE_NAME": "lake", "MOORING_LAKEBASE_IDENTITY": "login"}, ["postgres"], 0),
    ],
)
def test_it_asks_for_what_the_configuration_uses(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], scopes: list[str], resources: int
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    policy = auth_policy_of(Settings())
    assert policy.user_auth_policy is not None
    assert policy.system_auth_policy is not None
    assert policy.user_auth_policy.api_scopes == scopes
    assert len(policy.system_auth_policy.resources) == resources


def test_an_alias_without_a_registered_model_is_refused() -> None:
    done = subprocess.run([MOORING, "log-model", "--alias", "prod"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "mooring: An alias is of a registered model: pass --register as well\n",
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--register", "a/b:c"), "'a/b:c' is not the name of a registered model"),
        (("--register", " "), "' ' is not the name of a registered model"),
        (("--register", "bot", "--alias", "two words"), "'two words' is not an alias"),
        (("--register", "bot", "--alias", "Latest"), "'Latest' is not an alias"),
        (("--register", "bot", "--alias", "v1"), "'v1' is not an alias"),
    ],
)
def test_a_name_that_no_registry_takes_is_refused_before_anything_is_logged(
    tmp_path: Path, given: tuple[str, ...], told: str
) -> None:
    environment = os.environ | QUIET | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    done = subprocess.run(
        [MOORING, "log-model", *given], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"mooring: {told}: ")
    assert not list(tmp_path.iterdir())


def test_a_registry_that_refuses_is_told_from_what_was_logged(tmp_path: Path) -> None:
    command = [MOORING, "log-model", "--register", "bot", "--alias", "prod"]
    environment = os.environ | QUIET | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    first = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stderr) == (0, "")
    for table, told in (
        ("registered_model_aliases", "mooring: Version 2 of bot is registered, and prod not moved to it ("),
        ("model_versions", "mooring: The model could not be logged and registered as bot ("),
    ):
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
            for doing in ("insert", "update"):
                database.execute(
                    f"create trigger {table}_{doing} before {doing} on {table} begin select raise(abort, 'no'); end"
                )
            database.commit()
        refused = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(told), refused.stderr
        assert len(refused.stderr.splitlines()) == 1
