"""Real graphs on ours and on upstream's saver: the same runs, and every state and every history has to be the same.

Ids of checkpoints are numbered here, in order: upstream's latest is the one whose id sorts last. When a checkpoint was
made is not compared.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from langchain_core.messages import HumanMessage
from langgraph.types import Command, Interrupt, PregelTask, StateSnapshot

from checkpointer import acting_as
from tests.differential.budget import budget
from tests.differential.comparing import shape
from tests.differential.graph import STEPS, graph_of, numbered_ids
from tests.differential.ways import our_savers

if TYPE_CHECKING:
    from agent.database import Database
    from checkpointer import Keyring
    from tests.differential.peer import Peer

DURABILITIES = st.sampled_from(["sync", "async", "exit"])
PLANS = st.lists(st.sampled_from(STEPS), max_size=3)
CONFIG: Any = {"configurable": {"thread_id": "one"}}


def snapshot(state: Any) -> Any:
    """Everything of a state but its time."""
    if isinstance(state, StateSnapshot):
        fields: dict[str, Any] = state._asdict()
        del fields["created_at"]
        return {name: snapshot(value) for name, value in fields.items()}
    if isinstance(state, PregelTask):
        return {name: snapshot(value) for name, value in state._asdict().items()}
    if isinstance(state, Interrupt):
        return "interrupt", state.id, shape(state.value)
    if isinstance(state, tuple | list):
        return [snapshot(value) for value in state]
    if isinstance(state, dict) and "configurable" in state:  # a subgraph's names the saver itself
        return {key: value for key, value in state["configurable"].items() if not key.startswith("__pregel_")}
    if isinstance(state, BaseException):
        return repr(state)
    return shape(dict(sorted(state.items())) if isinstance(state, dict) else state)


class BothGraphs(RuleBasedStateMachine):
    """Random runs of the same graph on both savers."""

    lakehouse: Database
    encryption: Keyring | None
    peer: Peer
    patch: pytest.MonkeyPatch

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.ours = self.stack.enter_context(our_savers(self.lakehouse, encryption=self.encryption))
        self.theirs = graph_of(self.peer)
        self.mine = graph_of(self.ours.threads)
        self.mine_looped = graph_of(self.ours.looped)
        self.operation = 0

    @initialize()
    def empty(self) -> None:
        self.peer.forget_everything()

    def teardown(self) -> None:
        self.ours.call("sync", "delete_thread", "one")
        self.stack.close()

    def both(self, name: str, given: Any, looped: bool, **options: Any) -> None:
        """Call the graph's method on both, in ours' async form on the loop's saver."""
        self.operation += 1
        with numbered_ids(self.patch, self.operation):
            theirs = outcome(lambda: getattr(self.theirs, name)(*given, **options))
        with numbered_ids(self.patch, self.operation):
            mine = outcome(
                lambda: self.on_the_loop(name, given, options) if looped else self.here(name, given, options)
            )
        assert mine == theirs

    def here(self, name: str, given: Any, options: Any) -> Any:
        with acting_as(self.ours.who):
            return getattr(self.mine, name)(*given, **options)

    def on_the_loop(self, name: str, given: Any, options: Any) -> Any:
        async def call() -> Any:
            with acting_as(self.ours.who):
                return await getattr(self.mine_looped, f"a{name}")(*given, **options)

        return asyncio.run_coroutine_threadsafe(call(), self.ours.loop).result()

    def some_config(self, data: st.DataObject) -> Any:
        """The thread, or one of its checkpoints."""
        states = list(self.theirs.get_state_history(CONFIG))
        if not states or data.draw(st.integers(0, 2)):
            return CONFIG
        return data.draw(st.sampled_from(states)).config

    @rule(data=st.data(), plan=PLANS, durability=DURABILITIES, looped=st.booleans())
    def run(self, data: st.DataObject, plan: list[str], durability: str, looped: bool) -> None:
        config = self.some_config(data)
        question = {"plan": plan, "messages": [HumanMessage("go", id=f"q{self.operation}")]}
        self.both("invoke", (question, config), looped, durability=durability)

    @rule(data=st.data(), durability=DURABILITIES, looped=st.booleans())
    def resume(self, data: st.DataObject, durability: str, looped: bool) -> None:
        if not any(task.interrupts for task in self.theirs.get_state(CONFIG).tasks):
            return
        answer = data.draw(st.sampled_from(["yes", ["no", 1], {"maybe": None}]))
        self.both("invoke", (Command(resume=answer), CONFIG), looped, durability=durability)

    @rule(data=st.data(), durability=DURABILITIES, looped=st.booleans())
    def go_on(self, data: st.DataObject, durability: str, looped: bool) -> None:
        config = self.some_config(data)
        if self.theirs.get_state(config).next:
            self.both("invoke", (None, config), looped, durability=durability)

    @rule(data=st.data(), looped=st.booleans(), node=st.sampled_from(["route", "work", "ask"]))
    def update(self, data: st.DataObject, looped: bool, node: str) -> None:
        values: dict[str, Any] = data.draw(
            st.fixed_dictionaries(
                {}, optional={"plan": PLANS, "files": st.just({"by hand.txt": ["x" * 60]}), "doing": st.none()}
            )
        )
        self.both("update_state", (self.some_config(data), values, node), looped)

    @rule(way=st.sampled_from(["sync", "async on a loop's saver"]))
    def prune(self, way: Any) -> None:
        self.peer.prune(["one"])
        self.ours.call(way, "prune", ["one"])

    @invariant()
    def states_and_histories_are_the_same(self) -> None:
        with acting_as(self.ours.who):
            mine = [snapshot(state) for state in self.mine.get_state_history(CONFIG)]
            latest = snapshot(self.mine.get_state(CONFIG, subgraphs=True))
        assert mine == [snapshot(state) for state in self.theirs.get_state_history(CONFIG)]
        assert latest == snapshot(self.theirs.get_state(CONFIG, subgraphs=True))


def outcome(call: Any) -> Any:
    """What a call returns, or how it fails."""
    try:
        return "returned", snapshot(call())
    except ValueError as error:
        return "failed", repr(error)


def test_every_state_and_history_is_as_upstream_has_it(
    lakehouse: Database, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"lakehouse": lakehouse, "encryption": None, "peer": peer, "patch": monkeypatch}
    machine = type("Machine", (BothGraphs,), given)
    run_state_machine_as_test(machine, settings=budget(examples=12, steps=15))
