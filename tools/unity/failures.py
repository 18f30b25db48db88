"""Turn errors of a workspace and of its warehouses into sentences that quote no value of a row, and no token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound, PermissionDenied, Unauthenticated
from databricks.sdk.service.sql import StatementStatus

from tools.errors import (
    AccessDeniedError,
    CatalogError,
    CatalogUnavailableError,
    QueryFailedError,
    TableNotFoundError,
)

if TYPE_CHECKING:
    from tools.unity.read import Read

_SCOPES = re.compile(r"required scopes?:?\s*([\w-]+(?:(?:[.:]|\s*,\s*)[\w-]+)*)", re.IGNORECASE)
_CONDITION = re.compile(r"^\s*\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]\s*")
_MISSING = {"TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION", "CATALOG_NOT_FOUND"}
_DENIED = {"INSUFFICIENT_PERMISSIONS", "INSUFFICIENT_PRIVILEGES", "PERMISSION_DENIED", "UNAUTHORIZED_ACCESS"}
# Found while the query is analyzed, before a row is read, so that the words are about the query alone. The class of the
# SQLSTATE does not tell: 42601 is also what to_number() says about a value that does not fit its format.
_ANALYSIS = {
    "AMBIGUOUS_REFERENCE",
    "COLUMN_NOT_FOUND",
    "DATATYPE_MISMATCH",
    "FIELD_NOT_FOUND",
    "GROUP_BY_AGGREGATE",
    "GROUP_BY_POS_OUT_OF_RANGE",
    "INCOMPATIBLE_COLUMN_TYPE",
    "INVALID_EXTRACT_FIELD",
    "MISSING_AGGREGATION",
    "MISSING_GROUP_BY",
    "NUM_COLUMNS_MISMATCH",
    "ORDER_BY_POS_OUT_OF_RANGE",
    "PARSE_SYNTAX_ERROR",
    "UNRESOLVABLE_TABLE_VALUED_FUNCTION",
    "UNRESOLVED_COLUMN",
    "UNRESOLVED_FIELD",
    "UNRESOLVED_ROUTINE",
    "WRONG_NUM_ARGS",
}
_LONGEST = 300


def missing_scopes(error: Exception) -> str | None:
    """Return the scopes that the caller's token lacks, as the workspace names them; None if that is not the reason."""
    found = _SCOPES.search(str(error))
    return found[1] if found else None


def explain(error: Exception, what: str) -> CatalogError:
    """Return what the workspace said to a request; `what` names the thing that was asked for."""
    if scopes := missing_scopes(error):
        return AccessDeniedError(
            f"Your login was not given the scope {scopes}, which {what} needs. An administrator can add it to the "
            "user authorization of this app or endpoint; log in again after that."
        )
    if isinstance(error, Unauthenticated):
        return CatalogUnavailableError("The workspace does not accept your login, or no longer does. Log in again.")
    if isinstance(error, PermissionDenied):
        return AccessDeniedError(f"The workspace refused {what}: {_words(str(error))} Only its owner can grant access.")
    if isinstance(error, NotFound):
        return CatalogUnavailableError(f"There is no {what}, or none that you may use.")
    if isinstance(error, DatabricksError) and error.error_code in ("BAD_REQUEST", "INVALID_PARAMETER_VALUE"):
        return CatalogUnavailableError(f"The workspace does not take the request for {what} ({error.error_code}).")
    return CatalogUnavailableError("The workspace cannot be reached right now. Try again in a moment.")


def explain_status(status: StatementStatus, read: Read) -> CatalogError:
    """Return why a statement failed."""
    message = (status.error.message if status.error else None) or ""
    code = status.error.error_code.value if status.error and status.error.error_code else "UNKNOWN"
    found = _CONDITION.match(message)
    condition = found[1] if found else code
    kind = condition.partition(".")[0]
    state = f" (SQLSTATE {status.sql_state})" if status.sql_state else ""
    if kind in _DENIED or status.sql_state == "42501":
        return AccessDeniedError(
            f"The warehouse refused: {_words(message)} Only the owner of the data can grant access."
        )
    if kind in _MISSING:
        return TableNotFoundError(f"{_words(message)} list_tables shows the tables that you may read.")
    if kind in _ANALYSIS:
        return QueryFailedError(f"The query is wrong: {_words(message)}", read.sources, read.labels)
    if scopes := missing_scopes(Exception(message)):
        return AccessDeniedError(f"Your login was not given the scope {scopes}, which the query needs.")
    return QueryFailedError(f"The query failed while it ran: {condition}{state}.", read.sources, read.labels)


def _words(message: str) -> str:
    """Return the first line of a message, without its code, and what follows: the SQL, or the SDK's configuration."""
    text = _CONDITION.sub("", message).strip().partition("\n")[0]
    for tail in ("SQLSTATE", "Config: ", "Env: "):
        text = text.partition(tail)[0].strip()
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return text if text.endswith((".", "!", "?")) else f"{text}."
