"""`mooring dataset`: questions to evaluate with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from agent.cli.options import As, Format, Output, Profile, Since
from agent.cli.output import print_json

if TYPE_CHECKING:
    from checkpointer.feedback import Rating

dataset = typer.Typer(help="Datasets of questions for `mooring evaluate`.", no_args_is_help=True)


def _condition(text: str) -> str:
    """Read a condition on answers."""
    name, _, value = text.partition("=")
    if name.strip() != "feedback" or value.strip() not in ("up", "down"):
        raise typer.BadParameter("write feedback=down or feedback=up")
    return value.strip()


@dataset.command()
def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file to write; it must not be there.")],
    from_sessions: Annotated[bool, typer.Option("--from-sessions", help="Out of your own sessions.")] = False,
    since: Since = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="CONDITION", parser=_condition, help="Only answers rated so: feedback=down."),
    ] = None,
    register: Annotated[bool, typer.Option("--register", help="Keep it in MLflow as well.")] = False,
    as_: As = None,
    profile: Profile = None,
    output: Output = Format.TEXT,
) -> None:
    """Make a dataset of what was asked in your sessions. What is withheld from you is left out."""
    if not from_sessions:
        raise typer.BadParameter("say out of what: --from-sessions")
    _create(file, since, cast("Rating | None", where), register, as_, profile, output)


def _create(
    file: Path,
    since: object,
    where: Rating | None,
    register: bool,
    user: str | None,
    profile: str | None,
    output: Format,
) -> None:
    from datetime import UTC, datetime, timedelta

    from agent.cli.runtime import open_memory
    from agent.errors import MooringError
    from agent.evaluation.harvest import harvest, write_dataset
    from agent.evaluation.store import keep, tracking
    from agent.identity import Caller
    from agent.schemas import CreatedDataset
    from agent.settings import Settings

    earliest = datetime.now(UTC) - since if isinstance(since, timedelta) else None
    with open_memory(user, profile) as memory:
        found = harvest(memory.saver, earliest, where)
        persona = memory.caller.principal.name if isinstance(memory.caller, Caller) else None
    made = write_dataset(file, found, persona)
    name = None
    if register:
        with tracking(Settings()) as experiment:
            kept = keep(made, [each.record for each in made.questions], experiment)
        if isinstance(kept, list):
            problem = f"{file.name} is written; in a workspace datasets are tables of Unity Catalog"
            raise MooringError(problem, "leave out --register")
        name = kept.name
    created = CreatedDataset(
        file=str(file),
        questions=len(made.questions),
        sessions=found.sessions,
        personal=found.personal,
        left_out=dict(found.left_out),
        registered=name,
    )
    if output is Format.JSON:
        print_json(created)
        return
    typer.echo(f"{created.questions} questions of {created.sessions} sessions are in {created.file}")
    if created.personal:
        typer.echo(f"{created.personal} seem to have personal data, see `personal` in there: look before you share it")
    for reason, times in created.left_out.items():
        typer.echo(f"{times} turns were left out: {reason}")
