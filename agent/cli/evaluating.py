"""`mooring evaluate`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.cli.screen import printable

if TYPE_CHECKING:
    from agent.evaluation import EvaluationReport

# Of a table that is not on a terminal.
_WIDTH = 110


def run_evaluate(
    dataset: str,
    model: str | None,
    baseline: str | None,
    judge: str | None,
    experiment: str | None,
    profile: str | None,
    output: Format,
    warehouse_id: str | None = None,
    lakebase: str | None = None,
) -> None:
    """Evaluate; exit with 1 where the gate stays closed."""
    from agent.evaluation import evaluate, load_dataset
    from agent.settings import Settings

    # Serverless jobs have no environment variables of their own.
    for name, value in (("LAKEBASE_ENDPOINT", lakebase), ("DATABRICKS_WAREHOUSE_ID", warehouse_id)):
        if value is not None:
            os.environ[name] = value
    settings = Settings()
    profile = profile or settings.profile
    report = evaluate(
        settings,
        load_dataset(dataset),
        model=model,
        baseline=baseline,
        judge=judge,
        profile=profile,
        experiment=experiment,
    )
    if output is Format.JSON:
        print_json(report, indent=2)
    else:
        _show(report)
    for problem in report.problems:
        typer.echo(f"mooring: {printable(problem)}", err=True)
    if report.problems:
        raise typer.Exit(1)


def _show(report: EvaluationReport) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    table = Table(box=None, pad_edge=False)
    table.add_column("category")
    columns = ("asked", "passed", "has to", "baseline", "sql", "tools", "ms")
    for column in columns:
        table.add_column(column, justify="right")
    for each in report.categories:
        table.add_row(
            each.category,
            str(each.asked),
            _part(each.rate),
            _part(each.threshold),
            _part(each.baseline),
            _part(each.scores.get("sql")),
            _part(each.scores.get("tool_calls")),
            "" if each.seconds is None else f"{1000 * each.seconds:.0f}",
        )
    console.print(table)
    for judged in report.questions:
        if not judged.passed:
            console.print(printable(f"✗ {judged.id}\n  {judged.why}"), soft_wrap=True)
    if report.left_out:
        console.print(f"{len(report.left_out)} questions were left out: who asks them cannot be logged in here.")
    passed = sum(each.passed for each in report.questions)
    console.print(
        f"{passed} of {len(report.questions)} passed in {report.seconds:.0f} s with {report.model}; run {report.run}"
    )


def _part(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.0f} %"
