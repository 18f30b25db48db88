"""`mooring db`: the database that sessions are kept in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import As, DryRun, Format, KeepLast, OlderThan, Output
from agent.cli.output import print_json

if TYPE_CHECKING:
    from agent.settings import Settings
    from checkpointer.administration import Hold

db = typer.Typer(help="The database that sessions are kept in.", no_args_is_help=True)


Owner = Annotated[str, typer.Argument(metavar="OWNER", help="Whose session.")]
Session = Annotated[str, typer.Argument(metavar="SESSION", help="Its name.")]


class Role(StrEnum):
    """A role that is not a person's."""

    SERVICE = "service"
    MIGRATOR = "migrator"
    ADMIN = "admin"


@db.command()
def start(output: Output = Format.TEXT) -> None:
    """Start the embedded Postgres and keep it running until `mooring db stop`."""
    from agent import local

    settings = _embedded("start")
    local.start(settings.home)
    _status(settings, output)


@db.command()
def stop() -> None:
    """Stop the embedded Postgres, whoever uses it."""
    from agent import local

    stopped = local.stop(_embedded("stop").home)
    typer.echo("Stopped." if stopped else "It was not running.")


@db.command()
def status(output: Output = Format.TEXT) -> None:
    """Show whether the embedded Postgres runs, and where its data and log are."""
    _status(_embedded("show the status of"), output)


@db.command()
def migrate(
    print_: Annotated[
        bool, typer.Option("--print", help="Print the SQL of a fresh set-up instead of running it.")
    ] = False,
    login_role: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="A group whose members may read their own sessions with SQL."),
    ] = None,
    auditor_role: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="A group whose members read the audit, and any session after saying why."),
    ] = None,
    chat_schema: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A schema for views of sessions that a page of Databricks AppKit reads."),
    ] = None,
) -> None:
    """Create or update the sessions' schema as MOORING_ADMIN_URL, for the role of MOORING_DATABASE_URL."""
    from agent.migration import migrate_database, migration_text
    from agent.settings import Settings

    if print_:
        typer.echo(migration_text(Settings(), login_role, auditor_role, chat_schema), nl=False)
        return
    applied = migrate_database(Settings(), login_role, auditor_role, chat_schema)
    typer.echo(f"Applied {', '.join(applied)}." if applied else "Everything is up to date.")


@db.command("import")
def import_(
    from_: Annotated[
        str, typer.Option("--from", metavar="DSN", help="The database that LangGraph's Postgres saver used.")
    ],
    owner_from: Annotated[
        str, typer.Option(metavar="KEY", help="Where the metadata of checkpoints names a session's owner.")
    ],
    schema: Annotated[str | None, typer.Option(metavar="NAME", help="The schema of their tables.")] = None,
    owner: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only sessions of this owner.")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="MODULE:CLASS", help="A class that values may be rebuilt as.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, and store nothing.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Copy sessions out of the tables of LangGraph's own Postgres saver. Killed half-way, run it again."""
    from agent.cli.importing import run_import

    run_import(from_, schema, owner_from, owner or [], allow or [], dry_run, output)


@db.command()
def url(
    as_: As = None,
    role: Annotated[Role | None, typer.Option(help="A role instead of a person.")] = None,
) -> None:
    """Print a connection string for psql and scripts; the embedded Postgres is started and kept running.

    The password is not in it: it points to the password file.
    """
    from agent.migration import connection_url
    from agent.settings import Settings

    typer.echo(connection_url(Settings(), as_, role.value if role else None))


@db.command()
def prune(
    older_than: OlderThan = None,
    keep_last: KeepLast = None,
    dry_run: DryRun = False,
    output: Output = Format.TEXT,
) -> None:
    """Delete, as MOORING_ADMIN_URL, everybody's sessions that are not used any more, and older checkpoints.

    A session with a policy of its own goes by that. One under legal hold stays, and so does one in use.
    """
    from agent.cli.pruning import show_pruned
    from agent.migration import administrator
    from agent.settings import Settings
    from checkpointer import Retention

    with administrator(Settings()) as admin:
        expired = admin.prune(Retention(keep_last=keep_last, ttl=older_than), dry_run=dry_run)
        show_pruned(expired, output, dry_run=dry_run, owners=True)


@db.command()
def encrypt(
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Only this person's sessions.")] = None,
    dry_run: DryRun = False,
    output: Output = Format.TEXT,
) -> None:
    """Encrypt, as MOORING_ADMIN_URL, what is not under the newest of MOORING_ENCRYPTION_KEYS, or in the clear.

    Stopped half-way, run it again. A session under legal hold stays as it is.
    """
    from agent.cli.encrypting import run_encrypt

    run_encrypt(user, output, dry_run=dry_run)


@db.command()
def hold(
    owner: Owner,
    session: Session,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; administrators only read it.")],
) -> None:
    """Place a session under legal hold, as MOORING_ADMIN_URL: nobody can delete or change what is in it."""
    from agent.migration import administrator
    from agent.settings import Settings

    with administrator(Settings()) as admin:
        admin.hold(owner, session, reason=reason)


@db.command()
def release(owner: Owner, session: Session) -> None:
    """Lift the legal hold of a session, as MOORING_ADMIN_URL."""
    from agent.migration import administrator
    from agent.settings import Settings

    with administrator(Settings()) as admin:
        admin.release(owner, session)


@db.command()
def holds(output: Output = Format.TEXT) -> None:
    """List the legal holds, as MOORING_ADMIN_URL."""
    from agent.migration import administrator
    from agent.settings import Settings

    with administrator(Settings()) as admin:
        _show_holds(admin.holds(), output)


def _show_holds(found: list[Hold], output: Format) -> None:
    from agent.cli.screen import Screen
    from agent.schemas import HoldInfo

    infos = [
        HoldInfo(owner=h.owner, session=h.thread_id, reason=h.reason, placed_at=h.placed_at, placed_by=h.placed_by)
        for h in found
    ]
    if output is Format.JSON:
        print_json(infos)
        return
    screen = Screen()
    for info in infos:
        screen.line(f"{info.owner}\t{info.session}\t{info.placed_at:%Y-%m-%d %H:%M}\t{info.placed_by}\t{info.reason}")
    if not infos and screen.lively:
        screen.line("No holds.")


def _embedded(verb: str) -> Settings:
    from agent.errors import MooringError
    from agent.settings import Settings

    settings = Settings()
    if settings.external:
        message = f"Cannot {verb} the embedded Postgres, because another one is configured"
        remedy = "unset MOORING_DATABASE_URL and PG*, or use the tools of that server"
        raise MooringError(message, remedy)
    return settings


def _status(settings: Settings, output: Format) -> None:
    from agent import local
    from agent.schemas import DatabaseStatus

    found = local.status(settings.home)
    info = DatabaseStatus(
        running=found.running,
        kept=found.pinned,
        version=found.version,
        port=found.port,
        pid=found.pid,
        data=str(found.data),
        log=str(found.log),
        bytes=found.size,
    )
    if output is Format.JSON:
        print_json(info)
        return
    how = "until `mooring db stop`" if info.kept else "while it is used"
    typer.echo(f"running {how} on 127.0.0.1:{info.port}, process {info.pid}" if info.running else "not running")
    typer.echo(f"PostgreSQL {info.version}, {info.bytes / 1e6:,.0f} MB\ndata {info.data}\nlog  {info.log}")
