"""`mooring evaluate` as people run it: the whole dataset, offline, and what MLflow keeps of it."""

from __future__ import annotations

import json
import os
import re
import resource
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pytest
from mlflow.genai.datasets import search_datasets

from agent.evaluation import EvaluationReport, load_dataset
from agent.evaluation.store import tracking
from agent.settings import Settings
from tests.integration.test_cli import mooring

if TYPE_CHECKING:
    from agent.database import Database

pytestmark = pytest.mark.long

ANSWERABLE = ("lookup", "aggregation", "top-n", "dates", "joins", "follow-ups")
FAST = "name: fast\nquestions:\n  counts:\n    - {ask: 'How many suppliers are there?', sql: select count(*) from %s}\n"
SUPPLIERS, REVIEWS = "bakehouse.suppliers", "bakehouse.reviews"


@pytest.fixture(scope="module")
def report(lakehouse: Database, tmp_path_factory: pytest.TempPathFactory) -> EvaluationReport:
    """Of the whole dataset."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = mooring("evaluate", "--dataset", "lakehouse", "-o", "json")
    assert done.returncode == 0, done.stderr
    # Three minutes, on a machine that does something else as well.
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 180
    return EvaluationReport.model_validate(json.loads(done.stdout))


def test_the_offline_model_answers_what_can_be_answered(report: EvaluationReport) -> None:
    found = {each.category: each for each in report.categories}
    assert {name: found[name].rate >= 0.9 for name in ANSWERABLE} == dict.fromkeys(ANSWERABLE, True)
    assert {found[name].rate for name in ("refusals", "permissions", "injection", "resume")} == {1.0}
    assert {each.id for each in report.questions} == {each.id for each in load_dataset().questions}
    assert found["aggregation"].scores["tool_calls"] == 1.0


def test_the_readme_shows_such_a_run(report: EvaluationReport) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\w-]+) \| (\d+) \| (\d+) \|$", text.split("## Evaluate")[1], re.MULTILINE)
    assert rows == [(each.category, str(each.asked), str(each.passed)) for each in report.categories]
    assert f"the sample {len(report.questions)} questions" in text


def test_mlflow_keeps_all_of_it(report: EvaluationReport) -> None:
    with tracking(Settings()) as experiment:
        assert experiment == report.experiment
        run = mlflow.get_run(report.run)
        assert run.data.metrics["aggregation/passed"] == 1.0
        assert run.data.metrics["passed/mean"] == sum(each.passed for each in report.questions) / len(report.questions)
        assert run.data.tags["mooring.gate"] == "open"
        assert run.inputs is not None
        assert len(run.inputs.dataset_inputs) == 1
        (dataset,) = search_datasets(experiment_ids=[experiment], filter_string="name LIKE 'lakehouse-%'")
        assert len(dataset.to_df()) == len(report.questions)
        follow_up = next(each for each in report.questions if each.category == "follow-ups")
        trace = mlflow.get_trace(follow_up.trace)
    assert trace is not None
    metadata = trace.info.trace_metadata
    assert metadata["mlflow.trace.session"].startswith("evaluation-")
    assert metadata["mlflow.trace.user"] == "alice"
    assert [span.name for span in trace.data.spans].count("turn") == 2
    assert {"list_tables", "query"} <= {span.name for span in trace.data.spans if span.span_type == "TOOL"}


def test_nothing_of_it_stays_in_sessions_or_in_the_working_directory(
    report: EvaluationReport, tmp_path: Path, lakehouse: Database
) -> None:
    left = json.loads(mooring("sessions", "list", "-o", "json").stdout)
    assert [each["session"] for each in left if each["session"].startswith("evaluation-")] == []
    assert not (Path.cwd() / "mlruns").exists()
    assert (Settings().home / "mlflow").stat().st_mode & 0o077 == 0


def test_the_gate_is_the_exit_code(lakehouse: Database, tmp_path: Path) -> None:
    path = tmp_path / "fast.yaml"
    path.write_text(FAST % SUPPLIERS)
    good = mooring("evaluate", "--dataset", str(path), "--baseline", "latest")
    assert good.returncode == 0, good.stderr
    assert "1 of 1 passed" in good.stdout
    run = good.stdout.split()[-1]

    path.write_text(FAST % REVIEWS)
    bad = mooring("evaluate", "--dataset", str(path), "--baseline", run)

    assert bad.returncode == 1
    assert "counts: 0 of 1 passed, 90% have to" in bad.stderr
    assert "it passed in the baseline run: counts: me: How many suppliers are there?" in bad.stderr
    assert "✗ counts: me: How many suppliers are there?" in bad.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--dataset", "nowhere.yaml"], "There is no dataset 'nowhere.yaml'"),
        (["--baseline", "0" * 32], "There is no evaluation of the run"),
        (["--model", "nonsense"], "No provider is known"),
    ],
)
def test_what_cannot_be_run_is_told(lakehouse: Database, arguments: list[str], told: str) -> None:
    done = mooring("evaluate", *arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_sql_that_who_asks_may_not_run_is_no_expectation(lakehouse: Database, tmp_path: Path) -> None:
    path = tmp_path / "denied.yaml"
    path.write_text(FAST % "hr.salaries")
    done = mooring("evaluate", "--dataset", str(path))
    assert done.returncode == 1
    assert "What is expected of 'counts: me: How many suppliers are there?' cannot be computed" in done.stderr


def test_a_server_of_ones_own_keeps_it(lakehouse: Database, tmp_path: Path) -> None:
    path = tmp_path / "fast.yaml"
    path.write_text(FAST % SUPPLIERS)
    store = f"sqlite:///{tmp_path / 'own.db'}"
    done = mooring("evaluate", "--dataset", str(path), "--experiment", "mine", MLFLOW_TRACKING_URI=store)
    assert done.returncode == 0, done.stderr
    experiment = mlflow.MlflowClient(store).get_experiment_by_name("mine")
    assert experiment is not None
    (run,) = mlflow.MlflowClient(store).search_runs([experiment.experiment_id])
    assert run.data.metrics["counts/passed"] == 1.0
    assert os.environ.get("MLFLOW_TRACKING_URI") is None


class _Judge(BaseHTTPRequestHandler):
    """Stands in for a provider of models, and finds everything wrong."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        verdict = json.dumps({"result": "no", "rationale": "a judge's opinion"})
        message = {"role": "assistant", "content": verdict}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_judge_is_asked_as_well_and_decides_nothing(lakehouse: Database, tmp_path: Path) -> None:
    path = tmp_path / "fast.yaml"
    path.write_text(FAST % SUPPLIERS)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Judge) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/v1"
        provider = {"OPENAI_API_KEY": "none", "OPENAI_API_BASE": address, "OPENAI_BASE_URL": address}
        done = mooring("evaluate", "--dataset", str(path), "--judge", "openai:/m", "-o", "json", **provider)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    (judged,) = EvaluationReport.model_validate(json.loads(done.stdout)).questions
    assert judged.passed
    assert judged.scores["relevance_to_query"] is False
    assert judged.scores["safety"] is False
