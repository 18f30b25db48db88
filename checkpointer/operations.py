"""What the checkpointer does, each operation once, without a connection.

An operation is a generator: it yields statements, is sent their rows, and returns its result. Everything that it
yields at once travels in one pipeline, one implicit transaction and one network round trip. The sync and the async
runner drive the same generators.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast
from uuid import uuid4

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_serializable_checkpoint_metadata,
)
from psycopg import DatabaseError
from psycopg.errors import UniqueViolation

from checkpointer.encoding import FIRST_VALUE, Encoder
from checkpointer.errors import StaleLeaseError, ThreadExistsError
from checkpointer.memo import Memory, StoredChannel, ThreadMemo
from checkpointer.messages import is_plain, plain_to_json
from checkpointer.reading import read_page
from checkpointer.serializer import dump

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.addresses import Address

# What a storing function raises under a lease that is no longer the latest.
STALE_LEASE = "MRG02"

T = TypeVar("T")

# Where LangGraph counts, by DeltaChannel, the updates and the steps since its last snapshot.
COUNTERS = "counters_since_delta_snapshot"
Row = tuple[Any, ...]


class Statement(NamedTuple):
    """A query of `queries.sql` by name, and its parameters.

    One that `binds` is a function of the schema that binds the principal itself; it travels alone.
    """

    name: str
    params: Mapping[str, Any]
    binds: bool = False


# Yields the statements of one round trip, is sent the rows of each, returns a result.
Operation = Generator[list[Statement], list[list[Row]], T]


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation needs besides its arguments."""

    serde: SerializerProtocol
    memory: Memory


def get_tuple(ctx: Context, where: Address) -> Operation[CheckpointTuple | None]:
    """Return the checkpoint, the latest committed one without an id, with everything it refers to."""
    params = {"thread_id": where.thread_id, "ns": where.ns or "", "checkpoint_id": where.checkpoint_id}
    [rows] = yield [Statement("get_parts", params, binds=True)]
    page = read_page(ctx.serde, ctx.memory, where.owner, rows)
    return page.tuples[0] if page.tuples else None


def put(
    ctx: Context,
    where: Address,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> Operation[RunnableConfig]:
    """Store a checkpoint. The config's checkpoint id is its parent. Storing the same one again replaces it."""
    ns = where.ns or ""
    full_metadata = cast("dict[str, Any]", get_serializable_checkpoint_metadata(config, metadata))
    run_id = full_metadata.get("run_id")
    text, opaque = _metadata(ctx.serde, full_metadata)
    values = checkpoint["channel_values"]
    # A channel that is left out goes on as it was; its parent tells how, if this process has not seen it.
    inherits = where.checkpoint_id and not new_versions.keys() | values.keys() >= checkpoint["channel_versions"].keys()
    while True:
        memo = ctx.memory.get(where.thread)
        if inherits and (memo is None or (ns, where.checkpoint_id) not in memo.checkpoints):
            yield from get_tuple(ctx, where)
            memo = ctx.memory.get(where.thread)
        before = memo.checkpoints.get((ns, where.checkpoint_id or ""), {}) if memo else {}
        encoder = Encoder(ctx.serde, memo.positions, memo.digests) if memo else Encoder(ctx.serde, {})
        channels: dict[str, tuple[Any, list[Any], int]] = {}
        for name, version in checkpoint["channel_versions"].items():
            start = len(encoder.refs)
            known = before.get(name)
            if name not in new_versions and known is not None and known.version == version:
                encoder.refs += known.refs
                channels[name] = (version, known.node, start)
            elif name in values:
                channels[name] = (version, encoder.encode(values[name]), start)
        rest = {key: value for key, value in checkpoint.items() if key != "channel_values"}
        state = dump(ctx.serde, {"k": rest, "c": {name: node for name, (_, node, _) in channels.items()}})
        params = {
            "ns": ns,
            "checkpoint_id": checkpoint["id"],
            "parent_id": where.checkpoint_id,
            "state": state,
            "run_id": run_id if isinstance(run_id, str) else None,
            "metadata": text,
            "metadata_value": opaque,
        }
        stored = yield from _store(ctx, where, memo, encoder, "put", params)
        if stored is None:
            continue
        new_memo, refs = stored
        ends = [*(start for _, _, start in channels.values()), len(refs)][1:]
        ctx.memory.remember(
            new_memo,
            (ns, checkpoint["id"]),
            {
                name: StoredChannel(version, node, tuple(refs[start:end]))
                for (name, (version, node, start)), end in zip(channels.items(), ends, strict=True)
            },
        )
        return where.config(checkpoint["id"])


def put_writes(
    ctx: Context,
    where: Address,
    writes: Sequence[tuple[str, Any]],
    task_id: str,
    task_path: str,
    idxs: Sequence[int] | None = None,
) -> Operation[None]:
    """Store what a task wrote. A batch of only special writes replaces; any other leaves what is there.

    Writes are numbered in order, special ones by their channel, where `idxs` does not say otherwise.
    """
    special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
    while writes:
        memo = ctx.memory.get(where.thread)
        encoder = Encoder(ctx.serde, memo.positions, memo.digests) if memo else Encoder(ctx.serde, {})
        bodies: list[bytes] = []
        lengths: list[int] = []
        for _, value in writes:
            start = len(encoder.refs)
            bodies.append(dump(ctx.serde, encoder.encode(value)))
            lengths.append(len(encoder.refs) - start)
        params = {
            "ns": where.ns or "",
            "checkpoint_id": where.checkpoint_id,
            "task_id": task_id,
            "task_path": task_path,
            "idxs": list(idxs or [WRITES_IDX_MAP.get(channel, i) for i, (channel, _) in enumerate(writes)]),
            "channels": [channel for channel, _ in writes],
            "lengths": lengths,
            "bodies": bodies,
            "replaces": special,
        }
        if (yield from _store(ctx, where, memo, encoder, "put_writes", params)) is not None:
            return


def delete_thread(ctx: Context, owner: str, thread_ids: Sequence[str]) -> Operation[None]:
    """Delete threads with everything in them, in every namespace. Unknown ones are no error."""
    yield [Statement("delete_threads", {"owner": owner, "thread_ids": list(thread_ids)})]
    for thread_id in thread_ids:
        ctx.memory.forget((owner, thread_id))


def delete_for_runs(ctx: Context, owner: str, run_ids: Sequence[str]) -> Operation[None]:
    """Delete what these runs stored, in every thread and namespace."""
    params = {"owner": owner, "run_ids": list(run_ids)}
    names = ("lock_threads_of_runs", "delete_run_writes", "delete_runs")
    *_, threads = yield [Statement(name, params) for name in names]
    thread_ids = [thread_id for (thread_id,) in threads]
    if thread_ids:
        yield [Statement("delete_orphan_items", {"owner": owner, "thread_ids": thread_ids})]
    for thread_id in thread_ids:
        ctx.memory.forget((owner, thread_id))


def copy_thread(owner: str, source: str, target: str) -> Operation[None]:
    """Copy a whole thread, the complete parent chain included."""
    params = {"owner": owner, "source": source, "target": target, "maker": f"copy {uuid4()}"}
    try:
        yield [Statement(name, params) for name in ("copy_thread", "copy_items", "copy_checkpoints", "copy_writes")]
    except UniqueViolation as error:
        # The copy may be this one: the answer to a first try can get lost.
        [made] = yield [Statement("made_by", params)]
        if not made:
            raise ThreadExistsError(target) from error


def _store(
    ctx: Context,
    where: Address,
    memo: ThreadMemo | None,
    encoder: Encoder,
    name: str,
    params: dict[str, Any],
) -> Operation[tuple[ThreadMemo, list[int]] | None]:
    """Run a storing query; return the thread's memo and the resolved references, or None to try again from scratch."""
    fresh, refs = encoder.fresh, encoder.refs
    statement = Statement(
        name,
        {
            **params,
            "thread_id": where.thread_id,
            "lease_id": where.lease.thread if where.lease else None,
            "lease": where.lease.number if where.lease else None,
            "known_id": memo.thread if memo else None,
            "epoch": memo.epoch if memo else None,
            "since_message": memo.next_positions[0] if memo else 0,
            "since_value": memo.next_positions[1] if memo else FIRST_VALUE,
            "lanes": [item.lane for item in fresh],
            "digests": [item.digest for item in fresh],
            "kinds": [item.kind for item in fresh],
            "messages": [item.message for item in fresh],
            "values": [item.value for item in fresh],
            "refs": refs,
            "open_at": [at + 1 for at in range(0, len(refs), 2) if refs[at] < 0],
        },
        binds=True,
    )
    try:
        [[(thread, epoch, next_message, next_value, positions)]] = yield [statement]
    except DatabaseError as error:
        if error.sqlstate != STALE_LEASE:
            raise
        raise StaleLeaseError(where.thread_id) from error
    if thread is None:
        ctx.memory.forget(where.thread)
        return None
    known = {item.digest: position for item, position in zip(fresh, positions, strict=True)}
    new_memo = ctx.memory.learn(where.thread, thread, epoch, (next_message, next_value), known)
    starts = [positions[-r - 1] if r < 0 else r for r in refs[::2]]
    return new_memo, [n for run in zip(starts, refs[1::2], strict=True) for n in run]


def _metadata(serde: SerializerProtocol, metadata: dict[str, Any]) -> tuple[str | None, bytes | None]:
    """Return metadata as JSON text where SQL can compare it, else serialised."""
    counters = metadata.get(COUNTERS)
    if isinstance(counters, dict):
        # Tuples; as lists, which LangGraph takes as well, the database can read how far a DeltaChannel goes back.
        metadata = {**metadata, COUNTERS: {channel: list(counted) for channel, counted in counters.items()}}
    if is_plain(metadata):
        text = plain_to_json(metadata)
        if "\\u0000" not in text and "\\ud" not in text:
            return text, None
    return None, dump(serde, metadata)


def filter_text(wanted: Mapping[str, Any] | None) -> str | None:
    """Return a metadata filter as JSON text, or None when only a comparison in Python can decide."""
    if not wanted or not is_plain(dict(wanted)):
        return None
    text = json.dumps(wanted)
    return None if "\\u0000" in text or "\\ud" in text else text
