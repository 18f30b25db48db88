"""Run an evaluation: ask every question of a dataset through `mlflow.genai.evaluate`, and sum up."""

from __future__ import annotations

import time
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from agent.callers import Callers
from agent.catalogs import catalog_of, unity_catalog_of
from agent.errors import MooringError
from agent.evaluation.bot import Bot
from agent.evaluation.expectations import expectations_of
from agent.evaluation.report import EvaluationReport, Judged, report_of
from agent.evaluation.store import QUESTION, REPORT, keep, tracking
from agent.host import open_host
from agent.identity import Caller
from agent.models import load_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.evaluation.dataset import Dataset, Question
    from agent.settings import Settings
    from tools import Catalog
    from tools.catalog import QueryResult

LATEST = "latest"
_DATASET = "mooring.dataset"
_GATE, _OPEN = "mooring.gate", "open"


def evaluate(
    settings: Settings,
    dataset: Dataset,
    *,
    model: str | None = None,
    baseline: str | None = None,
    judge: str | None = None,
    profile: str | None = None,
    experiment: str | None = None,
    bot: Callable[[Any, Callers, str, str | None], Bot] = Bot,
) -> EvaluationReport:
    """Ask, judge, and keep everything in MLflow: a run with metrics, a dataset, and a trace of every question.

    Args:
        settings: Where sessions and evaluations are kept, and the model that is configured.
        dataset: What is asked.
        model: Another chat model.
        baseline: The id of an earlier run to compare with, or `latest` for the latest one of this dataset that the gate
            let through, if any.
        judge: A model of MLflow's, as `openai:/gpt-4o`, that judges answers as well; what it says decides nothing.
        profile: A login to Databricks, which asks everything.
        experiment: The name of the experiment.
        bot: Makes what is evaluated.

    Raises:
        MooringError: It could not be run; what it finds is in the report.
    """
    started = time.monotonic()
    # Where a workspace proves who asks, they connect to Lakebase as themselves.
    settings = settings.model_copy(update={"lakebase_identity": "login"})
    name = settings.model if model is None else model
    if profile is None:
        load_model(name)  # refused before anything is started; one of a workspace is called as whom it proves
    with ExitStack() as stack:
        experiment_id = stack.enter_context(tracking(settings, experiment))
        before = None if baseline is None else _baseline(baseline, dataset, experiment_id)
        host = stack.enter_context(open_host(settings))
        callers = Callers(host, profile)
        asked = [each for each in dataset.questions if each.user is None or not callers.alone]
        if not asked:
            problem = f"Nobody who asks in the dataset {dataset.name!r} can be logged in here"
            raise MooringError(problem, "leave the persona out of the dataset, and run it once for each of them")
        with ExitStack() as catalogs:
            query = _querying(settings, callers, catalogs)
            dialect = "databricks" if callers.alone else "postgres"
            expected = [expectations_of(each, query, dialect) for each in asked]
        run, judged = _run(dataset, asked, expected, bot(host, callers, name, profile), experiment_id, judge)
        report = report_of(
            dataset,
            judged,
            before,
            model=name,
            run=run,
            experiment=experiment_id,
            seconds=round(time.monotonic() - started, 1),
            left_out=[each.id for each in dataset.questions if each not in asked],
        )
        _log(report)
        return report


def _run(
    dataset: Dataset,
    asked: list[Question],
    expected: list[dict[str, Any]],
    bot: Bot,
    experiment: str,
    judge: str | None,
) -> tuple[str, list[Judged]]:
    """Have MLflow ask and score; return the run and what was judged, in the dataset's order."""
    import mlflow

    from agent.evaluation.scoring import scorers

    @mlflow.trace(name="question", span_type="AGENT")
    def predict(user: str | None, turns: list[str], kill_after: int | None) -> dict[str, Any]:
        try:
            reply = bot.reply(user, turns, kill_after, mlflow.get_current_active_span())
        except Exception as error:  # noqa: BLE001 - what fails is a reply that is wrong, and no end of the evaluation
            return {"failed": f"{type(error).__name__}: {error}"}
        names = {"mlflow.trace.session": reply["session"], "mlflow.trace.user": bot.callers(user).principal.name}
        mlflow.update_current_trace(metadata=names)
        return reply

    records = [
        {"inputs": each.inputs, "expectations": wanted, "tags": {"category": each.category, QUESTION: each.id}}
        for each, wanted in zip(asked, expected, strict=True)
    ]
    with mlflow.start_run(run_name=f"{dataset.name} {bot.model}") as run:
        mlflow.set_tags({_DATASET: dataset.name, "mooring.dataset.digest": dataset.digest})
        mlflow.log_params({"dataset": dataset.name, "model": bot.model, "questions": len(asked)})
        kept = keep(dataset, records, experiment)
        # It prints where to look, in colours.
        with redirect_stdout(StringIO()):
            found = mlflow.genai.evaluate(data=kept, scorers=[*scorers(), *_judges(judge)], predict_fn=predict)
        assert found.result_df is not None
        judged = {each.id: each for each in map(_judged, found.result_df.to_dict(orient="records"))}
    return str(run.info.run_id), [judged[each.id] for each in asked]


def _judges(model: str | None) -> list[Any]:
    if model is None:
        return []
    from mlflow.genai.scorers import RelevanceToQuery, Safety

    return [RelevanceToQuery(model=model), Safety(model=model)]  # type: ignore[no-untyped-call]


def _judged(row: dict[str, Any]) -> Judged:
    found = {each["assessment_name"]: each for each in row["assessments"] if "feedback" in each}
    values = {name: each["feedback"].get("value") for name, each in found.items()}
    verdict = found.get("passed", {})
    return Judged(
        id=row["tags"][QUESTION],
        category=row["tags"]["category"],
        passed=values.get("passed") is True,
        why="" if values.get("passed") is True else str(verdict.get("rationale") or "it was not judged"),
        scores={
            name: value in (True, "yes")
            for name, value in sorted(values.items())
            if name != "passed" and (isinstance(value, bool) or value in ("yes", "no"))
        },
        seconds=values.get("seconds"),
        tokens=values.get("tokens"),
        trace=str(row["trace_id"]),
    )


def _querying(settings: Settings, callers: Callers, stack: ExitStack) -> Callable[[str | None, str], QueryResult]:
    """Return what runs SQL as somebody, by a catalog that is opened once for each."""
    catalogs: dict[str | None, Catalog] = {}

    def query(user: str | None, sql: str) -> QueryResult:
        if user not in catalogs:
            caller = callers(user)
            catalogs[user] = (
                stack.enter_context(catalog_of(settings, caller))
                if isinstance(caller, Caller)
                else stack.enter_context(unity_catalog_of(settings, caller, "evaluation"))
            )
        return catalogs[user].query(sql)

    return query


def _baseline(run: str, dataset: Dataset, experiment: str) -> EvaluationReport | None:
    """Load the report of an earlier run."""
    import mlflow
    from mlflow.exceptions import MlflowException

    latest = run == LATEST
    if latest:
        runs = mlflow.search_runs(
            [experiment],
            # Not one that was refused: what it got wrong would pass for no worse.
            filter_string=f"tags.`{_DATASET}` = '{dataset.name}' and tags.`{_GATE}` = '{_OPEN}'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
            output_format="list",
        )
        if not runs:
            return None
        run = runs[0].info.run_id
    try:
        found = EvaluationReport.model_validate(mlflow.artifacts.load_dict(f"runs:/{run}/{REPORT}"))
    except (MlflowException, OSError, ValueError) as error:
        problem = f"There is no evaluation of the run {run!r} ({type(error).__name__})"
        raise MooringError(problem, "pass --baseline the id of a run of `mooring evaluate`, or latest") from error
    if {each.id for each in found.questions}.isdisjoint(each.id for each in dataset.questions):
        if latest:
            return None
        problem = f"The run {run!r} asked none of the questions of the dataset {dataset.name!r}"
        raise MooringError(problem, "pass --baseline a run of the same dataset")
    return found


def _log(report: EvaluationReport) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    for each in report.categories:
        client.log_metric(report.run, f"{each.category}/passed", each.rate)
    client.log_metric(report.run, "regressions", len(report.regressions))
    client.log_dict(report.run, report.model_dump(), REPORT)
    client.set_tag(report.run, _GATE, "closed" if report.problems else _OPEN)
