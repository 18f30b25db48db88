"""The saver of an installation: the runtime role's connection, and the schema that its settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkpointer import GovernedPostgresSaver

if TYPE_CHECKING:
    from agent.database import Database
    from agent.settings import Settings


def saver_of(settings: Settings, database: Database, **options: Any) -> GovernedPostgresSaver:
    """Return the saver, to be entered with `with` or `async with`; options as for the class."""
    return GovernedPostgresSaver.from_conn_string(database.runtime, schema=settings.sessions_schema, **options)
