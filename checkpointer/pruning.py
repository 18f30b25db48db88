"""Forget old checkpoints: all but the latest of every namespace, and what that one is built on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from checkpointer.delta import steps_since_snapshot
from checkpointer.operations import COUNTERS, Context, Operation, Statement, delete_thread
from checkpointer.serializer import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.checkpoint.serde.base import SerializerProtocol


def prune(ctx: Context, owner: str, thread_ids: Sequence[str], strategy: str) -> Operation[None]:
    """Keep the latest checkpoint of every namespace with its pending writes and what they refer to, or nothing.

    Where a DeltaChannel is rebuilt from ancestors of the latest checkpoint, those are kept, back to its last snapshot.
    "delete_all" is what the LangGraph server calls "delete".
    """
    if strategy in ("delete", "delete_all"):
        yield from delete_thread(ctx, owner, thread_ids)
        return
    if strategy != "keep_latest":
        msg = f"Unknown strategy {strategy!r:.80}. Use 'keep_latest' or 'delete'."
        raise ValueError(msg)
    params = {"owner": owner, "thread_ids": list(thread_ids), "counters": COUNTERS}
    heads = yield from _prune(params, "prune_plain", "opaque_heads")
    if heads:
        # Of metadata that SQL cannot read, it is told here how far back a checkpoint goes.
        yield from _prune({**params, **_heads(ctx.serde, heads)}, "prune_checkpoints")
    for thread_id in thread_ids:
        ctx.memory.forget((owner, thread_id))


def _prune(params: dict[str, Any], name: str, *then: str) -> Operation[list[tuple[Any, ...]]]:
    """Prune in one trip; return the rows of its last statement."""
    names = ("lock_threads", name, "cut_parents", "delete_orphan_items", *then)
    *_, rows = yield [Statement(each, params) for each in names]
    return rows


def _heads(serde: SerializerProtocol, heads: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Return the parameters of `prune_checkpoints`: the latest checkpoints, and how many ancestors each is built on.

    A call of a subgraph has a namespace of its own, which ends in its task's id. It goes with the checkpoint of the
    root graph that it was made from, unless that is the one that is kept.
    """
    kept: dict[str, list[Any]] = {"threads": [], "namespaces": [], "checkpoint_ids": [], "depths": [], "roots": []}
    for thread, ns, checkpoint_id, text, opaque in heads:
        metadata = json.loads(text) if text is not None else load(serde, opaque)
        parents = metadata.get("parents")
        root = parents.get("") if ":" in ns and isinstance(parents, Mapping) else None
        row = (thread, ns, checkpoint_id, steps_since_snapshot(metadata), root if isinstance(root, str) else None)
        for column, value in zip(kept.values(), row, strict=True):
            column.append(value)
    return kept
