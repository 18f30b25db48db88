"""The history of LangGraph's DeltaChannel, whose value is rebuilt from its writes since the last snapshot.

Two round trips, however long the history: the first walks from parent to parent, so that nothing of another branch is
met, and looks at what each checkpoint holds; the second fetches what is needed, each item once. LangGraph counts in a
checkpoint's metadata the steps since the last snapshot, which tells the database where to stop walking.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph.checkpoint.base import DeltaChannelHistory, PendingWrite, writes_sort_key

from checkpointer.encoding import DICT, ITEM, LIST, SNAPSHOT, Closed, Decoder, Item, Node, Piece
from checkpointer.labels import withholding
from checkpointer.operations import COUNTERS, Context, Operation, Statement, readable_counters
from checkpointer.serializer import load

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.addresses import Address


# More ancestors than any checkpoint has.
_ALL = 2**31 - 1


def steps_since_snapshot(metadata: Mapping[str, Any]) -> int:
    """Return how many checkpoints back the oldest snapshot lies that a checkpoint is rebuilt from; 0 for none.

    Where the counters cannot be read, that is as far as there may be any. `steps_back` of `queries.sql` reads alike.
    """
    if COUNTERS not in metadata:
        return 0
    counters = readable_counters(metadata[COUNTERS])
    return _ALL if counters is None else max((steps for _, steps in counters.values()), default=0)


def history(ctx: Context, where: Address, channels: Sequence[str]) -> Operation[dict[str, DeltaChannelHistory]]:
    """Return, by channel, the value of the nearest ancestor that holds one and the writes since, oldest first."""
    place = {"owner": where.owner, "thread_id": where.thread_id, "ns": where.ns or ""}
    walk = {**place, "checkpoint_id": where.checkpoint_id, "channels": list(channels), "counters": COUNTERS}
    while channels:
        opened = [Statement("opened", place)] if where.foreign else []
        rows, *_ = yield [Statement("delta_chain", {**walk, "bounded": True}), *opened]
        found = [_found(ctx.serde, rows, channel) for channel in channels]
        if rows and rows[-1][2] and not all(each.seeded for each in found):
            # The counters led astray, which they do in no graph of LangGraph's: all the way, then.
            [rows] = yield [Statement("delta_chain", {**walk, "bounded": False})]
            found = [_found(ctx.serde, rows, channel) for channel in channels]
        if not any(each.chain for each in found):
            break
        seeds = [n for each in found for n in each.refs]
        wanted = [(each.channel, checkpoint_id) for each in found for checkpoint_id in each.chain]
        content = {
            **place,
            "epoch": rows[0][0],
            "channels": [channel for channel, _ in wanted],
            "checkpoint_ids": [checkpoint_id for _, checkpoint_id in wanted],
            "refs": seeds,
        }
        [parts] = yield [Statement("delta_parts", content)]
        if parts:  # else something of the thread was deleted meanwhile
            return _histories(ctx, where, found, parts)
    return {channel: {"writes": []} for channel in channels}


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a channel's history is: its ancestors back to the one that holds a value, newest first, and that value."""

    channel: str
    chain: list[str]
    node: Node | None
    refs: list[int]

    @property
    def seeded(self) -> bool:
        return self.node is not None


class _PartRow(NamedTuple):
    """A row of the query `delta_parts`."""

    part: str
    checkpoint_id: str
    kind: str  # of an item; a write's task
    text: str
    refs: list[int]
    body: bytes
    more: bytes
    n: int


def _found(serde: SerializerProtocol, rows: Sequence[tuple[Any, ...]], channel: str) -> _Found:
    chain: list[str] = []
    for _, checkpoint_id, _, refs, state, _ in rows[1:]:
        if checkpoint_id in chain:
            break  # parents that go round in a circle
        chain.append(checkpoint_id)
        at = 0
        for name, node in load(serde, state)["c"].items():
            end = at + 2 * _runs(node)
            if name == channel:
                return _Found(channel, chain, node, refs[at:end])
            at = end
    return _Found(channel, chain, None, [])


def _runs(node: Node) -> int:
    """Return how many runs of references belong to a node."""
    if node[0] == ITEM:
        return 1
    if node[0] == LIST:
        return int(node[1])
    if node[0] == SNAPSHOT:
        return _runs(node[1])
    if node[0] == DICT:
        return sum(part if isinstance(part, int) else _runs(part[1]) for part in node[1])
    return 0


def _histories(
    ctx: Context, where: Address, found: Sequence[_Found], parts: Sequence[tuple[Any, ...]]
) -> dict[str, DeltaChannelHistory]:
    serde = ctx.serde
    rows = [_PartRow._make(part) for part in parts]
    items: dict[int, Piece] = {row.n: Item(row.kind, row.text, row.body, row.more) for row in rows if row.part == "i"}
    thread = next(int(row.text) for row in rows if row.part == "t")
    missing = {row.n: tuple(json.loads(row.text or "[]")) for row in rows if row.part == "s"}
    closed = {
        row.n: Closed(row.kind, row.text, withholding(missing[row.refs[0]], thread, row.n))
        for row in rows
        if row.part == "x"
    }
    ctx.memory.withhold(where.memo, thread, closed.keys())
    items.update(closed)
    writes = sorted(
        (row for row in rows if row.part == "w"), key=lambda w: writes_sort_key(w.more.decode(), w.kind, w.n)
    )
    histories: dict[str, DeltaChannelHistory] = {}
    for each in found:
        by_checkpoint: dict[str, list[PendingWrite]] = {checkpoint_id: [] for checkpoint_id in reversed(each.chain)}
        for w in writes:
            if w.text == each.channel and w.checkpoint_id in by_checkpoint:
                value = Decoder(serde, items, w.refs).decode(load(serde, w.body))
                by_checkpoint[w.checkpoint_id].append((w.kind, w.text, value))
        history: DeltaChannelHistory = {"writes": [write for written in by_checkpoint.values() for write in written]}
        if each.node is not None:
            history["seed"] = Decoder(serde, items, each.refs).decode(each.node)
        histories[each.channel] = history
    return histories
