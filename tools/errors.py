"""What can go wrong with a catalog, each in a sentence that may be shown to a model and to a person.

No message quotes a value of a row: messages of a database may, so only those that cannot are passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.catalog import Labels


class CatalogError(Exception):
    """A catalog could not do what it was asked; `sources` and `labels` tell what the message was derived from."""

    def __init__(self, message: str, sources: frozenset[str] = frozenset(), labels: Labels = frozenset()) -> None:
        super().__init__(message)
        self.sources = sources
        self.labels = labels


class QueryRefusedError(CatalogError):
    """The SQL is not one read-only query, or uses something whose tables cannot be known. It was not run."""


class AccessDeniedError(CatalogError):
    """The database refused the caller. Nothing was read, so there are no sources."""


class TableNotFoundError(CatalogError):
    """There is no such table, or none that the caller may know of."""


class QueryFailedError(CatalogError):
    """The database could not run the query: a wrong column, a division by zero."""


class ResultTooLargeError(CatalogError):
    """Not one row is small enough to be returned."""


class QueryTimeoutError(CatalogError):
    """The query took longer than allowed and was cancelled."""


class QueryCancelledError(CatalogError):
    """Somebody cancelled the query while it ran."""


class CatalogBusyError(CatalogError):
    """Too many others of the same catalog run, and did not end in time. Nothing was run."""


class CatalogUnavailableError(CatalogError):
    """The database cannot be reached, or does not let the caller in."""
