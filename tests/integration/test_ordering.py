"""The latest checkpoint is the latest committed, whatever the clock of the machine that wrote it.

Checkpoint ids are made of the writer's clock (uuid6). Here the writers' clocks are set by hand.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import _checkpoint
from langgraph.types import Command, interrupt

from checkpointer import GovernedPostgresSaver, Principal
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database


@pytest.fixture
def behind(lakehouse: Database, person: Principal) -> Iterator[GovernedPostgresSaver]:
    """The saver of another process, whose machine's clock is behind."""
    with saver_of(lakehouse, person) as opened:
        yield opened


@contextmanager
def clock(patch: pytest.MonkeyPatch, minutes: int) -> Iterator[None]:
    """Make checkpoint ids as if it were so many minutes past the hour."""
    ticks = itertools.count(minutes * 60_000_000)
    with patch.context() as patched:
        patched.setattr(_checkpoint, "uuid6", lambda **_: UUID(int=(next(ticks) << 64) + uuid4().int % (1 << 64)))
        yield


def asking(saver: GovernedPostgresSaver) -> Any:
    """A graph that asks before it answers."""

    def answer(state: MessagesState) -> dict[str, Any]:
        sure = interrupt("sure?")
        return {"messages": [AIMessage(f"{sure}: {state['messages'][-1].text}", id=str(uuid4()))]}

    return StateGraph(MessagesState).add_node("bot", answer).add_edge(START, "bot").compile(checkpointer=saver)


def said(text: str) -> Any:
    return {"messages": [HumanMessage(text, id=str(uuid4()))]}


def texts(state: Any) -> list[str]:
    return [message.text for message in state.values.get("messages", [])]


def thread() -> Any:
    return {"configurable": {"thread_id": str(uuid4())}}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_no_turn_is_lost_from_sight(
    saver: GovernedPostgresSaver, behind: GovernedPostgresSaver, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    config = thread()
    expected: list[str] = []
    for n, (writer, minutes) in enumerate([(saver, 50), (behind, 40), (behind, 41), (saver, 51), (behind, 30)]):
        with clock(monkeypatch, minutes):
            asking(writer).invoke(said(f"question {n}"), config, durability=durability)
        # the answer to the interrupt comes to the other process
        other = saver if writer is behind else behind
        with clock(monkeypatch, 20 if other is behind else 55):
            asking(other).invoke(Command(resume="yes"), config, durability=durability)
        expected += [f"question {n}", f"yes: question {n}"]

        assert texts(asking(saver).get_state(config)) == expected
        assert texts(asking(behind).get_state(config)) == expected


def test_history_is_in_the_order_of_commits(
    saver: GovernedPostgresSaver, behind: GovernedPostgresSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = thread()
    for n, (writer, minutes) in enumerate([(saver, 50), (behind, 40), (saver, 51)]):
        with clock(monkeypatch, minutes):
            asking(writer).invoke(said(f"question {n}"), config, durability="sync")
            asking(writer).update_state(config, {"messages": [AIMessage("by hand", id=str(uuid4()))]}, as_node="bot")

    history = list(asking(saver).get_state_history(config))

    assert [state.metadata["step"] for state in history] == list(range(len(history) - 2, -2, -1))
    for newer, older in itertools.pairwise(history):
        assert newer.parent_config == older.config
    for at, state in enumerate(history):
        after = list(asking(saver).get_state_history(config, before=state.config))
        assert [each.config for each in after] == [each.config for each in history[at + 1 :]]
        first = list(asking(saver).get_state_history(config, before=state.config, limit=1))
        assert [each.config for each in first] == [each.config for each in history[at + 1 : at + 2]]


async def test_the_same_for_async_callers(
    lakehouse: Database, person: Principal, saver: GovernedPostgresSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = thread()
    with clock(monkeypatch, 50):
        asking(saver).invoke(said("question"), config)
    async with saver_of(lakehouse, person) as behind:
        with clock(monkeypatch, 40):
            await asking(behind).ainvoke(Command(resume="yes"), config)
        assert texts(await asking(behind).aget_state(config)) == ["question", "yes: question"]
        history = [texts(state) async for state in asking(behind).aget_state_history(config)]
    assert history == [["question", "yes: question"], ["question"], []]


def put(saver: GovernedPostgresSaver, config: Any, checkpoint_id: str) -> Any:
    checkpoint: Any = {**empty_checkpoint(), "id": checkpoint_id, "channel_values": {}, "channel_versions": {}}
    return saver.put(config, checkpoint, {}, {})


def ids(found: Any) -> list[str]:
    return [each.checkpoint["id"] for each in found]


def test_pages_of_a_listing_go_on_where_the_last_one_ended_although_ids_go_down(saver: GovernedPostgresSaver) -> None:
    config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    order = [f"{n:04}" for n in range(120, 0, -1)]
    for checkpoint_id in order:
        put(saver, config, checkpoint_id)

    assert ids(saver.list(config)) == order[::-1]
    assert ids(saver.list(config, limit=70)) == order[::-1][:70]
    before: Any = {"configurable": {"checkpoint_id": order[100]}}
    assert ids(saver.list(config, before=before)) == order[:100][::-1]

    other: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    for checkpoint_id in order:
        put(saver, other, checkpoint_id)
    assert ids(saver.list(None)) == order[::-1] * 2
    assert ids(saver.list(None, limit=140)) == order[::-1] + order[::-1][:20]


def test_storing_a_checkpoint_again_does_not_make_it_the_latest(saver: GovernedPostgresSaver) -> None:
    config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    put(saver, config, "first")
    put(saver, config, "b second")

    put(saver, config, "first")

    assert ids(saver.list(config)) == ["b second", "first"]


def test_whoever_has_stored_sees_it_or_what_came_after(lakehouse: Database, person: Principal) -> None:
    # given eight writers at once, each with a clock of its own
    config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    with saver_of(lakehouse, person, max_size=8) as saver:

        def write(writer: int) -> None:
            for n in range(12):
                seen = ids(saver.list(config))
                mine = f"{writer if n % 2 else 9 - writer}-{writer}-{n}"
                put(saver, config, mine)
                found = ids(saver.list(config))
                assert found[len(found) - len(seen) :] == seen  # nothing was put below what was there
                assert found.index(mine) < len(found) - len(seen)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        assert len(ids(saver.list(config))) == 8 * 12
