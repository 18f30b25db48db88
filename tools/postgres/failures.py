"""Turn errors of Postgres into sentences that quote no value of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from tools.errors import (
    AccessDeniedError,
    CatalogError,
    CatalogUnavailableError,
    QueryFailedError,
    QueryTimeoutError,
    TableNotFoundError,
)

if TYPE_CHECKING:
    from tools.catalog import Labels

_UNDEFINED_TABLE = ("42P01", "3F000")


@dataclass(slots=True)
class Read:
    """What is known of a statement so far: whether it is still planned, so that no row was read, and its sources."""

    planning: bool = True
    sources: frozenset[str] = frozenset()
    labels: Labels = frozenset()


def explain(error: psycopg.Error, *, seconds: float, read: Read) -> CatalogError:
    """Return what happened. While planning no row was read, so that the database's own words are safe."""
    state = error.sqlstate or ""
    message = " ".join((error.diag.message_primary or "").split())
    hint = " ".join((error.diag.message_hint or "").split())
    if state == "42501":
        return AccessDeniedError(
            f"The database refused: {message} (SQLSTATE 42501). Only the owner of the data can grant access."
        )
    if state in _UNDEFINED_TABLE:
        return TableNotFoundError(f"{message} (SQLSTATE {state}). list_tables shows the tables that you may read.")
    if state.startswith("42") or (read.planning and state.startswith("22")):
        return QueryFailedError(
            f"The query is wrong: {message} (SQLSTATE {state}). {hint}".strip(), read.sources, read.labels
        )
    if state == "57014":
        return QueryTimeoutError(
            f"The query took longer than {seconds:g} s and was cancelled. Ask for less, or aggregate.",
            read.sources,
            read.labels,
        )
    if state == "55P03":
        return QueryTimeoutError("Somebody else has locked the table. Try again later.", read.sources, read.labels)
    if _is_unavailable(error, state):
        return CatalogUnavailableError("The database cannot be reached right now. Try again in a moment.")
    what = type(error).__name__
    return QueryFailedError(
        f"The query failed while it ran: {what} (SQLSTATE {state or 'unknown'}).", read.sources, read.labels
    )


def _is_unavailable(error: psycopg.Error, state: str) -> bool:
    return isinstance(error, psycopg.OperationalError) and (not state or state[:2] in ("08", "28", "57", "53"))
