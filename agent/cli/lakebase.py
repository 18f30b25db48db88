"""`mooring lakebase`: sessions on Databricks Lakebase."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.options import Profile

lakebase = typer.Typer(help="Sessions on Databricks Lakebase.", no_args_is_help=True)


@lakebase.callback()
def _group() -> None:
    pass


@lakebase.command()
def grant(
    service: Annotated[
        str, typer.Option(metavar="ID", help="The runtime identity: a service principal's application id.")
    ],
    user: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Somebody who logs in by themselves; may be repeated.")
    ] = None,
    login_role: Annotated[
        str, typer.Option(metavar="ROLE", help="The group role that they become members of.")
    ] = "mooring_login",
    print_: Annotated[bool, typer.Option("--print", help="Print the SQL instead of running it.")] = False,
    profile: Profile = None,
) -> None:
    """Make roles, the schema with its policies, and grants, as MOORING_ADMIN_URL or as yourself on LAKEBASE_...

    It may be run again.
    """
    from agent.lakebase import Grants
    from agent.settings import Settings

    settings = Settings()
    grants = Grants(service, user or [], login_role, settings.sessions_schema)
    if print_:
        typer.echo(grants.text(), nl=False)
        return
    conninfo = settings.admin_url
    if conninfo is None:
        from agent.workspace import default_client
        from checkpointer.lakebase import lakebase as source

        conninfo = source(identity="login", workspace_client=default_client(profile or settings.profile))()
    applied = grants.run(conninfo)
    typer.echo(f"Granted. Applied {', '.join(applied)}." if applied else "Granted. The schema was up to date.")
