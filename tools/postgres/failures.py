"""Turn errors of Postgres into sentences that quote no value of a row."""

from __future__ import annotations

import psycopg

from tools.errors import (
    AccessDeniedError,
    CatalogError,
    CatalogUnavailableError,
    QueryFailedError,
    QueryTimeoutError,
    TableNotFoundError,
)

_UNDEFINED_TABLE = ("42P01", "3F000")


def explain(error: psycopg.Error, *, planning: bool, seconds: float, sources: frozenset[str]) -> CatalogError:
    """Return what happened. While `planning` no row was read, so that the database's own words are safe."""
    state = error.sqlstate or ""
    message = " ".join((error.diag.message_primary or "").split())
    hint = " ".join((error.diag.message_hint or "").split())
    if state == "42501":
        return AccessDeniedError(
            f"The database refused: {message} (SQLSTATE 42501). Only the owner of the data can grant access."
        )
    if state in _UNDEFINED_TABLE:
        return TableNotFoundError(f"{message} (SQLSTATE {state}). list_tables shows the tables that you may read.")
    if state.startswith("42") or (planning and state.startswith("22")):
        return QueryFailedError(f"The query is wrong: {message} (SQLSTATE {state}). {hint}".strip(), sources)
    if state == "57014":
        return QueryTimeoutError(
            f"The query took longer than {seconds:g} s and was cancelled. Ask for less, or aggregate.", sources
        )
    if state == "55P03":
        return QueryTimeoutError("Somebody else has locked the table. Try again later.", sources)
    if _is_unavailable(error, state):
        return CatalogUnavailableError("The database cannot be reached right now. Try again in a moment.")
    what = type(error).__name__
    return QueryFailedError(f"The query failed while it ran: {what} (SQLSTATE {state or 'unknown'}).", sources)


def _is_unavailable(error: psycopg.Error, state: str) -> bool:
    return isinstance(error, psycopg.OperationalError) and (not state or state[:2] in ("08", "28", "57", "53"))
