"""Store what a graph does: checkpoints, and what its tasks wrote, each content once.

What several tasks wrote, and the checkpoint after them, are stored together where they are known together (see
`checkpointer.company`): one statement, one transaction, one trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT
from psycopg import DatabaseError

from checkpointer.addresses import OWNER
from checkpointer.arrays import Blobs, Ints, Texts
from checkpointer.encoding import FIRST_VALUE, Encoder, Item, is_list
from checkpointer.errors import StaleLeaseError, ThreadChangingError, ThreadDeletedError, WithheldItemGoneError
from checkpointer.labels import NONE, Labels
from checkpointer.memo import StoredChannel, ThreadMemo
from checkpointer.messages import is_plain, plain_to_json
from checkpointer.operations import COUNTERS, STALE_LEASE, Context, Operation, Statement, get_tuple
from checkpointer.serializer import dump, marked

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.addresses import Address

# The channel that transcripts are made of, which is LangGraph's own name for it.
CONVERSATION = "messages"

# What a checkpoint's row has in columns, and its references lead to.
_ELSEWHERE = frozenset({"id", "channel_values"})

# Each try that fails means that somebody else deleted something of the thread since the last.
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Made:
    """A checkpoint to store; the address names its parent."""

    config: RunnableConfig
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    new_versions: ChannelVersions

    def inherits(self, where: Address) -> bool:
        """Tell whether a channel goes on as it was: one that is left out does, and its parent tells how."""
        known = self.new_versions.keys() | self.checkpoint["channel_values"].keys()
        return bool(where.checkpoint_id) and not known >= self.checkpoint["channel_versions"].keys()


@dataclass(frozen=True, slots=True)
class Written:
    """What a task wrote at the checkpoint that the address names.

    Writes are numbered in order, special ones by their channel, where `idxs` does not say otherwise. Only special ones
    replace what is there; any other leaves it.
    """

    writes: Sequence[tuple[str, Any]]
    task_id: str
    task_path: str
    idxs: Sequence[int] | None = None

    @property
    def special(self) -> bool:
        """Whether all are errors, interrupts and the like."""
        return all(channel in WRITES_IDX_MAP for channel, _ in self.writes)

    @property
    def quotes(self) -> bool:
        """Whether one may quote anything that its task saw, as an error's text and what an interrupt asks about."""
        return any(channel in (ERROR, INTERRUPT) for channel, _ in self.writes)

    @property
    def numbers(self) -> Sequence[int]:
        """The writes' numbers."""
        return self.idxs or [WRITES_IDX_MAP.get(channel, i) for i, (channel, _) in enumerate(self.writes)]


@dataclass(frozen=True, slots=True)
class _Channel:
    """A channel of a checkpoint as it is encoded; its references are those from `start` to `end`."""

    version: Any
    node: list[Any]
    start: int
    end: int


def store(ctx: Context, where: Address, written: Sequence[Written], made: Made | None = None) -> Operation[None]:
    """Store what tasks wrote, and the checkpoint after it if there is one. Storing either again replaces or leaves it.

    Those that are special, or quote something, are stored by themselves.

    Raises:
        ThreadChangingError: Others deleted something of the thread at every try.
    """
    thread = (yield from _thread_of(ctx, where)) if made else known_thread(ctx, where)
    for _ in range(_TRIES):
        memo = yield from _memo(ctx, where, thread)
        if made and made.inherits(where) and (memo is None or _parent(where) not in memo.checkpoints):
            yield from get_tuple(ctx, where)
            memo = ctx.memory.get(where.memo, thread)
        encoder = _encoder(ctx, memo)
        params: dict[str, Any] = {"ns": where.ns or "", "at": where.checkpoint_id}
        params |= _writes(ctx.serde, encoder, written)
        before = memo.checkpoints.get(_parent(where), {}) if memo else {}
        channels = _channels(encoder, made, before) if made else {}
        if encoder.unknown and memo is not None:
            yield from _find_originals(ctx, where, memo, encoder.unknown)
            continue
        params |= _checkpoint(ctx.serde, made, channels)
        stored = yield from _store(ctx, where, memo, encoder, params)
        if stored is None:
            continue
        new_memo, refs = stored
        if made:
            kept = {
                name: StoredChannel(channel.version, channel.node, tuple(refs[channel.start : channel.end]))
                for name, channel in channels.items()
            }
            ctx.memory.remember(new_memo, (where.ns or "", made.checkpoint["id"]), kept)
        return
    raise ThreadChangingError(where.thread_id)


def _parent(where: Address) -> tuple[str, str]:
    return where.ns or "", where.checkpoint_id or ""


def _writes(serde: SerializerProtocol, encoder: Encoder, written: Sequence[Written]) -> dict[str, Any]:
    """Encode what tasks wrote, a row for each write."""
    encoder.apart = any(each.quotes for each in written)
    bodies: list[bytes] = []
    lengths: list[int] = []
    for each in written:
        for _, value in each.writes:
            start = len(encoder.refs)
            bodies.append(dump(serde, encoder.encode(value)))
            lengths.append(len(encoder.refs) - start)
    rows = [(each, channel) for each in written for channel, _ in each.writes]
    return {
        "task_ids": Texts(each.task_id for each, _ in rows),
        "task_paths": Texts(each.task_path for each, _ in rows),
        "idxs": Ints(number for each in written for number in each.numbers),
        "channels": Texts(channel for _, channel in rows),
        "lengths": Ints(lengths),
        "bodies": Blobs(bodies),
        "replaces": bool(written) and all(each.special for each in written),
        "inherits": encoder.apart,
    }


def _channels(encoder: Encoder, made: Made, before: Mapping[str, StoredChannel]) -> dict[str, _Channel]:
    """Encode the channels of a checkpoint; one whose version did not change goes on as it was."""
    values = made.checkpoint["channel_values"]
    channels: dict[str, _Channel] = {}
    for name, version in made.checkpoint["channel_versions"].items():
        start = len(encoder.refs)
        known = before.get(name)
        if name not in made.new_versions and known is not None and known.version == version:
            encoder.refs += known.refs
            node = known.node
        elif name in values:
            node = encoder.encode(values[name])
        else:
            continue
        channels[name] = _Channel(version, node, start, len(encoder.refs))
    return channels


def _checkpoint(serde: SerializerProtocol, made: Made | None, channels: Mapping[str, _Channel]) -> dict[str, Any]:
    """Return the parameters of a checkpoint whose channels are encoded."""
    if made is None:
        return dict.fromkeys(("checkpoint_id", "run_id", "metadata", "metadata_value", "state"))
    metadata = cast("dict[str, Any]", get_serializable_checkpoint_metadata(made.config, made.metadata))
    metadata.pop(OWNER, None)  # an address, which LangGraph takes from the config
    run_id = metadata.get("run_id")
    text, opaque = _metadata(serde, metadata)
    rest = {key: value for key, value in made.checkpoint.items() if key not in _ELSEWHERE}
    state = dump(serde, {"k": rest, "c": {name: channel.node for name, channel in channels.items()}})
    first = next((channel.start for channel in channels.values()), 0)
    conversation = channels.get(CONVERSATION)
    if conversation is not None and is_list(conversation.node):
        # Counted from 1, among the references of the checkpoint.
        state = marked(state, conversation.start - first + 1, conversation.end - first)
    return {
        "checkpoint_id": made.checkpoint["id"],
        "run_id": run_id if isinstance(run_id, str) else None,
        "metadata": text,
        "metadata_value": opaque,
        "state": state,
    }


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


def _thread_of(ctx: Context, where: Address) -> Operation[int | None]:
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
    params: dict[str, Any],
) -> Operation[tuple[ThreadMemo, list[int]] | None]:
    """Run a storing query; return the thread's memo and the resolved references, or None to try again from scratch."""
    fresh, refs = encoder.fresh, encoder.refs
    statement = Statement(
        "store",
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
        lists = {channel: list(counted) if type(counted) is tuple else counted for channel, counted in counters.items()}
        metadata = {**metadata, COUNTERS: lists}
    if is_plain(metadata):
        text = plain_to_json(metadata)
        if "\\u0000" not in text and "\\ud" not in text:
            return text, None
    return None, dump(serde, metadata)
