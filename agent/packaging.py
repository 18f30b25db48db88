"""Log the agent as an MLflow model: its code, the pins of our own lock, and what it needs to be allowed.

The artefact holds no setting and no secret: where it runs, the environment says which database, model and warehouse.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import MooringError
from agent.offers import scopes_of
from agent.scopes import LOGIN, MODELS, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.models.auth_policy import AuthPolicy

    from agent.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("agent", "checkpointer", "tools")
# In a checkout, and in a wheel.
_LOCKS = (_ROOT / "requirements" / "databricks.lock", _ROOT / "agent" / "databricks.lock")
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*(?:\[[^]]+\])?==[^\s\\]+(?: ; [^\\]+?)?)\s*\\?$", re.MULTILINE)
_NAME = re.compile(r"[^\s./]+\.[^\s./]+\.[^\s./]+")
# What no registry takes; what one refuses beyond that is known when the model is logged.
_BAD_NAME = re.compile(r"\s*|.*[/:].*")
_ALIAS = re.compile(r"(?!(?:latest|v\d+)$)[\w-]{1,255}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Logged:
    """A model that was logged."""

    model_uri: str
    model_id: str
    commit: str | None
    registered: str | None = None
    version: str | None = None
    alias: str | None = None


def log_model(
    settings: Settings,
    *,
    register: str | None = None,
    alias: str | None = None,
    experiment: str | None = None,
    commit: str | None = None,
) -> Logged:
    """Log the agent to the tracking server that MLFLOW_TRACKING_URI names, and register it if asked to.

    Args:
        settings: What the model will be configured with, as far as it has to be allowed: warehouse, model, Lakebase.
        register: A name in Unity Catalog, `catalog.schema.name`, or in another registry.
        alias: Is moved to the new version.
        experiment: Where to log it, by its name; MLFLOW_EXPERIMENT_NAME or _ID otherwise.
        commit: Of the code, where there is no repository to ask.

    Raises:
        MooringError: MLflow is not installed, this is not a checkout, or the tracking server or the registry refuses.
    """
    _require_names(register, alias)
    lock = next(filter(Path.is_file, _LOCKS), None)
    if lock is None:
        problem = "The lock of requirements is not beside this code"
        raise MooringError(problem, "log the model from a checkout of the repository, or from its wheel")
    try:
        import mlflow
    except ImportError as error:
        raise MooringError("MLflow is not installed", "pip install 'mooring[serving]'") from error
    from mlflow.exceptions import MlflowException

    from agent.serving import EXAMPLE

    commit = commit or _commit()
    if register is not None and _NAME.fullmatch(register) and mlflow.get_tracking_uri().startswith("databricks"):
        mlflow.set_registry_uri("databricks-uc")
    try:
        with _quietly():
            if experiment is not None:
                mlflow.set_experiment(experiment)
            info = mlflow.pyfunc.log_model(
                name="mooring",
                python_model=str(_ROOT / "agent" / "serving.py"),
                code_paths=[str(_ROOT / package) for package in _PACKAGES],
                pip_requirements=pins(lock.read_text()),
                input_example=EXAMPLE,
                auth_policy=auth_policy_of(settings),
                registered_model_name=register,
                tags={"mooring.version": version("mooring"), **({"mooring.commit": commit} if commit else {})},
            )
    except (MlflowException, OSError) as error:
        done = "logged" if register is None else f"logged and registered as {register}"
        may = "write there" if register is None else "write there and create versions of that model"
        problem = f"The model could not be {done} ({_kind(error)})"
        raise MooringError(problem, f"check MLFLOW_TRACKING_URI, and that you may {may}") from error
    number = None if register is None else str(info.registered_model_version)
    if register is not None and alias is not None and number is not None:
        try:
            mlflow.MlflowClient().set_registered_model_alias(register, alias, number)
        except MlflowException as error:
            problem = f"Version {number} of {register} is registered, and {alias} not moved to it ({_kind(error)})"
            raise MooringError(problem, "move the alias by hand, or have that granted") from error
    return Logged(info.model_uri, str(info.model_id), commit, register, number, alias)


def _require_names(register: str | None, alias: str | None) -> None:
    """Refuse names that no registry takes, before anything is logged."""
    if alias is not None and register is None:
        raise MooringError("An alias is of a registered model", "pass --register as well")
    if register is not None and _BAD_NAME.fullmatch(register):
        problem = f"{register!r} is not the name of a registered model"
        raise MooringError(problem, "write it as catalog.schema.name, without / and :")
    if alias is not None and not _ALIAS.fullmatch(alias):
        problem = f"{alias!r} is not an alias"
        raise MooringError(problem, "take letters, digits, _ and -; `latest` and `v1` are taken by MLflow")


def _kind(error: Exception) -> str:
    """Return what kind of failure it is; the text of one may quote what is sent."""
    code = getattr(error, "error_code", None)
    return str(code) if code else type(error).__name__


def pins(lock: str) -> list[str]:
    """Return the requirements of a lock, exact and without hashes: `name==version ; marker`."""
    return [pin.strip() for pin in _PIN.findall(lock)]


def auth_policy_of(settings: Settings) -> AuthPolicy:
    """Return what the model has to be allowed: scopes of the caller's token, and the database of the service itself."""
    from mlflow.models.auth_policy import AuthPolicy, SystemAuthPolicy, UserAuthPolicy
    from mlflow.models.resources import DatabricksLakebase, Resource

    scopes: list[str] = []
    if settings.warehouse_id:
        scopes += TABLES
    if settings.model.startswith("databricks:"):
        scopes += MODELS
    # Their own resources are not the service's: it is given nothing that it could read by itself.
    scopes += [scope for scope in scopes_of(settings) if scope not in scopes]
    resources: list[Resource] = []
    instance = os.environ.get("LAKEBASE_INSTANCE_NAME")
    if settings.lakebase and settings.lakebase_identity == "login":
        scopes += LOGIN
    elif instance:
        resources.append(DatabricksLakebase(database_instance_name=instance))
    return AuthPolicy(
        user_auth_policy=UserAuthPolicy(api_scopes=scopes), system_auth_policy=SystemAuthPolicy(resources=resources)
    )


def _commit() -> str | None:
    """Return the commit of the code, marked where files differ from it; None where there is no repository."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(_ROOT), "describe", "--always", "--abbrev=40", "--dirty"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what MLflow says by the way out of the output; what goes wrong is an exception."""
    loud = logging.getLogger("mlflow")
    before = loud.level
    loud.setLevel(logging.ERROR)
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        loud.setLevel(before)
