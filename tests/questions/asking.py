"""Ask through the real graph, as a person's own login, and judge what comes back."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import sqlglot
from langchain_core.messages import HumanMessage

from agent.conversation import Answered, Conversation
from agent.evaluation.judging import Rows, Turn, problems
from agent.graph import build_graph
from agent.models import OfflineChatModel
from checkpointer import GovernedPostgresSaver, acting_as
from tools import PostgresCatalog

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from agent.database import Database
    from agent.identity import Caller
    from tests.questions.question import Expected, Question
    from tools import Catalog

Conn = psycopg.Connection[tuple[Any, ...]]


class Asker:
    """Everything that a question needs, opened once per person.

    The catalog is Postgres's as the person's login, or another that is given with its dialect of SQL.
    """

    def __init__(
        self,
        lakehouse: Database,
        caller_of: Callable[[str], Caller],
        catalog_of: Callable[[str], AbstractContextManager[Catalog]] | None = None,
        dialect: str = "PostgreSQL",
    ) -> None:
        self._lakehouse = lakehouse
        self._caller_of = caller_of
        self._catalog_of = catalog_of or self._postgres
        self._dialect = dialect
        self._opened = ExitStack()
        self._catalogs: dict[str, Catalog] = {}
        self._connections: dict[str, Conn] = {}

    def __enter__(self) -> Self:
        """Open the saver and the graph; people are logged in when they first ask."""
        self._saver = self._opened.enter_context(GovernedPostgresSaver.from_conn_string(self._lakehouse.runtime))
        self._graph = build_graph(OfflineChatModel(), self._saver, dialect=self._dialect)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log everybody out."""
        self._opened.close()

    def ask(self, question: Question) -> Turn:
        """Ask all turns in a session of their own, which is deleted afterwards, and return the last one."""
        caller = self._caller_of(question.persona)
        session = f"question-{uuid4().hex[:12]}"
        conversation = Conversation(self._graph, self._saver, caller, self.catalog(question.persona), session)
        try:
            for turn in question.turns:
                *_, last = conversation.ask(turn)
            assert isinstance(last, Answered)
            messages = conversation.messages()
        finally:
            with acting_as(caller.principal):
                self._saver.delete_thread(session)
        start = max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
        return Turn.of(question.turns, last.answer.answer, messages[start:])

    def problems(self, question: Question, turn: Turn) -> list[str]:
        """Return what is wrong with a turn, by the answer that is expected first; nothing when one of them fits."""
        found = [
            problems(each.kind, self.expected(question, each), turn, question.sources) for each in question.expected
        ]
        return [] if [] in found else found[0]

    def expected(self, question: Question, expected: Expected) -> list[Rows]:
        """Run the expected statements, as the person; what they must not see is read by the superuser."""
        secret = expected.kind in ("refused", "denied", "quiet")
        conn = self.connection("" if secret else question.persona)
        return [_rows(conn, statement) for statement in expected.statements]

    def catalog(self, persona: str) -> Catalog:
        """Open a catalog that logs in as the person."""
        if persona not in self._catalogs:
            self._catalogs[persona] = self._opened.enter_context(self._catalog_of(persona))
        return self._catalogs[persona]

    def _postgres(self, persona: str) -> AbstractContextManager[Catalog]:
        return PostgresCatalog(self._caller_of(persona).conninfo, labelled_by="mooring")

    def connection(self, persona: str) -> Conn:
        """Log in as the person, or as the superuser for nobody."""
        if persona not in self._connections:
            conninfo = self._caller_of(persona).conninfo if persona else self._lakehouse.superuser or ""
            self._connections[persona] = self._opened.enter_context(psycopg.connect(conninfo, autocommit=True))
        return self._connections[persona]


def is_ordered(statement: str) -> bool:
    """Tell whether a statement orders its rows."""
    return sqlglot.parse_one(statement, dialect="postgres").args.get("order") is not None


def _rows(conn: Conn, statement: str) -> Rows:
    cursor = conn.execute(statement.encode())
    columns = tuple(column.name for column in cursor.description or ())
    return Rows(columns, cursor.fetchall(), is_ordered(statement))
