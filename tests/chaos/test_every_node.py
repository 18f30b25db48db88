"""A node starts only after the checkpoint of the one before it is committed: another connection counts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from agent.conversation import Conversation
from agent.graph import build_graph
from agent.identity import log_in
from checkpointer import GovernedPostgresSaver
from tests.chaos.two_calls import TwoCalls
from tests.chaos.watching import stored
from tools import PostgresCatalog, QueryResult

if TYPE_CHECKING:
    import psycopg
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatResult

    from agent.database import Database


class WatchedModel(TwoCalls):
    """Tells when it is called."""

    called: Callable[[], None]

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.called()
        return super()._generate(messages, *args, **kwargs)


class WatchedCatalog(PostgresCatalog):
    """Tells when it is queried."""

    def __init__(self, conninfo: str, called: Callable[[], None]) -> None:
        super().__init__(conninfo)
        self._called = called

    def query(self, sql: str) -> QueryResult:
        self._called()
        return super().query(sql)


def test_each_node_finds_one_more_checkpoint(lakehouse: Database, admin: psycopg.Connection[Any]) -> None:
    session, found = f"nodes-{uuid4().hex[:8]}", list[int]()

    def look() -> None:
        found.append(stored(admin, session))

    caller = log_in(lakehouse, "alice")
    with (
        GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver,
        WatchedCatalog(caller.conninfo, look) as catalog,
    ):
        model = WatchedModel(queries=["select count(*) from bakehouse.reviews"], called=look)
        conversation = Conversation(build_graph(model, saver), saver, caller, catalog, session)
        for question in ("how many reviews are there?", "how many now?"):
            list(conversation.ask(question))
            look()

    # Of each turn: the model, the query, the model and, after its end, this test; a question is a checkpoint itself.
    first = found[0]
    assert first > 0
    assert found[:4] == list(range(first, first + 4))
    assert found[4:] == [n + found[3] for n in found[:4]]
