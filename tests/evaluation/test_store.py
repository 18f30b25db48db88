"""Where evaluations are kept, and that MLflow is left as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlflow

from agent.evaluation.store import tracking
from agent.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from agent.database import Database


def test_whoever_logs_afterwards_does_so_where_they_did_before(
    lakehouse: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    before = mlflow.get_tracking_uri()
    assert str(tmp_path) in before

    with tracking(Settings(), "kept") as experiment, mlflow.start_run() as run:
        assert run.info.experiment_id == experiment
        assert str(Settings().home) in mlflow.get_tracking_uri()

    assert mlflow.get_tracking_uri() == before
    with mlflow.start_run() as run:
        assert run.info.experiment_id == "0"
