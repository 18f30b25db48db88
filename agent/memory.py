"""The saver of an installation: the runtime role's connection, and the schema that its settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.database import open_database
from checkpointer import GovernedPostgresSaver

if TYPE_CHECKING:
    from contextlib import ExitStack

    from agent.database import Database
    from agent.settings import Settings
    from agent.workspace import WorkspaceCaller


def saver_of(settings: Settings, database: Database, **options: Any) -> GovernedPostgresSaver:
    """Return the saver, to be entered with `with` or `async with`; options as for the class."""
    return GovernedPostgresSaver.from_conn_string(database.runtime, schema=settings.sessions_schema, **options)


def saver_of_workspace(settings: Settings, caller: WorkspaceCaller, stack: ExitStack) -> GovernedPostgresSaver:
    """Return the caller's own login to Lakebase where one is named, else the runtime role's database."""
    if not settings.lakebase:
        return saver_of(settings, stack.enter_context(open_database(settings)))
    return GovernedPostgresSaver.from_lakebase(
        identity="login", workspace_client=caller.client, schema=settings.sessions_schema
    )
