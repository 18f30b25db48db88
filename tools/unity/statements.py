"""Statements on one SQL warehouse: sent, waited for, cancelled, and read chunk by chunk."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.sql import (
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    QueryTag,
    StatementParameterListItem,
    StatementResponse,
    StatementState,
    StatementStatus,
)

from tools.errors import CatalogUnavailableError, QueryCancelledError, QueryTimeoutError
from tools.unity.failures import explain, explain_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from databricks.sdk import WorkspaceClient

    from tools.catalog import Limits
    from tools.unity.read import Read

_FIRST_POLL, _LAST_POLL, _GROWTH = 0.05, 1.0, 1.5
# What a warehouse takes; longer values are cut.
_LONGEST_TAG = 128
# A warehouse that runs takes a statement up in less.
_STARTING = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement returned; rows are fetched while they are iterated over."""

    columns: list[tuple[str, str]]
    """Name and type of each, the type as SQL spells it."""
    rows: Iterator[list[str | None]]
    truncated: bool
    """Whether the warehouse left rows out because of the limits."""
    statement: str | None
    """Its id in the query history."""


class Statements:
    """Runs statements as the caller whose client it is. Threads may share it.

    Args:
        client: The caller's client.
        warehouse_id: The SQL warehouse.
        limits: What one statement may cost; its seconds count from when the warehouse runs it.
        start_seconds: How long a warehouse may take to start.
        tags: Told with each statement, for the query history; or a function that is asked at each.
        progress: Told in a sentence when the warehouse is starting.
    """

    def __init__(
        self,
        client: WorkspaceClient,
        warehouse_id: str,
        limits: Limits,
        start_seconds: float,
        tags: Mapping[str, str] | Callable[[], Mapping[str, str]],
        progress: Callable[[str], None] | None,
    ) -> None:
        self._api = client.statement_execution
        self._warehouse = warehouse_id
        self._limits = limits
        self._start_seconds = start_seconds
        self._tags = tags
        self._progress = progress
        self._lock = threading.Lock()
        self._running: set[threading.Event] = set()

    def cancel(self) -> None:
        """Cancel what runs now, for whichever thread; each thread tells the warehouse about its own."""
        with self._lock:
            for cancelled in self._running:
                cancelled.set()

    @contextmanager
    def run(
        self, sql: str, read: Read, parameters: Sequence[StatementParameterListItem] | None = None
    ) -> Iterator[Result]:
        """Run a statement to its end, and give its result.

        Raises:
            CatalogError: As for `Catalog.query`, with what was `read`.
        """
        with self.cancellable() as cancelled, self._explained():
            response = self._finished(cancelled, self._sent(sql, parameters), read)
            status = response.status or StatementStatus()
            if status.state is StatementState.CANCELED:
                raise QueryCancelledError("The query was cancelled.", read.sources, read.labels)
            if status.state is StatementState.CLOSED:
                raise CatalogUnavailableError("The warehouse has closed the result. Ask again.")
            if status.state is not StatementState.SUCCEEDED:
                raise explain_status(status, read)
            yield self._result(cancelled, response, read)

    @contextmanager
    def cancellable(self) -> Iterator[threading.Event]:
        """Give what is set when the work inside is to end: `cancel` counts for it, as for a statement."""
        cancelled = threading.Event()
        with self._lock:
            self._running.add(cancelled)
        try:
            yield cancelled
        finally:
            with self._lock:
                self._running.remove(cancelled)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (DatabricksError, OSError) as error:
            raise explain(error, f"SQL warehouse {self._warehouse}") from None

    def _sent(self, sql: str, parameters: Sequence[StatementParameterListItem] | None) -> StatementResponse:
        tags = self._tags() if callable(self._tags) else self._tags
        # It is not waited for here: only a statement whose id is known can be cancelled.
        return self._api.execute_statement(
            sql,
            self._warehouse,
            wait_timeout="0s",
            on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CONTINUE,
            disposition=Disposition.INLINE,
            format=Format.JSON_ARRAY,
            parameters=list(parameters) if parameters else None,
            row_limit=self._limits.rows,
            byte_limit=self._limits.bytes,
            query_tags=[QueryTag(key, value[:_LONGEST_TAG]) for key, value in tags.items()] or None,
        )

    def _finished(self, cancelled: threading.Event, response: StatementResponse, read: Read) -> StatementResponse:
        identity = response.statement_id or ""
        sent = time.monotonic()
        end = sent + self._start_seconds
        runs = told = False
        pause = _FIRST_POLL
        try:
            while (state := _state(response)) in (StatementState.PENDING, StatementState.RUNNING):
                now = time.monotonic()
                if state is StatementState.RUNNING and not runs:
                    runs, end = True, now + self._limits.seconds
                if not runs and not told and self._progress and now - sent >= _STARTING:
                    self._progress("The SQL warehouse is starting; that may take some minutes.")
                    told = True
                if now >= end:
                    raise self._late(runs, read)
                if cancelled.wait(min(pause, end - now)):
                    raise QueryCancelledError("The query was cancelled.", read.sources, read.labels)
                pause = min(pause * _GROWTH, _LAST_POLL)
                response = self._api.get_statement(identity)
        except BaseException:
            with suppress(DatabricksError, OSError):
                self._api.cancel_execution(identity)
            raise
        return response

    def _late(self, runs: bool, read: Read) -> QueryTimeoutError:
        if not runs:
            return QueryTimeoutError(
                f"The SQL warehouse did not start within {self._start_seconds:g} s. Try again later.",
                read.sources,
                read.labels,
            )
        seconds = self._limits.seconds
        return QueryTimeoutError(
            f"The query took longer than {seconds:g} s and was cancelled. Ask for less, or aggregate.",
            read.sources,
            read.labels,
        )

    def _result(self, cancelled: threading.Event, response: StatementResponse, read: Read) -> Result:
        manifest = response.manifest
        found = manifest.schema.columns if manifest and manifest.schema else None
        columns = [(column.name or "", column.type_text or "") for column in found or ()]
        truncated = bool(manifest and manifest.truncated)
        return Result(columns, self._rows(cancelled, response, read), truncated, response.statement_id)

    def _rows(self, cancelled: threading.Event, response: StatementResponse, read: Read) -> Iterator[list[Any]]:
        chunk = response.result
        while chunk is not None:
            yield from chunk.data_array or ()
            if chunk.next_chunk_index is None:
                return
            if cancelled.is_set():
                raise QueryCancelledError("The query was cancelled.", read.sources, read.labels)
            chunk = self._api.get_statement_result_chunk_n(response.statement_id or "", chunk.next_chunk_index)


def _state(response: StatementResponse) -> StatementState | None:
    return response.status.state if response.status else None
