"""What the checkpointer does, each operation once, without a connection.

An operation is a generator: it yields statements, is sent their rows, and returns its result. Everything that it
yields at once travels in one pipeline, one implicit transaction and one network round trip. The sync and the async
runner drive the same generators.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
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
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT
from psycopg import DatabaseError
from psycopg.errors import RestrictViolation, UniqueViolation

from checkpointer.addresses import OWNER
from checkpointer.arrays import Blobs, Ints, Texts
from checkpointer.encoding import FIRST_VALUE, Encoder, Item, is_list
from checkpointer.errors import (
    NotAuditorError,
    StaleLeaseError,
    ThreadDeletedError,
    ThreadExistsError,
    ThreadHeldError,
    ThreadNotFoundError,
    ViewerError,
    WithheldItemGoneError,
)
from checkpointer.labels import NONE, Labels, LabelsOf, labels_of
from checkpointer.memo import NOTHING_HELD, Memory, StoredChannel, ThreadMemo
from checkpointer.messages import is_plain, plain_to_json
from checkpointer.reading import read_page
from checkpointer.serializer import dump, marked

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.addresses import Address
    from checkpointer.retention import Retention

# The channel that transcripts are made of, which is LangGraph's own name for it.
CONVERSATION = "messages"

# What the functions of the schema raise: under a lease that is no longer the latest, for a viewer who writes to a
# thread, for anybody else who may not, and for whoever breaks the glass and is no auditor.
STALE_LEASE, A_VIEWER, NO_THREAD, NO_AUDITOR = "MRG02", "MRG03", "MRG04", "MRG05"

T = TypeVar("T")

# Where LangGraph counts, by DeltaChannel, the updates and the steps since its last snapshot.
COUNTERS = "counters_since_delta_snapshot"
Row = tuple[Any, ...]


class Statement(NamedTuple):
    """A query of `queries.sql` by name, and its parameters.

    One that `binds` is a function of the schema that binds the principal itself; it travels alone. `held` counts what
    may have to be decoded besides the rows that come.
    """

    name: str
    params: Mapping[str, Any]
    binds: bool = False
    held: int = 0


# Yields the statements of one round trip, is sent the rows of each, returns a result.
Operation = Generator[list[Statement], list[list[Row]], T]


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation needs besides its arguments."""

    serde: SerializerProtocol
    memory: Memory
    labels_of: LabelsOf = labels_of
    retention: Retention | None = None
    """What is done with threads that have no policy of their own."""


def explained(operation: Operation[T]) -> Operation[T]:
    """Tell in our words what the database refuses because of a legal hold, or because a thread is another's.

    Raises:
        ThreadHeldError: Something of a held thread would have been deleted or changed.
        ViewerError: The thread is shared for reading only.
        ThreadNotFoundError: There is no such thread of the owner's, or it is not shared.
        NotAuditorError: Only auditors may.
    """
    try:
        return (yield from operation)
    except DatabaseError as error:
        named, owner = error.diag.message_detail or "", error.diag.message_hint or ""
        if isinstance(error, RestrictViolation):
            raise ThreadHeldError(named) from error
        if error.sqlstate == A_VIEWER:
            raise ViewerError(named, owner) from error
        if error.sqlstate == NO_AUDITOR:
            raise NotAuditorError from error
        if error.sqlstate == NO_THREAD:
            raise ThreadNotFoundError(named, owner) from error
        raise


def get_tuple(ctx: Context, where: Address) -> Operation[CheckpointTuple | None]:
    """Return the checkpoint, the latest committed one without an id, with everything it refers to."""
    params = {
        "owner": where.owner,
        "thread_id": where.thread_id,
        "ns": where.ns or "",
        "checkpoint_id": where.checkpoint_id,
    }
    # A saver without a policy only reads: a statement that may write makes a read a fifth slower.
    policy = ctx.retention
    name = "get_parts" if policy is None else "use_parts"
    held = ctx.memory.held(where.memo)
    [rows] = yield [Statement(name, {**params, **held.params, **policy_of(policy)}, binds=True, held=len(held.items))]
    page = read_page(ctx.serde, ctx.memory, where.reader, where.owner, held, rows)
    if page.last is not None and where.incarnation is not None:
        where.incarnation.learn(page.last[0])
    return page.tuples[0] if page.tuples else None


def export(ctx: Context, where: Address) -> Operation[CheckpointTuple | None]:
    """Return the checkpoint as `get_tuple` does; the audit tells that it was taken out."""
    params = {
        "owner": where.owner,
        "thread_id": where.thread_id,
        "ns": "",
        "checkpoint_id": None,
        **NOTHING_HELD.params,
    }
    _, rows = yield [Statement("exported", params), Statement("get_parts", params)]
    page = read_page(ctx.serde, ctx.memory, where.reader, where.owner, NOTHING_HELD, rows)
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
    full_metadata.pop(OWNER, None)  # an address, which LangGraph takes from the config
    run_id = full_metadata.get("run_id")
    text, opaque = _metadata(ctx.serde, full_metadata)
    values = checkpoint["channel_values"]
    thread = yield from _thread_of_put(ctx, where)
    # A channel that is left out goes on as it was; its parent tells how, if this process has not seen it.
    inherits = where.checkpoint_id and not new_versions.keys() | values.keys() >= checkpoint["channel_versions"].keys()
    while True:
        memo = yield from _memo(ctx, where, thread)
        if inherits and (memo is None or (ns, where.checkpoint_id) not in memo.checkpoints):
            yield from get_tuple(ctx, where)
            memo = ctx.memory.get(where.memo, thread)
        before = memo.checkpoints.get((ns, where.checkpoint_id or ""), {}) if memo else {}
        encoder = _encoder(ctx, memo)
        channels: dict[str, tuple[Any, list[Any], int]] = {}
        for name, version in checkpoint["channel_versions"].items():
            start = len(encoder.refs)
            known = before.get(name)
            if name not in new_versions and known is not None and known.version == version:
                encoder.refs += known.refs
                channels[name] = (version, known.node, start)
            elif name in values:
                channels[name] = (version, encoder.encode(values[name]), start)
        if encoder.unknown and memo is not None:
            yield from _find_originals(ctx, where, memo, encoder.unknown)
            continue
        rest = {key: value for key, value in checkpoint.items() if key != "channel_values"}
        state = dump(ctx.serde, {"k": rest, "c": {name: node for name, (_, node, _) in channels.items()}})
        ends = [*(start for _, _, start in channels.values()), len(encoder.refs)][1:]
        for (name, (_, node, start)), end in zip(channels.items(), ends, strict=True):
            if name == CONVERSATION and is_list(node):
                state = marked(state, start + 1, end)
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
    # An error's text and what an interrupt asks about may quote anything that their task saw.
    inherits = any(channel in (ERROR, INTERRUPT) for channel, _ in writes)
    thread = known_thread(ctx, where)
    while writes:
        memo = yield from _memo(ctx, where, thread)
        encoder = _encoder(ctx, memo)
        encoder.apart = inherits
        bodies: list[bytes] = []
        lengths: list[int] = []
        for _, value in writes:
            start = len(encoder.refs)
            bodies.append(dump(ctx.serde, encoder.encode(value)))
            lengths.append(len(encoder.refs) - start)
        if encoder.unknown and memo is not None:
            yield from _find_originals(ctx, where, memo, encoder.unknown)
            continue
        params = {
            "ns": where.ns or "",
            "checkpoint_id": where.checkpoint_id,
            "task_id": task_id,
            "task_path": task_path,
            "idxs": Ints(idxs or [WRITES_IDX_MAP.get(channel, i) for i, (channel, _) in enumerate(writes)]),
            "channels": Texts(channel for channel, _ in writes),
            "lengths": Ints(lengths),
            "bodies": Blobs(bodies),
            "replaces": special,
            "inherits": inherits,
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
        yield [Statement(name, params) for name in ("copy_content", "copy_checkpoints", "copy_writes")]
    except UniqueViolation as error:
        # The copy may be this one: the answer to a first try can get lost.
        [made] = yield [Statement("made_by", params)]
        if not made:
            raise ThreadExistsError(target) from error


def policy_of(retention: Retention | None) -> dict[str, Any]:
    """Return the parameters of what makes a read a use of its thread, where a policy says so."""
    return {"refresh_on_read": retention.refresh_on_read, "ttl": retention.ttl} if retention else {}


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
    return ctx.memory.thread_of(where.memo, (where.ns or "", where.checkpoint_id))


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


def _memo(ctx: Context, where: Address, thread: int | None) -> Operation[ThreadMemo | None]:
    """Return what is remembered of the thread that a write belongs to.

    A write with a memo, or under a lease, goes into that very thread or nowhere. One that knows its thread and
    remembers nothing of it, because it was pruned or begun anew meanwhile, looks first.

    Raises:
        ThreadDeletedError: The thread was deleted.
    """
    memo = ctx.memory.get(where.memo, thread)
    if memo is not None or thread is None or where.lease is not None:
        return memo
    [rows] = yield [Statement("epoch_of_thread", {"owner": where.owner, "thread_id": where.thread_id, "id": thread})]
    if not rows:
        raise ThreadDeletedError(where.thread_id)
    return ctx.memory.learn(where.memo, thread, rows[0][0], (0, FIRST_VALUE), {})


def _encoder(ctx: Context, memo: ThreadMemo | None) -> Encoder:
    if memo is None:
        return Encoder(ctx.serde, {}, labels_of=ctx.labels_of)
    return Encoder(ctx.serde, memo.positions, memo.digests, ctx.labels_of, memo)


def _find_originals(ctx: Context, where: Address, memo: ThreadMemo, items: Iterable[int]) -> Operation[None]:
    """Find the items that placeholders stand for, which another process may have handed out.

    Raises:
        WithheldItemGoneError: One of them is not in the thread any more.
    """
    wanted = sorted(set(items))
    [rows] = yield [Statement("present_items", {"owner": where.owner, "thread": memo.thread, "items": wanted})]
    if len(rows) < len(wanted):
        raise WithheldItemGoneError(where.thread_id)
    ctx.memory.withhold(where.memo, memo.thread, wanted)
    memo.withheld.update(wanted)


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
            "owner": where.owner,
            "thread_id": where.thread_id,
            "lease_id": where.lease.thread if where.lease else None,
            "lease": where.lease.number if where.lease else None,
            "known_id": memo.thread if memo else None,
            "epoch": memo.epoch if memo else None,
            "since_message": memo.next_positions[0] if memo else 0,
            "since_value": memo.next_positions[1] if memo else FIRST_VALUE,
            "lanes": Ints(item.lane for item in fresh),
            "digests": Blobs(item.digest for item in fresh),
            "kinds": Texts(item.kind for item in fresh),
            "messages": Texts(item.message for item in fresh),
            "values": Blobs(item.value for item in fresh),
            **_labels(fresh),
            **_reads(fresh),
            "refs": Ints(refs),
            "open_at": Ints(at + 1 for at in range(0, len(refs), 2) if refs[at] < 0),
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
        ctx.memory.forget(where.memo)
        return None
    if where.incarnation is not None:
        where.incarnation.learn(thread)
    known = {item.digest: position for item, position in zip(fresh, positions, strict=True)}
    new_memo = ctx.memory.learn(where.memo, thread, epoch, (next_message, next_value), known)
    ctx.memory.hold(where.memo, thread, dict(zip(positions, fresh, strict=True)))
    starts = [positions[-r - 1] if r < 0 else r for r in refs[::2]]
    return new_memo, [n for run in zip(starts, refs[1::2], strict=True) for n in run]


def _labels(fresh: Sequence[Item]) -> dict[str, Any]:
    """Return the label sets of items: for each item the number of its set, and for each label its set's number."""
    numbers: dict[Labels, int] = {NONE: 0}
    for item in fresh:
        numbers.setdefault(item.labels, len(numbers))
    labels = [(number, source, fingerprint) for each, number in numbers.items() for source, fingerprint in each]
    return {
        "envelopes": Texts(item.envelope for item in fresh),
        "sets": Ints(numbers[item.labels] for item in fresh),
        "label_of": Ints(number for number, _, _ in labels),
        "label_sources": Texts(source for _, source, _ in labels),
        "label_prints": Texts(fingerprint for _, _, fingerprint in labels),
    }


def _reads(fresh: Sequence[Item]) -> dict[str, Any]:
    """Return which tables were read whose results are stored: statements and tables in pairs."""
    pairs = [(item.read.statement, table) for item in fresh if item.read for table in item.read.tables]
    return {
        "read_statements": Texts(statement for statement, _ in pairs),
        "read_tables": Texts(table for _, table in pairs),
    }


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
