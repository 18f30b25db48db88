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

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_serializable_checkpoint_metadata,
)
from psycopg.errors import RestrictViolation, UniqueViolation

from checkpointer.encoding import FIRST_VALUE, Encoder
from checkpointer.errors import (
    DeltaChannelPruneError,
    StaleLeaseError,
    ThreadDeletedError,
    ThreadExistsError,
    ThreadHeldError,
)
from checkpointer.memo import Memory, StoredChannel, ThreadMemo
from checkpointer.messages import is_plain, plain_to_json
from checkpointer.reading import read_page
from checkpointer.serializer import dump

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.addresses import Address
    from checkpointer.retention import Retention

T = TypeVar("T")
Row = tuple[Any, ...]


class Statement(NamedTuple):
    """A query of `queries.sql` by name, and its parameters."""

    name: str
    params: Mapping[str, Any]


# Yields the statements of one round trip, is sent the rows of each, returns a result.
Operation = Generator[list[Statement], list[list[Row]], T]


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation needs besides its arguments."""

    serde: SerializerProtocol
    memory: Memory
    retention: Retention | None = None
    """What is done with threads that have no policy of their own."""


def respecting_holds(operation: Operation[T]) -> Operation[T]:
    """Tell in our words what the database refuses because of a legal hold.

    Raises:
        ThreadHeldError: Something of a held thread would have been deleted or changed.
    """
    try:
        return (yield from operation)
    except RestrictViolation as error:
        raise ThreadHeldError(error.diag.message_detail or "") from error


def get_tuple(ctx: Context, where: Address) -> Operation[CheckpointTuple | None]:
    """Return the checkpoint, the latest committed one without an id, with everything it refers to."""
    params = {"owner": where.owner, "thread_id": where.thread_id, "ns": where.ns or ""}
    if where.checkpoint_id is None:
        wanted = Statement("latest", params)
    else:
        wanted = Statement("by_id", {**params, "checkpoint_id": where.checkpoint_id})
    rows, *_ = yield [wanted, *touch(ctx, where.owner, where.thread_id)]
    page = read_page(ctx.serde, ctx.memory, where.owner, rows)
    if page.last is not None and where.incarnation is not None:
        where.incarnation.learn(page.last[0])
    return page.tuples[0] if page.tuples else None


def touch(ctx: Context, owner: str, thread_id: str) -> list[Statement]:
    """Return what makes a read a use of its thread, where the thread's policy or else the saver's says so.

    A saver without a policy sends nothing: even a statement that changes nothing makes a read a fifth slower.
    """
    if ctx.retention is None:
        return []
    policy = {"refresh_on_read": ctx.retention.refresh_on_read, "ttl": ctx.retention.ttl}
    return [Statement("touch", {"owner": owner, "thread_id": thread_id, **policy})]


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
    thread = yield from _thread_of_put(ctx, where)
    while True:
        memo = ctx.memory.get(where.thread, thread)
        before = memo.checkpoints.get((ns, where.checkpoint_id or ""), {}) if memo else {}
        encoder = Encoder(ctx.serde, memo.positions if memo else {})
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
        stored = yield from _store(ctx, where, thread, memo, encoder, "put", params, seqs=1)
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
    ctx: Context, where: Address, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
) -> Operation[None]:
    """Store what a task wrote. A batch of only special writes replaces; any other leaves what is there."""
    special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
    thread = known_thread(ctx, where)
    while writes:
        memo = ctx.memory.get(where.thread, thread)
        encoder = Encoder(ctx.serde, memo.positions if memo else {})
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
            "idxs": [WRITES_IDX_MAP.get(channel, i) for i, (channel, _) in enumerate(writes)],
            "channels": [channel for channel, _ in writes],
            "lengths": lengths,
            "bodies": bodies,
        }
        name = "put_special_writes" if special else "put_writes"
        if (yield from _store(ctx, where, thread, memo, encoder, name, params, seqs=0)) is not None:
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


def prune(ctx: Context, owner: str, thread_ids: Sequence[str], strategy: str) -> Operation[None]:
    """Keep the latest checkpoint of every namespace with its pending writes and what they refer to, or nothing.

    "delete_all" is what the LangGraph server calls "delete".
    """
    if strategy in ("delete", "delete_all"):
        yield from delete_thread(ctx, owner, thread_ids)
        return
    if strategy != "keep_latest":
        msg = f"Unknown strategy {strategy!r}. Use 'keep_latest' or 'delete'."
        raise ValueError(msg)
    params = {"owner": owner, "thread_ids": list(thread_ids)}
    [delta] = yield [Statement("delta_threads", params)]
    if delta:
        raise DeltaChannelPruneError(delta[0][0])
    names = ("lock_threads", "prune_checkpoints", "delete_orphan_writes", "delete_orphan_items")
    yield [Statement(name, params) for name in names]
    for thread_id in thread_ids:
        ctx.memory.forget((owner, thread_id))


def copy_thread(owner: str, source: str, target: str) -> Operation[None]:
    """Copy a whole thread, the complete parent chain included."""
    params = {"owner": owner, "source": source, "target": target}
    try:
        yield [Statement(name, params) for name in ("copy_thread", "copy_items", "copy_checkpoints", "copy_writes")]
    except UniqueViolation as error:
        raise ThreadExistsError(target) from error


def known_thread(ctx: Context, where: Address) -> int | None:
    """Return the thread that a write belongs to, where that is known; it may have been deleted since.

    It is the one under the lease, the one that the run met first, or the one that the checkpoint was seen in. Unknown
    are the first writes of a new conversation, which may come in any order and at once.
    """
    if where.lease is not None:
        return where.lease.thread
    if where.incarnation is not None and where.incarnation.thread is not None:
        return where.incarnation.thread
    if where.checkpoint_id is None:
        return None
    return ctx.memory.thread_of(where.thread, (where.ns or "", where.checkpoint_id))


def _thread_of_put(ctx: Context, where: Address) -> Operation[int | None]:
    """Return the thread that a checkpoint belongs to, None for a new conversation.

    A parent says that the conversation is not new. One that nobody here has seen, outside of a run, is looked for.

    Raises:
        ThreadDeletedError: There is no such parent.
    """
    thread = known_thread(ctx, where)
    if thread is not None or where.checkpoint_id is None or where.incarnation is not None:
        return thread
    params = {"owner": where.owner, "thread_id": where.thread_id, "ns": where.ns or ""}
    [rows] = yield [Statement("thread_of_checkpoint", {**params, "checkpoint_id": where.checkpoint_id})]
    if not rows:
        raise ThreadDeletedError(where.thread_id)
    found: int = rows[0][0]
    return found


def _store(
    ctx: Context,
    where: Address,
    thread: int | None,
    memo: ThreadMemo | None,
    encoder: Encoder,
    name: str,
    params: dict[str, Any],
    *,
    seqs: int,
) -> Operation[tuple[ThreadMemo, list[int]] | None]:
    """Run a storing query; return the thread's memo and the resolved references, or None to try again from scratch.

    Raises:
        StaleLeaseError: Another run took over the thread, or it was deleted.
        ThreadDeletedError: The thread that the write belongs to was deleted, whether begun anew or not.
    """
    place = {"owner": where.owner, "thread_id": where.thread_id}
    fresh = encoder.fresh
    statement = Statement(
        name,
        {
            **place,
            **params,
            "seqs": seqs,
            "refs": encoder.refs,
            "lease_thread": where.lease.thread if where.lease else None,
            "lease": where.lease.number if where.lease else None,
            "known_id": memo.thread if memo else thread,
            "epoch": memo.epoch if memo else None,
            "since_message": memo.next_positions[0] if memo else 0,
            "since_value": memo.next_positions[1] if memo else FIRST_VALUE,
            "lanes": [item.lane for item in fresh],
            "digests": [item.digest for item in fresh],
            "kinds": [item.kind for item in fresh],
            "messages": [item.message for item in fresh],
            "values": [item.value for item in fresh],
        },
    )
    # A thread that was known to be there and is deleted since must not come back.
    first = [] if memo or thread is not None else [Statement("ensure_thread", place)]
    *_, held, rows = yield [*first, Statement("lock_thread", place), statement]
    if where.lease and held != [(where.lease.thread, where.lease.number)]:
        raise StaleLeaseError(where.thread_id)
    if thread is not None and [found for found, _ in held] != [thread]:
        raise ThreadDeletedError(where.thread_id)
    if not rows:
        ctx.memory.forget(where.thread)
        return None
    stored_in, epoch, next_message, next_value, positions = rows[0]
    if where.incarnation is not None:
        where.incarnation.learn(stored_in)
    known = {item.digest: position for item, position in zip(fresh, positions, strict=True)}
    new_memo = ctx.memory.learn(where.thread, stored_in, epoch, (next_message, next_value), known)
    starts = [positions[-r - 1] if r < 0 else r for r in encoder.refs[::2]]
    return new_memo, [n for run in zip(starts, encoder.refs[1::2], strict=True) for n in run]


def _metadata(serde: SerializerProtocol, metadata: dict[str, Any]) -> tuple[str | None, bytes | None]:
    """Return metadata as JSON text where SQL can compare it, else serialised."""
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
