"""`mooring db import`: copy threads out of the tables of LangGraph's own Postgres saver."""

from __future__ import annotations

import sys
from collections import Counter
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import track

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.cli.screen import printable
from agent.database import open_database
from agent.errors import MooringError
from agent.memory import saver_of
from agent.schemas import ImportReport, RefusedThread
from agent.settings import Settings
from checkpointer.importing import Outcome, count_threads, import_threads, metadata_key, upstream_saver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkpointer.importing import ImportedThread


def run_import(
    dsn: str,
    schema: str | None,
    owner_from: str,
    owners: list[str],
    allowed: list[str],
    dry_run: bool,
    output: Format,
) -> None:
    """Import, with a progress bar on a terminal, and print a report. Exits with 1 when a thread was refused."""
    types = [_type(name) for name in allowed]
    settings = Settings()
    with (
        upstream_saver(dsn, schema, types) as source,
        open_database(settings) as database,
        saver_of(settings, database, allowed_types=types) as saver,
    ):
        threads = import_threads(source, saver, owner_of=metadata_key(owner_from), owners=owners, dry_run=dry_run)
        report = _report(_followed(threads, count_threads(source)), dry_run)
    if output is Format.JSON:
        print_json(report)
    else:
        typer.echo(printable(_text(report)))
    if report.refused:
        raise typer.Exit(1)


def _type(name: str) -> type:
    module, _, qualified = name.partition(":")
    try:
        found = getattr(import_module(module), qualified)
    except (ImportError, AttributeError, ValueError) as error:
        problem, remedy = f"There is no class {name}", "write --allow module:Class, of a package that is installed here"
        raise MooringError(problem, remedy) from error
    if not isinstance(found, type):
        problem, remedy = f"{name} is not a class", "write --allow module:Class"
        raise MooringError(problem, remedy)
    return found


def _followed(threads: Iterable[ImportedThread], total: int) -> Iterable[ImportedThread]:
    console = Console(stderr=True)
    if not (console.is_terminal and sys.stderr.isatty()):
        return threads
    return track(threads, "Importing sessions", total=total, console=console, transient=True)


def _report(threads: Iterable[ImportedThread], dry_run: bool) -> ImportReport:
    outcomes: Counter[Outcome] = Counter()
    checkpoints = writes = 0
    refused = []
    for thread in threads:
        outcomes[thread.outcome] += 1
        if thread.outcome is Outcome.IMPORTED:
            checkpoints += thread.checkpoints
            writes += thread.writes
        elif thread.outcome is Outcome.REFUSED:
            types = [":".join(name.rpartition(".")[::2]) for name in thread.types]
            refused.append(
                RefusedThread(thread=thread.thread_id, owner=thread.owner, reason=thread.reason or "", allow=types)
            )
    return ImportReport(
        dry_run=dry_run,
        imported=outcomes[Outcome.IMPORTED],
        present=outcomes[Outcome.PRESENT],
        left_out=outcomes[Outcome.LEFT_OUT],
        checkpoints=checkpoints,
        writes=writes,
        refused=refused,
    )


def _text(report: ImportReport) -> str:
    lines = [f"refused {thread.thread}: {thread.reason}" for thread in report.refused]
    if allow := sorted({name for thread in report.refused for name in thread.allow}):
        lines.append(f"If these types may be rebuilt, add {' '.join(f'--allow {name}' for name in allow)}")
    done = "Would import" if report.dry_run else "Imported"
    parts = [f"{done} {_many(report.imported, 'session')} with {_many(report.checkpoints, 'checkpoint')}"]
    parts[0] += f" and {_many(report.writes, 'pending write')}"
    for count, what in ((report.present, "here already"), (report.left_out, "of other owners")):
        if count:
            parts.append(f"{count:,} {what}")
    if report.refused:
        parts.append(f"{len(report.refused):,} refused")
    return "\n".join([*lines, f"{'; '.join(parts)}."])


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
