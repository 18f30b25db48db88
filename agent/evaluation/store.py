"""Where evaluations are kept: on the server that MLFLOW_TRACKING_URI names, else in a file of MOORING_HOME."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from agent.errors import MooringError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.evaluation.dataset import Dataset
    from agent.settings import Settings

EXPERIMENT = "mooring-evaluation"
REPORT = "report.json"
"""The artefact of a run that holds the whole report."""

QUESTION = "question"
"""The tag that names a record's question."""

_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_GENAI_EVAL_SKIP_TRACE_VALIDATION": "true",
    # So many questions at once: latencies are of turns that have a core of their own on a small machine.
    "MLFLOW_GENAI_EVAL_MAX_WORKERS": "2",
    "GIT_PYTHON_REFRESH": "quiet",
}
_ACTIVE = "MLFLOW_EXPERIMENT_ID"
_CHOSEN = ("MLFLOW_TRACKING_URI", "DATABRICKS_RUNTIME_VERSION")


def keep(dataset: Dataset, records: list[dict[str, Any]], experiment: str) -> Any:
    """Keep questions as a dataset of MLflow's, and return it; in a workspace, which has them as tables, the records.

    Args:
        dataset: Where they are from.
        records: Inputs, expectations and tags of each.
        experiment: The id of the experiment that it belongs to.
    """
    import mlflow
    from mlflow.genai.datasets import create_dataset, search_datasets

    if mlflow.get_tracking_uri().startswith("databricks"):
        return records
    # Its records are all asked, so that other questions are another dataset.
    ids = "".join(record["tags"][QUESTION] for record in records)
    name = f"{dataset.name}-{hashlib.sha256((dataset.digest + ids).encode()).hexdigest()[:12]}"
    found = search_datasets(experiment_ids=[experiment], filter_string=f"name = '{name}'", max_results=1)
    kept = found[0] if found else create_dataset(name=name, experiment_id=experiment, tags={"questions": dataset.name})
    return kept.merge_records(records)


@contextmanager
def tracking(settings: Settings, experiment: str | None = None) -> Iterator[str]:
    """Have MLflow keep what happens inside, and yield the id of the experiment.

    What MLflow logs by the way is left out; its progress bar is shown where stderr is a terminal. Afterwards whoever
    logs does so where they did before.

    Raises:
        MooringError: MLflow is not installed, or its server refuses.
    """
    if find_spec("mlflow") is None:
        raise MooringError("MLflow is not installed", "pip install 'mooring[serving]'")
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")
    with warnings.catch_warnings():
        # MLflow's progress bar has a nicer one in notebooks, if a package is there.
        warnings.filterwarnings("ignore", message="IProgress not found")
        yield from _tracked(settings, experiment)


def _tracked(settings: Settings, experiment: str | None) -> Iterator[str]:
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import fluent

    loud = logging.getLogger("mlflow")
    level = loud.level
    loud.setLevel(logging.ERROR)
    artifacts = None
    # MLflow has no word for "none again", and whoever logs next would log into this experiment.
    active, variable = fluent._active_experiment_id, os.environ.get(_ACTIVE)
    try:
        if not any(map(os.environ.get, _CHOSEN)):
            folder = settings.home.absolute() / "mlflow"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
            artifacts = (folder / "artifacts").as_uri()
        yield _experiment(experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT, artifacts)
    except MlflowException as error:
        problem = f"MLflow does not keep the evaluation ({type(error).__name__})"
        raise MooringError(problem, "check MLFLOW_TRACKING_URI, and that you may write there") from error
    finally:
        loud.setLevel(level)
        fluent._active_experiment_id = active
        os.environ.pop(_ACTIVE, None)
        if variable is not None:
            os.environ[_ACTIVE] = variable
        if artifacts is not None:
            mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # "not set"


def _experiment(name: str, artifacts: str | None) -> str:
    import mlflow

    if mlflow.get_experiment_by_name(name) is None:
        mlflow.create_experiment(name, artifact_location=artifacts)
    return str(mlflow.set_experiment(name).experiment_id)
