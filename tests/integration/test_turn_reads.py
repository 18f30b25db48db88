"""A turn of the agent reads its session once when it has the lease, and answers from what it did itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from mlflow.types.responses import ResponsesAgentRequest

from agent.catalogs import catalog_of
from agent.conversation import Answered, Conversation
from agent.graph import build_graph
from agent.identity import log_in
from agent.responses import asked_in, events_of
from agent.settings import Settings
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from tests.integration.proxy import CountingProxy


class Says(GenericFakeChatModel):
    """Says the same each time."""

    def __init__(self) -> None:
        super().__init__(messages=iter(lambda: AIMessage("so it is", id=str(uuid4())), None))

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


@pytest.fixture
def conversation(lakehouse: Database, proxy: CountingProxy) -> Iterator[Conversation]:
    """A session of alice's, whose saver's round trips are counted and nothing else's are."""
    caller = log_in(lakehouse, "alice")
    with (
        saver_of(lakehouse, caller.principal, port=proxy.port, min_size=1, max_size=1) as saver,
        catalog_of(Settings(), caller) as catalog,
    ):
        yield Conversation(build_graph(Says(), saver), saver, caller, catalog, uuid4().hex)


def test_a_turn_costs_eight_round_trips_of_which_two_are_reads(
    conversation: Conversation, proxy: CountingProxy
) -> None:
    trips = []
    for _ in range(4):
        before = proxy.round_trips
        *_, last = conversation.ask("is it so?")
        assert isinstance(last, Answered)
        assert last.answer.answer == "so it is"
        trips.append(proxy.round_trips - before)
    # The lease is taken and given back, the graph looks where it is and stores four times; a renewal may come between.
    assert min(trips[1:]) <= 8, trips


def test_a_request_looks_at_its_session_before_it_waits_for_it(
    conversation: Conversation, proxy: CountingProxy
) -> None:
    trips = []
    for number in range(4):
        said: Any = [{"role": "user", "content": f"is it so? {number}"}]
        asked = asked_in(ResponsesAgentRequest(input=said))
        before = proxy.round_trips
        *_, last = events_of(conversation, asked, "says")
        assert last["type"] == "response.completed"
        trips.append(proxy.round_trips - before)
    assert min(trips[1:]) <= 9, trips
