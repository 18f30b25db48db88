"""The saver's contract, operation by operation: ours and upstream's give the same answer to every read.

Kept out is what only one of the two promises. Upstream's latest checkpoint is the one whose id sorts last, so ids are
made in order here (tests/integration/test_ordering.py has the rest). Its listing across threads is by id, ours by
thread, so those are compared thread by thread. A checkpoint is only forked while it is there: upstream's pruning takes
the values along that a later child of it would refer to.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT, RESUME

from checkpointer import ThreadExistsError
from tests.differential.budget import budget
from tests.differential.comparing import seen
from tests.differential.values import VALUES, edits
from tests.differential.ways import WAYS, Way, our_savers

if TYPE_CHECKING:
    from agent.database import Database
    from checkpointer import Keyring
    from tests.differential.peer import Peer

THREADS = ("one", "two")
NAMESPACES = ("", "inner")
CHANNELS = ("messages", "files", "note")
RUNS = ("run-1", "run-2")
TASKS = ("task-b", "task-a", "task-c")
SPECIAL = (ERROR, INTERRUPT, RESUME)


@dataclass(frozen=True)
class Stored:
    """A checkpoint that was put, as both savers were given it."""

    thread: str
    ns: str
    id: str
    parent: str | None
    values: dict[str, Any]
    versions: dict[str, int]
    theirs: dict[str, str]


class BothSavers(RuleBasedStateMachine):
    """Random operations on both savers. Ours is called in a way of its own each time."""

    lakehouse: Database
    encryption: Keyring | None
    peer: Peer

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.ours = self.stack.enter_context(our_savers(self.lakehouse, encryption=self.encryption))
        self.stored: list[Stored] = []
        self.ids = count(1)
        self.newest = 0
        self.steps = 0

    @initialize()
    def empty(self) -> None:
        self.peer.forget_everything()

    def teardown(self) -> None:
        for thread in THREADS:
            self.ours.call("sync", "delete_thread", thread)
        self.stack.close()

    # --- writing ----------------------------------------------------------------------------------------------

    @rule(data=st.data(), thread=st.sampled_from(THREADS), ns=st.sampled_from(NAMESPACES), way=st.sampled_from(WAYS))
    def put(self, data: st.DataObject, thread: str, ns: str, way: Way) -> None:
        here = [each for each in self.stored if (each.thread, each.ns) == (thread, ns)]
        parent = data.draw(st.sampled_from(here[::-1]) | st.none()) if here else None
        values = dict(parent.values) if parent else {}
        versions, theirs = (dict(parent.versions), dict(parent.theirs)) if parent else ({}, {})
        n = self.newest = next(self.ids)
        changed = data.draw(st.sets(st.sampled_from(CHANNELS)))
        for name in sorted(changed):
            versions[name] = versions.get(name, 0) + 1
            theirs[name] = f"{versions[name]:032}.{n:016}"
            if name in values and data.draw(st.integers(0, 7)) == 0:
                del values[name]
            else:
                values[name] = data.draw(edits(values.get(name)))
        new = Stored(
            thread, ns, f"1ef4f797-8335-6428-8001-{n:012}", parent.id if parent else None, values, versions, theirs
        )
        metadata = {
            "source": data.draw(st.sampled_from(["input", "loop"])),
            "step": n,
            "run_id": data.draw(st.sampled_from(RUNS)),
        }
        self.store(way, new, metadata, changed)
        self.stored.append(new)

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), way=st.sampled_from(WAYS))
    def put_again(self, data: st.DataObject, way: Way) -> None:
        again = data.draw(st.sampled_from(self.stored))
        there = {(each.thread, each.ns, each.id) for each in self.stored}
        if again.parent and (again.thread, again.ns, again.parent) not in there:
            return  # whether it gets its parent back is nobody's promise
        self.store(way, again, {"source": "update", "step": 0}, set(again.versions))

    def store(self, way: Way, new: Stored, metadata: dict[str, Any], changed: set[str]) -> None:
        config: Any = {"configurable": {"thread_id": new.thread, "checkpoint_ns": new.ns, "checkpoint_id": new.parent}}
        common = {"v": 4, "id": new.id, "ts": "2024-05-04T06:32:42", "versions_seen": {}, "updated_channels": None}
        checkpoint = {**common, "channel_values": new.values, "channel_versions": new.versions}
        mine = self.ours.call(way, "put", config, checkpoint, metadata, {name: new.versions[name] for name in changed})
        checkpoint = {**common, "channel_values": new.values, "channel_versions": new.theirs}
        their_metadata: Any = metadata
        their_checkpoint: Any = checkpoint
        theirs = self.peer.put(config, their_checkpoint, their_metadata, {name: new.theirs[name] for name in changed})
        assert mine == theirs

    @rule(data=st.data(), thread=st.sampled_from(THREADS), ns=st.sampled_from(NAMESPACES), way=st.sampled_from(WAYS))
    def put_writes(self, data: st.DataObject, thread: str, ns: str, way: Way) -> None:
        here = [each.id for each in self.stored if (each.thread, each.ns) == (thread, ns)]
        # also for a checkpoint that comes later: LangGraph does not wait for writes before the next put. One that was
        # there and is gone would be a late write, which only upstream stores.
        checkpoint_id = data.draw(st.sampled_from([*here[::-1], f"1ef4f797-8335-6428-8001-{self.newest + 2:012}"]))
        channels: st.SearchStrategy[str] = st.sampled_from((*CHANNELS, *SPECIAL))
        if data.draw(st.booleans()):
            channels = st.sampled_from(SPECIAL)
        writes = data.draw(st.lists(st.tuples(channels, VALUES), min_size=1, max_size=4))
        task = data.draw(st.sampled_from(TASKS))
        config = {"configurable": {"thread_id": thread, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}
        path = {"task-a": "~2", "task-b": "~1", "task-c": ""}[task]
        self.do(way, "put_writes", config, writes, task, path)

    # --- whole threads ----------------------------------------------------------------------------------------

    @rule(thread=st.sampled_from(THREADS), way=st.sampled_from(WAYS))
    def delete_thread(self, thread: str, way: Way) -> None:
        self.do(way, "delete_thread", thread)
        self.forget_the_gone()

    @rule(runs=st.sets(st.sampled_from(RUNS)), way=st.sampled_from(WAYS))
    def delete_for_runs(self, runs: set[str], way: Way) -> None:
        self.do(way, "delete_for_runs", sorted(runs))
        self.forget_the_gone()

    @rule(source=st.sampled_from(THREADS), to=st.sampled_from(THREADS), way=st.sampled_from(WAYS))
    def copy_thread(self, source: str, to: str, way: Way) -> None:
        if source == to:
            return
        try:
            self.ours.call(way, "copy_thread", source, to)
        except ThreadExistsError:
            return
        self.peer.copy_thread(source, to)
        self.stored += [
            Stored(to, s.ns, s.id, s.parent, s.values, s.versions, s.theirs) for s in self.stored if s.thread == source
        ]

    @rule(
        threads=st.sets(st.sampled_from(THREADS)),
        strategy=st.sampled_from(["keep_latest", "keep_latest", "delete"]),
        way=st.sampled_from(WAYS),
    )
    def prune(self, threads: set[str], strategy: str, way: Way) -> None:
        self.do(way, "prune", sorted(threads), strategy=strategy)
        self.forget_the_gone()

    def do(self, way: Way, name: str, *args: Any, **options: Any) -> None:
        assert self.ours.call(way, name, *args, **options) == getattr(self.peer, name)(*args, **options)

    def forget_the_gone(self) -> None:
        found = [each.config["configurable"] for each in self.peer.list(None)]
        there = {(each["thread_id"], each["checkpoint_ns"], each["checkpoint_id"]) for each in found}
        self.stored = [each for each in self.stored if (each.thread, each.ns, each.id) in there]

    # --- reading ----------------------------------------------------------------------------------------------

    @rule(thread=st.sampled_from(THREADS), ns=st.sampled_from([None, *NAMESPACES]), way=st.sampled_from(WAYS))
    def latest(self, thread: str, ns: str | None, way: Way) -> None:
        self.same_tuple(way, {"thread_id": thread} | ({} if ns is None else {"checkpoint_ns": ns}))

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), way=st.sampled_from(WAYS))
    def by_id(self, data: st.DataObject, way: Way) -> None:
        each = data.draw(st.sampled_from(self.stored))
        self.same_tuple(way, {"thread_id": each.thread, "checkpoint_ns": each.ns, "checkpoint_id": each.id})

    def same_tuple(self, way: Way, configurable: dict[str, Any]) -> None:
        config: Any = {"configurable": configurable}
        assert seen(self.ours.call(way, "get_tuple", config)) == seen(self.peer.get_tuple(config))

    @rule(
        data=st.data(),
        thread=st.sampled_from(THREADS),
        ns=st.sampled_from([None, *NAMESPACES]),
        limit=st.none() | st.integers(0, 4),
        way=st.sampled_from(WAYS),
    )
    def listed(self, data: st.DataObject, thread: str, ns: str | None, limit: int | None, way: Way) -> None:
        config: Any = {"configurable": {"thread_id": thread} | ({} if ns is None else {"checkpoint_ns": ns})}
        ids = [each.id for each in self.stored if each.thread == thread and ns in (None, each.ns)]
        before: Any = None
        if data.draw(st.booleans()) and ids:
            before = {"configurable": {"thread_id": thread, "checkpoint_id": data.draw(st.sampled_from(ids))}}
        wanted: dict[str, str] = data.draw(
            st.fixed_dictionaries(
                {}, optional={"source": st.sampled_from(["input", "loop"]), "run_id": st.sampled_from(RUNS)}
            )
        )
        options: Any = {"before": before, "filter": wanted, "limit": limit}
        mine = self.ours.call(way, "list", config, **options)
        assert [seen(each) for each in mine] == [seen(each) for each in self.peer.list(config, **options)]

    @invariant()
    def everything_is_the_same(self) -> None:
        way = WAYS[self.steps % len(WAYS)]
        mine = [seen(each) for each in self.ours.call(way, "list", None)]
        theirs = [seen(each) for each in self.peer.list(None)]
        for thread in THREADS:
            assert [c for c in mine if c["config"]["thread_id"] == thread] == [
                c for c in theirs if c["config"]["thread_id"] == thread
            ]
        self.steps += 1


def test_every_read_is_answered_as_upstream_does(lakehouse: Database, peer: Peer) -> None:
    machine = type("Machine", (BothSavers,), {"lakehouse": lakehouse, "encryption": None, "peer": peer})
    run_state_machine_as_test(machine, settings=budget(examples=24, steps=40))
