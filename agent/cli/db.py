"""`mooring db`: the database that sessions are kept in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import As, Format, Output

if TYPE_CHECKING:
    from agent.settings import Settings

db = typer.Typer(help="The database that sessions are kept in.", no_args_is_help=True)


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
) -> None:
    """Create or update the sessions' schema as MOORING_ADMIN_URL, for the role of MOORING_DATABASE_URL."""
    from agent.migration import migrate_database, migration_text
    from agent.settings import Settings

    if print_:
        typer.echo(migration_text(Settings(), login_role), nl=False)
        return
    applied = migrate_database(Settings(), login_role)
    typer.echo(f"Applied {', '.join(applied)}." if applied else "Everything is up to date.")


@db.command("import")
def import_(
    from_: Annotated[
        str, typer.Option("--from", metavar="DSN", help="The database that LangGraph's Postgres saver used.")
    ],
    owner_from: Annotated[
        str, typer.Option(metavar="KEY", help="Where the metadata of checkpoints names a thread's owner.")
    ],
    schema: Annotated[str | None, typer.Option(metavar="NAME", help="The schema of their tables.")] = None,
    owner: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only threads of this owner.")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="MODULE:CLASS", help="A class that values may be rebuilt as.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, and store nothing.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Copy threads out of the tables of LangGraph's own Postgres saver. Killed half-way, run it again."""
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
        typer.echo(info.model_dump_json())
        return
    how = "until `mooring db stop`" if info.kept else "while it is used"
    typer.echo(f"running {how} on 127.0.0.1:{info.port}, process {info.pid}" if info.running else "not running")
    typer.echo(f"PostgreSQL {info.version}, {info.bytes / 1e6:,.0f} MB\ndata {info.data}\nlog  {info.log}")
