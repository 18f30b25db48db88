"""All commands of `mooring`. Each imports what it needs when it runs, so that help and completion are quick."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.dataset import dataset
from agent.cli.db import db
from agent.cli.lakebase import lakebase
from agent.cli.options import (
    As,
    Continue,
    Decision,
    Format,
    Model,
    Name,
    Output,
    Owner,
    Profile,
    Rating,
    SessionName,
    Since,
)
from agent.cli.sessions import sessions

app = typer.Typer(
    name="mooring",
    help="Chat with governed tables, in sessions that survive any redeploy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(sessions, name="sessions")
app.add_typer(db, name="db")
app.add_typer(dataset, name="dataset")
app.add_typer(lakebase, name="lakebase")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mooring {version('mooring')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
def chat(
    as_: As = None,
    profile: Profile = None,
    session: SessionName = None,
    owner: Owner = None,
    continue_: Continue = False,
    model: Model = None,
) -> None:
    """Chat about your tables. From a pipe, every line is one question."""
    from agent.cli.chat import run_chat

    run_chat(as_, session, owner, continue_, model, profile)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    as_: As = None,
    profile: Profile = None,
    session: SessionName = None,
    owner: Owner = None,
    continue_: Continue = False,
    model: Model = None,
    output: Output = Format.TEXT,
) -> None:
    """Ask one question and print the answer."""
    from agent.cli.chat import run_ask

    run_ask(question, as_, session, owner, continue_, model, output, profile)


@app.command()
def approve(
    session: Name,
    call: Annotated[str, typer.Argument(metavar="CALL", help="Its id, as the session shows it.")],
    decision: Annotated[Decision, typer.Argument(help="Whether it may run.")],
    as_: As = None,
    profile: Profile = None,
    owner: Owner = None,
    output: Output = Format.TEXT,
) -> None:
    """Let a tool call run that waits for approval, or refuse it, and go on with its turn."""
    from agent.cli.chat import run_approve

    run_approve(session, call, decision is Decision.YES, as_, owner, output, profile)


@app.command()
def audit(
    session: Annotated[str | None, typer.Option("--session", "-s", metavar="NAME", help="Sessions so named.")] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="What this person did, or others with them.")] = None,
    table: Annotated[str | None, typer.Option(metavar="TABLE", help="What was read from it, or withheld.")] = None,
    since: Since = None,
    as_: As = None,
    profile: Profile = None,
    output: Output = Format.TEXT,
) -> None:
    """Show who did what with your sessions, and what you did; an auditor sees everything. Newest first."""
    from agent.cli.audit import run_audit

    run_audit(session, user, table, since, as_, profile, output)


@app.command()
def doctor(as_: As = None, profile: Profile = None, model: Model = None, output: Output = Format.TEXT) -> None:
    """Show what is configured, what is wrong and what to do."""
    from agent.cli.doctor import run_doctor

    run_doctor(as_, profile, model, output)


@app.command()
def feedback(
    session: Name,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Its id, as `sessions show -o json` has it.")],
    rating: Annotated[Rating, typer.Argument(help="What you think of it.")],
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, in at most 2,000 characters.")] = None,
    as_: As = None,
    profile: Profile = None,
    owner: Owner = None,
    output: Output = Format.TEXT,
) -> None:
    """Say what you think of an answer; again, to change it."""
    from agent.cli.feedback import run_feedback

    run_feedback(session, message, rating.value, comment, as_, profile, owner, output)


@app.command()
def evaluate(
    dataset: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="lakehouse, or a YAML file: docs/evaluation.md.")
    ] = "lakehouse",
    model: Model = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="RUN", help="Compare with this run of MLflow's, or latest.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Have a model of MLflow's judge as well: openai:/gpt-4o.")
    ] = None,
    experiment: Annotated[str | None, typer.Option(metavar="NAME", help="Keep it in this experiment.")] = None,
    warehouse: Annotated[
        str | None, typer.Option(metavar="ID", help="Query this one in a workspace (DATABRICKS_WAREHOUSE_ID).")
    ] = None,
    lakebase: Annotated[
        str | None, typer.Option(metavar="ENDPOINT", help="Keep the sessions there (LAKEBASE_ENDPOINT).")
    ] = None,
    profile: Profile = None,
    output: Output = Format.TEXT,
) -> None:
    """Ask a dataset's questions and judge the answers; exits with 1 where they are not good enough, or got worse."""
    from agent.cli.evaluating import run_evaluate

    given = {"warehouse_id": warehouse, "lakebase": lakebase}
    run_evaluate(dataset, model, baseline, judge, experiment, profile, output, **given)


@app.command()
def log_model(
    register: Annotated[
        str | None, typer.Option(metavar="NAME", help="Register it, in Unity Catalog as catalog.schema.name.")
    ] = None,
    alias: Annotated[str | None, typer.Option(metavar="NAME", help="Move this alias to the new version.")] = None,
    experiment: Annotated[str | None, typer.Option(metavar="NAME", help="Log it to this experiment.")] = None,
    commit: Annotated[str | None, typer.Option(metavar="SHA", help="The code's, where there is no repository.")] = None,
    model: Model = None,
    warehouse: Annotated[
        str | None, typer.Option(metavar="ID", help="It will query this one (DATABRICKS_WAREHOUSE_ID).")
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Log the agent as an MLflow model, where MLFLOW_TRACKING_URI says, and print its address."""
    from agent.cli.serving import run_log_model

    run_log_model(register, alias, experiment, commit, model, warehouse, output)


@app.command()
def replay(
    session: Name,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="CHECKPOINT", help="Begin there, with what was said until then.")
    ] = None,
    model: Model = None,
    prompt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Tell the model this, instead of its own instructions.")
    ] = None,
    as_: As = None,
    profile: Profile = None,
    output: Output = Format.TEXT,
) -> None:
    """Ask a session's questions again, in a session of its own, and show which answers differ."""
    from agent.cli.replaying import run_replay

    run_replay(session, from_, model, prompt, as_, profile, output)


@app.command()
def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="DATABRICKS_APP_PORT goes before the default.")] = 0,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """Serve the agent over HTTP, to callers with a token, or as a Databricks App."""
    from agent.cli.serving import run_serve

    run_serve(host, port, workers)


@app.command()
def token(as_: As = None) -> None:
    """Print a bearer token for `mooring serve` on this machine."""
    from agent.cli.serving import run_token

    run_token(as_)


@app.command()
def why(
    session: Name,
    message: Annotated[int | None, typer.Option(metavar="N", min=0, help="Only this message, counted from 0.")] = None,
    as_: As = None,
    profile: Profile = None,
    output: Output = Format.TEXT,
) -> None:
    """Explain why messages of a session are shown or withheld, and who could grant what is missing."""
    from agent.cli.why import run_why

    run_why(session, message, as_, profile, output)
