"""Copy threads out of the tables of LangGraph's `PostgresSaver`, each for the owner that its metadata names.

    with upstream_saver(their_dsn) as source, GovernedPostgresSaver.from_conn_string(our_dsn) as saver:
        for thread in import_threads(source, saver, owner_of=metadata_key("user_id")):
            print(thread)

A thread counts as imported when every checkpoint has been read back and is equal: ids, parents, namespaces, versions,
values, metadata and pending writes. Whatever stops the import, the next run goes on with what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import WRITES_IDX_MAP

from checkpointer.addresses import address, checkpoint_config, valid_thread_id
from checkpointer.errors import (
    BlockedTypeError,
    PrincipalError,
    StaleLeaseError,
    ThreadBusyError,
    ThreadIdError,
    UnrebuildableError,
    UnserializableError,
)
from checkpointer.outline import outline
from checkpointer.principal import Principal, acting_as
from checkpointer.serializer import dump
from checkpointer.storing import Written, store
from checkpointer.upstream import Upstream, UpstreamThread, upstream_saver

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from langgraph.checkpoint.base import CheckpointTuple
    from langgraph.checkpoint.postgres import PostgresSaver
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.outline import Envelope, Outline, Place
    from checkpointer.saver import GovernedPostgresSaver


__all__ = ["ImportedThread", "Outcome", "count_threads", "import_threads", "metadata_key", "upstream_saver"]


class Outcome(StrEnum):
    """What came of a thread."""

    IMPORTED = "imported"
    PRESENT = "present"
    """It was here already, whole."""
    LEFT_OUT = "left out"
    """It is not of an owner that was asked for."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportedThread:
    """What came of one thread: how much was copied of it, or why it was refused."""

    thread_id: str
    owner: str | None
    outcome: Outcome
    checkpoints: int = 0
    writes: int = 0
    reason: str | None = None
    types: tuple[str, ...] = ()
    """Types that were refused because they are not allowed."""


class _RefusedError(Exception):
    """Why a thread cannot be imported."""


# What is wrong with what a thread holds.
_UNFIT = (_RefusedError, BlockedTypeError, UnrebuildableError, UnserializableError)
# What is wrong with one thread at all; anything else ends the import.
_REFUSALS = (*_UNFIT, ThreadIdError, PrincipalError, ThreadBusyError, StaleLeaseError)


def metadata_key(key: str) -> Callable[[Mapping[str, Any]], object]:
    """Return what finds the owner under a key of the metadata."""
    return lambda metadata: metadata.get(key)


def count_threads(source: PostgresSaver) -> int:
    """Return how many threads there are to look at."""
    return len(Upstream(source).thread_ids())


def import_threads(
    source: PostgresSaver,
    saver: GovernedPostgresSaver,
    *,
    owner_of: Callable[[Mapping[str, Any]], object],
    owners: Collection[str] = (),
    dry_run: bool = False,
) -> Iterator[ImportedThread]:
    """Copy every thread of `source`, the one used last at the end; yield what came of each.

    A thread is refused, and nothing of it kept, when its checkpoints name no owner or two, when it holds values that
    cannot be rebuilt, or when there is another thread of its name.

    Args:
        source: LangGraph's saver. Open it with `upstream_saver`, or with a strict serializer: one that rebuilds any
            type runs whatever constructor a row names.
        saver: Where to; entered with `with`, as the runtime role.
        owner_of: Names the owner by a checkpoint's metadata, None for nobody.
        owners: Only threads of these; of anybody when empty.
        dry_run: Read and check everything, and store nothing.

    Raises:
        SourceError: The source has no such tables, or went away.
        CheckpointerError: The saver cannot be used.
    """
    upstream = Upstream(source)
    for thread_id in upstream.thread_ids():
        yield _imported(upstream, saver, thread_id, owner_of, owners, dry_run)


def _imported(
    upstream: Upstream,
    saver: GovernedPostgresSaver,
    thread_id: str,
    owner_of: Callable[[Mapping[str, Any]], object],
    owners: Collection[str],
    dry_run: bool,
) -> ImportedThread:
    thread = upstream.thread(thread_id)
    named = _named(thread, owner_of)
    if owners and not named & set(owners):
        return ImportedThread(thread_id, None, Outcome.LEFT_OUT)
    owner: str | None = None
    try:
        owner = _owner(named)
        with acting_as(Principal(owner)) as principal:
            copy = _Copy(upstream, saver, principal, valid_thread_id(thread_id), thread.outline)
            return copy.checked() if dry_run else copy.run()
    except _REFUSALS as error:
        types = error.types if isinstance(error, BlockedTypeError) else ()
        return ImportedThread(thread_id, owner, Outcome.REFUSED, reason=str(error), types=types)


def _named(thread: UpstreamThread, owner_of: Callable[[Mapping[str, Any]], object]) -> set[str]:
    named: set[str] = set()
    for metadata in thread.metadata:
        name = owner_of(metadata)
        if name is not None and name != "":
            named.add(name if isinstance(name, str) else repr(name))
    return named


def _owner(named: set[str]) -> str:
    if not named:
        msg = "No checkpoint names an owner."
        raise _RefusedError(msg)
    if len(named) > 1:
        msg = f"Its checkpoints name several owners: {', '.join(sorted(named))}."
        raise _RefusedError(msg)
    return named.pop()


@dataclass(frozen=True, slots=True)
class _Copy:
    """One thread on its way, for its owner, who is bound."""

    upstream: Upstream
    saver: GovernedPostgresSaver
    owner: Principal
    thread_id: str
    theirs: Outline

    def run(self) -> ImportedThread:
        """Copy what is missing; nobody can run the thread meanwhile."""
        config: Any = {"configurable": {"thread_id": self.thread_id}}
        new = False
        try:
            with self.saver.run(config, on_busy="wait"):
                here = self._here()
                new = not here.checkpoints
                if self._is_present(here):
                    return self._result(Outcome.PRESENT)
                for place, parent in self.theirs.checkpoints.items():
                    self._copy(place, parent, stored=place in here.checkpoints)
                if list(self._here().checkpoints) != list(self.theirs.checkpoints):
                    msg = "Its checkpoints are in another order here."
                    raise _RefusedError(msg)
        except _UNFIT:
            if new:
                self.saver.delete_thread(self.thread_id)
            raise
        return self._result(Outcome.IMPORTED)

    def checked(self) -> ImportedThread:
        """Tell what `run` would do, storing nothing."""
        if self._is_present(self._here()):
            return self._result(Outcome.PRESENT)
        for place in self.theirs.checkpoints:
            found = self._read(place)
            dump(self.saver.serde, [found.checkpoint, found.metadata, found.pending_writes])
        return self._result(Outcome.IMPORTED)

    def _here(self) -> Outline:
        found: Outline = self.saver.drive(outline(self.owner.name, self.thread_id), self.owner)
        return found

    def _is_present(self, here: Outline) -> bool:
        """Tell whether the thread is here as a whole; it may have gone on since.

        Raises:
            _RefusedError: What is here is not, or no longer, a part of theirs.
        """
        whole = here.covers(self.theirs)
        if not self.theirs.covers(here):
            if whole:
                return True
            msg = "A thread of this name is here that is another one, or has gone on here and there."
            raise _RefusedError(msg)
        if whole:
            for place in here.latest():
                self._verify(self._read(place), place)
        return whole

    def _copy(self, place: Place, parent: str | None, *, stored: bool) -> None:
        found = self._read(place)
        ns, checkpoint_id = place
        if not stored:
            into: Any = {"configurable": {"thread_id": self.thread_id, "checkpoint_ns": ns}}
            if parent is not None:
                into["configurable"]["checkpoint_id"] = parent
            self.saver.put(into, found.checkpoint, found.metadata, found.checkpoint["channel_versions"])
        where = address(checkpoint_config(self.thread_id, ns, checkpoint_id), self.owner.name)
        where = replace(where, lease=self.saver._lease(where))
        for (path, task, _), batch in groupby(self._writes(place, found), key=_batch):
            envelopes, values = zip(*batch, strict=True)
            idxs = [envelope.idx for envelope in envelopes]
            writes = [(envelope.channel, value) for envelope, value in zip(envelopes, values, strict=True)]
            self.saver.drive(store(self.saver._context, where, (Written(writes, task, path, idxs),)), self.owner)
        self._verify(found, place)

    def _read(self, place: Place) -> CheckpointTuple:
        found = self.upstream.read(self.thread_id, place)
        if found is None:
            msg = "It changed while it was read. Import it again when nobody uses it."
            raise _RefusedError(msg)
        return found

    def _writes(self, place: Place, found: CheckpointTuple) -> Sequence[tuple[Envelope, Any]]:
        """Put the envelopes to the values, which upstream's saver returns in the same order."""
        envelopes, values = self.theirs.writes.get(place, []), found.pending_writes or []
        if [(e.task_id, e.channel) for e in envelopes] != [(task, channel) for task, channel, _ in values]:
            msg = "It changed while it was read. Import it again when nobody uses it."
            raise _RefusedError(msg)
        return [(envelope, value) for envelope, (_, _, value) in zip(envelopes, values, strict=True)]

    def _verify(self, theirs: CheckpointTuple, place: Place) -> None:
        ours = self.saver.get_tuple(checkpoint_config(self.thread_id, *place))
        part = "as a whole" if ours is None else _difference(self.saver.serde, ours, theirs)
        if part is not None:
            msg = f"Checkpoint {place[1]} of namespace {place[0]!r} differs {part} here."
            raise _RefusedError(msg)

    def _result(self, outcome: Outcome) -> ImportedThread:
        writes = sum(map(len, self.theirs.writes.values()))
        return ImportedThread(self.thread_id, self.owner.name, outcome, len(self.theirs.checkpoints), writes)


def _batch(write: tuple[Envelope, Any]) -> tuple[str, str, bool]:
    envelope, _ = write
    return envelope.task_path, envelope.task_id, envelope.channel in WRITES_IDX_MAP


def _difference(serde: SerializerProtocol, ours: CheckpointTuple, theirs: CheckpointTuple) -> str | None:
    """Name the part in which two checkpoints differ. Values are equal when they serialise alike, or say so."""

    def same(a: object, b: object) -> bool:
        return dump(serde, a) == dump(serde, b) or a == b

    def parent(found: CheckpointTuple) -> object:
        return (found.parent_config or {}).get("configurable", {}).get("checkpoint_id")

    if parent(ours) != parent(theirs):
        return "in its parent"
    # Old releases kept a step's writes in the metadata as well; LangGraph drops them whenever it stores.
    if not same(ours.metadata, {key: value for key, value in theirs.metadata.items() if key != "writes"}):
        return "in its metadata"
    values, expected = ours.checkpoint["channel_values"], theirs.checkpoint["channel_values"]
    for channel in {**values, **expected}:
        if (channel in values) != (channel in expected) or not same(values[channel], expected[channel]):
            return f"in channel {channel!r}"
    if not same({**ours.checkpoint, "channel_values": 0}, {**theirs.checkpoint, "channel_values": 0}):
        return "in its versions"
    if not same(ours.pending_writes or [], theirs.pending_writes or []):
        return "in its pending writes"
    return None
