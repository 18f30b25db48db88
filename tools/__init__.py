"""Catalogs of tables, opened with one caller's credentials, and the LangChain tools over them."""

from __future__ import annotations

from tools.catalog import Catalog, Column, Limits, QueryResult, Table, TableDescription, TableList
from tools.errors import (
    AccessDeniedError,
    CatalogBusyError,
    CatalogError,
    CatalogUnavailableError,
    QueryCancelledError,
    QueryFailedError,
    QueryRefusedError,
    QueryTimeoutError,
    ResultTooLargeError,
    TableNotFoundError,
)
from tools.postgres import PostgresCatalog
from tools.toolbox import catalog_tools

__all__ = [
    "AccessDeniedError",
    "Catalog",
    "CatalogBusyError",
    "CatalogError",
    "CatalogUnavailableError",
    "Column",
    "Limits",
    "PostgresCatalog",
    "QueryCancelledError",
    "QueryFailedError",
    "QueryRefusedError",
    "QueryResult",
    "QueryTimeoutError",
    "ResultTooLargeError",
    "Table",
    "TableDescription",
    "TableList",
    "TableNotFoundError",
    "catalog_tools",
]
