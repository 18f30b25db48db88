"""The catalog of a caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools import PostgresCatalog

if TYPE_CHECKING:
    from agent.identity import Caller
    from agent.settings import Settings


def catalog_of(settings: Settings, caller: Caller) -> PostgresCatalog:
    """Return the tables of the database as the caller's own login sees them, to be entered with `with`."""
    schema = settings.sessions_schema
    return PostgresCatalog(caller.conninfo, excluded_schemas=(schema,), labelled_by=schema)
