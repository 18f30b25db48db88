"""Turn the rows of a read into checkpoint tuples."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langgraph.checkpoint.base import (
    Checkpoint,
    CheckpointTuple,
    PendingWrite,
    writes_sort_key,
)

from checkpointer.addresses import checkpoint_config, memo_key
from checkpointer.collector import paused
from checkpointer.encoding import Closed, Decoder, Item, Piece
from checkpointer.labels import withholding
from checkpointer.memo import StoredChannel
from checkpointer.serializer import load

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.memo import Held, Memory


class PartRow(NamedTuple):
    """A row of the query `parts`: a checkpoint ('c'), a pending write ('w') or an item ('i')."""

    part: str
    thread: int
    seq: int
    thread_id: str
    ns: str
    checkpoint_id: str
    extra: str | None
    text: str | None
    refs: list[int]
    body: bytes
    more: bytes | None
    epoch: int
    n: int
    m: int


@dataclass(frozen=True, slots=True)
class Page:
    """Checkpoints, newest first, and where the next page starts: after this thread number and sequence number."""

    tuples: list[CheckpointTuple]
    last: tuple[int, int] | None


def read_page(
    serde: SerializerProtocol, memory: Memory, reader: str, owner: str, held: Held, rows: Sequence[tuple[Any, ...]]
) -> Page:
    """Decode a page of rows and of what was held when they were asked for, remembering what is stored where."""
    parts: dict[str, list[PartRow]] = defaultdict(list)
    items: dict[int, dict[int, Item]] = defaultdict(dict)
    for raw in rows:
        if raw[0] == "i":
            items[raw[1]][raw[12]] = Item(raw[4], raw[7], raw[9], raw[10])
        else:
            parts[raw[0]].append(PartRow._make(raw))
    missing = {row.n: tuple(json.loads(row.text or "[]")) for row in parts["s"]}
    closed: dict[int, dict[int, Closed]] = defaultdict(dict)
    for row in parts["x"]:
        closed[row.thread][row.n] = Closed(row.ns, row.text, withholding(missing[row.refs[0]], row.thread, row.n))
    writes: dict[tuple[int, str, str], list[PartRow]] = defaultdict(list)
    for row in parts["w"]:
        writes[row.thread, row.ns, row.checkpoint_id].append(row)
    found = sorted(parts["c"], key=lambda row: (row.thread, row.seq), reverse=True)
    pieces: dict[int, dict[int, Piece]] = {}
    for thread, at in {row.thread: row for row in found}.items():
        fresh = items[thread]
        positions = {item.digest: position for position, item in fresh.items()}
        key = memo_key(reader, owner, at.thread_id)
        memory.learn(key, thread, at.epoch, (at.n, at.m), positions)
        before = held.items if thread == held.thread else {}
        pieces[thread] = cast("dict[int, Piece]", memory.hold(key, thread, {**before, **fresh}))
        if thread in closed:
            # Beside what is held, not in it: when access comes back, so does the content.
            pieces[thread] = {**pieces[thread], **closed[thread]}
            memory.withhold(key, thread, closed[thread])
    # What several checkpoints share, or is read again, is made ready for that.
    shared = len(found) > 1
    with paused():
        tuples = [
            _tuple(
                serde,
                memory,
                reader,
                owner,
                row,
                pieces[row.thread],
                () if shared else items[row.thread],
                writes[row.thread, row.ns, row.checkpoint_id],
            )
            for row in found
        ]
    return Page(tuples, (found[-1].thread, found[-1].seq) if found else None)


def _tuple(
    serde: SerializerProtocol,
    memory: Memory,
    reader: str,
    owner: str,
    row: PartRow,
    items: dict[int, Piece],
    once: Collection[int],
    writes: list[PartRow],
) -> CheckpointTuple:
    state = load(serde, row.body)
    checkpoint, nodes = state["k"], state["c"]
    memo = memory.learn(memo_key(reader, owner, row.thread_id), row.thread, row.epoch, (row.n, row.m), {})
    decoder = Decoder(serde, items, row.refs, once, memo)
    values: dict[str, Any] = {}
    channels: dict[str, StoredChannel] = {}
    for name, node in nodes.items():
        start = decoder.at
        values[name] = decoder.decode(node)
        refs = tuple(row.refs[start : decoder.at])
        channels[name] = StoredChannel(checkpoint["channel_versions"].get(name), node, refs)
    memory.remember(memo, (row.ns, row.checkpoint_id), channels)
    foreign = None if reader == owner else owner
    return CheckpointTuple(
        config=checkpoint_config(row.thread_id, row.ns, row.checkpoint_id, foreign),
        checkpoint=cast("Checkpoint", {**checkpoint, "id": row.checkpoint_id, "channel_values": values}),
        metadata=json.loads(row.text) if row.text is not None else load(serde, row.more or b""),
        parent_config=checkpoint_config(row.thread_id, row.ns, row.extra, foreign) if row.extra else None,
        pending_writes=_pending(serde, items, writes),
    )


def _pending(serde: SerializerProtocol, items: dict[int, Piece], writes: list[PartRow]) -> list[PendingWrite]:
    ordered = sorted(writes, key=lambda w: writes_sort_key((w.more or b"").decode(), w.extra or "", w.n))
    return [(w.extra or "", w.text or "", Decoder(serde, items, w.refs).decode(load(serde, w.body))) for w in ordered]
