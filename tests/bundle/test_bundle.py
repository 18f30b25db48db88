"""`databricks.yml` holds, and what is wrong in one is found."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.checks import load, problems

Bundle = dict[str, Any]


def test_the_bundle_holds() -> None:
    assert problems(load()) == []


def test_the_job_that_logs_the_model_prints_its_version(tmp_path: Path) -> None:
    task = load()["resources"]["jobs"]["log_model"]["tasks"][0]["python_wheel_task"]
    given = [re.sub(r"\$\{[^}]+\}", "bot", each) for each in task["parameters"]]
    done = subprocess.run(
        [sys.executable, "-m", "agent", *given],
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout.splitlines()[-1])
    assert (printed["registered"], printed["version"], printed["alias"]) == ("bot.bot.bot", "1", "bot")


def breaking(bundle: Bundle, *path: Any, value: Any) -> None:
    part: Any = bundle
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value


def at(*path: Any, value: Any) -> Callable[[Bundle], None]:
    return lambda bundle: breaking(bundle, *path, value=value)


def all_of(*broken: Callable[[Bundle], None]) -> Callable[[Bundle], None]:
    def each(bundle: Bundle) -> None:
        for breaks in broken:
            breaks(bundle)

    return each


APP = ("resources", "apps", "mooring")
ENTITY = ("resources", "model_serving_endpoints", "mooring", "config", "served_entities", 0)
ENVIRONMENT = ("resources", "jobs", "log_model", "environments", 0, "spec")
TASK = ("resources", "jobs", "log_model", "tasks", 0, "python_wheel_task")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (at(*ENTITY, "entity_version", value="${var.version}"), "${var.version} names nothing"),
        (at(*ENTITY, "entity_name", value="${resources.registered_models.bot.name}"), "names nothing"),
        (at("variables", "colour", value={"default": "red"}), "variables.colour is not used"),
        (at(*ENTITY, "environment_vars", value={"MOORING_MODLE": "x"}), "nothing reads MOORING_MODLE"),
        (at(*APP, "config", "command", value=["python", "-m", "agent", "serv"]), "no command mooring serv"),
        (at(*APP, "config", "env", 0, value={"name": "MOORING_MODEL", "value_from": "moon"}), "that it has not"),
        (
            all_of(
                at(*APP, "config", "env", 0, value={"name": "MOORING_FUNCTIONS", "value": "a.b.c"}),
                at(*APP, "user_api_scopes", value=["sql"]),
            ),
            "MOORING_FUNCTIONS needs the scope catalog.tables:read",
        ),
        (
            at(*APP, "user_api_scopes", value=["sql", "model-serving"]),
            "DATABRICKS_WAREHOUSE_ID needs the scope catalog.tables:read",
        ),
        (
            at(*APP, "user_api_scopes", value=["sql", "catalog.tables:read"]),
            "MOORING_MODEL needs the scope model-serving",
        ),
        (at(*APP, "user_api_scopes", value=["unity-catalog"]), "cannot be given the scope unity-catalog"),
        (at(*APP, "colour", value="red"), "colour"),
        (at(*TASK, "entry_point", value="moor"), "no such entry point"),
        (at(*TASK, "parameters", value=["log-model", "--registre", "x"]), "no option --registre"),
        (at(*ENVIRONMENT, "dependencies", value=["./dist/*.whl", "typer>=0.29"]), "sqlglot is not installed"),
        (at("resources", "postgres_roles", "app", "colour", value="red"), "there is no field colour"),
        (at(*ENTITY, "workload_sise", value="Small"), "workload_sise"),
    ],
)
def test_what_is_wrong_is_told(broken: Callable[[Bundle], None], told: str) -> None:
    bundle = copy.deepcopy(load())
    broken(bundle)
    assert any(told in problem for problem in problems(bundle))
