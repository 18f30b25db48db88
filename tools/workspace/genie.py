"""Genie spaces, asked as the caller: Genie writes the SQL, and it is run as any query is.

What a query of Genie's reads is known once it is written, and after it has run. So it is not taken from Genie but run
again, by the same rules as a query of the model's: parsed, fingerprinted, and only then sent to the warehouse. Where
its text does not tell what it reads, Genie's own rows are passed on under a label that is the caller's own; so is what
Genie says without a query.

They are asked through the SDK's own client: databricks-ai-bridge's waits for minutes without an end to it, and writes
what Genie answers into traces.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound
from databricks.sdk.service.dashboards import MessageStatus
from databricks.sdk.service.sql import StatementState

from tools.errors import CatalogError, QueryCancelledError, QueryFailedError, QueryTimeoutError, TableNotFoundError
from tools.messages import Said, read_from, rows_said
from tools.unity import guard
from tools.unity.failures import explain
from tools.unity.read import Read
from tools.unity.sources import read_by
from tools.unity.statements import Result
from tools.unity.values import collected
from tools.workspace.access import Access, text_of, tool_name, workspace_tool
from tools.workspace.sources import GENIE, GENIE_UNKNOWN, private, shared, source_of, space_info

if TYPE_CHECKING:
    import threading

    from databricks.sdk.service.dashboards import GenieAttachment, GenieMessage, GenieQueryAttachment
    from langchain_core.tools import BaseTool

_FIRST_POLL, _LAST_POLL, _GROWTH = 0.2, 2.0, 1.5
_SECONDS = 240.0
_FAILED = (MessageStatus.FAILED, MessageStatus.CANCELLED, MessageStatus.QUERY_RESULT_EXPIRED)
_ID = re.compile(r"[A-Za-z0-9_-]+")
_SCHEMA = {
    "type": "object",
    "properties": {"question": {"type": "string", "description": "The question, whole and in words."}},
    "required": ["question"],
}


def genie_tools(access: Access, space: str) -> list[BaseTool]:
    """Return the tool that asks a Genie space, named by its id.

    Raises:
        CatalogError: The caller may not ask it.
    """
    if not _ID.fullmatch(space):
        raise TableNotFoundError(f"{space!r} is not the id of a Genie space.")
    info = space_info(access.client, space)
    told = f"Ask the Genie space {info.title} a question about its tables; it writes the SQL. {info.description or ''}"

    def work(arguments: dict[str, Any]) -> Said:
        question = text_of(arguments, "question")
        return _Asking(access, space).answer(question)

    return [workspace_tool(tool_name("genie", [space]), told.strip(), _SCHEMA, work)]


class _Asking:
    """One question to one space."""

    def __init__(self, access: Access, space: str) -> None:
        self._access = access
        self._space = space
        own = source_of(GENIE_UNKNOWN, space)
        self._unknown = Read(frozenset({own}), frozenset({(own, private(access.user, space))}))

    def answer(self, question: str) -> Said:
        try:
            with self._access.statements.cancellable() as cancelled:
                message = self._asked(question, cancelled)
            written = [each for each in message.attachments or () if each.query and each.query.query]
            if written:
                return self._rows(message, written)
        except NotFound:
            raise TableNotFoundError(f"There is no Genie space {self._space}, or none that you may ask.") from None
        except (DatabricksError, OSError) as error:
            raise explain(error, f"Genie space {self._space}") from None
        said = [each.text.content for each in message.attachments or () if each.text and each.text.content]
        return {"answer": "\n\n".join(said)}, read_from(self._unknown.sources, self._unknown.labels)

    def _asked(self, question: str, cancelled: threading.Event) -> GenieMessage:
        genie = self._access.client.genie
        begun: Any = genie.start_conversation(self._space, question).response
        end, pause = time.monotonic() + _SECONDS, _FIRST_POLL
        while True:
            message = genie.get_message(self._space, begun.conversation_id, begun.message_id)
            if message.status is MessageStatus.COMPLETED:
                return message
            if message.status in _FAILED:
                # Its words may quote a value.
                why = message.error.type.value if message.error and message.error.type else message.status.value
                raise QueryFailedError(f"Genie did not answer: {why}.", self._unknown.sources, self._unknown.labels)
            if time.monotonic() >= end:
                raise QueryTimeoutError(f"Genie did not answer within {_SECONDS:g} s. Ask for less.")
            if cancelled.wait(pause):
                raise QueryCancelledError("The question to Genie was cancelled.")
            pause = min(pause * _GROWTH, _LAST_POLL)

    def _rows(self, message: GenieMessage, written: list[GenieAttachment]) -> Said:
        """Return the rows of the last query that Genie wrote; the ones before are what it tried."""
        queries = [each.query for each in written if each.query]
        last = queries[-1]
        sql = last.query or ""
        read = self._read_by(queries)
        if read is None:
            content, metadata = self._genies_own(message, written[-1])
        else:
            with self._access.statements.run(sql, read) as result:
                content, metadata = rows_said(collected(result, self._access.limits, read))
        return {"sql": sql, "description": last.description or "", **content}, metadata

    def _read_by(self, queries: list[GenieQueryAttachment]) -> Read | None:
        """Return what queries read, and that they were written by this space; None where it cannot be known."""
        try:
            names = frozenset(name for each in queries for name in guard.check(each.query or ""))
            read = read_by(self._access.client, lambda: self._access.user, names)
        except CatalogError:
            return None
        space = source_of(GENIE, self._space)
        return replace(read, labels=read.labels | {(space, shared(self._space))})

    def _genies_own(self, message: GenieMessage, written: GenieAttachment) -> Said:
        answer = self._access.client.genie.get_message_attachment_query_result(
            self._space, message.conversation_id, message.message_id, written.attachment_id or ""
        ).statement_response
        state = answer.status.state if answer and answer.status else None
        if answer is None or state is not StatementState.SUCCEEDED:
            why = f"Genie's query did not succeed: {state.value if state else 'no result'}."
            raise QueryFailedError(why, self._unknown.sources, self._unknown.labels)
        schema = answer.manifest.schema if answer.manifest else None
        columns = [(column.name or "", column.type_text or "") for column in (schema.columns if schema else None) or ()]
        rows: list[list[Any]] = (answer.result.data_array if answer.result else None) or []
        more = bool(answer.manifest and answer.manifest.truncated)
        if answer.result and answer.result.next_chunk_index is not None:
            more = True
        result = Result(columns, iter(rows), more, answer.statement_id)
        return rows_said(collected(result, self._access.limits, self._unknown))
