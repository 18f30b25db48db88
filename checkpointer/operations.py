"""What the checkpointer does, each operation once, without a connection.

An operation is a generator: it yields statements, is sent their rows, and returns its result. Everything that it
yields at once travels in one pipeline, one implicit transaction and one network round trip. The sync and the async
runner drive the same generators.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

from langgraph.checkpoint.base import (
    CheckpointTuple,
)
from psycopg import DatabaseError
from psycopg.errors import RestrictViolation, UniqueViolation

from checkpointer.errors import (
    EncryptedRowError,
    MessageWithheldError,
    NotAuditorError,
    ThreadExistsError,
    ThreadHeldError,
    ThreadNotFoundError,
    ViewerError,
)
from checkpointer.labels import LabelsOf, labels_of
from checkpointer.memo import NOTHING_HELD, Memory
from checkpointer.messages import is_plain
from checkpointer.reading import read_page

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.addresses import Address
    from checkpointer.policy import Retention

# What the functions of the schema raise: under a lease that is no longer the latest, for a viewer who writes to a
# thread, for anybody else who may not, for whoever breaks the glass and is no auditor, for what cannot be moved without
# its key, and for what is withheld.
STALE_LEASE, A_VIEWER, NO_THREAD, NO_AUDITOR = "MRG02", "MRG03", "MRG04", "MRG05"
IS_SEALED, IS_WITHHELD = "MRG07", "MRG08"

T = TypeVar("T")

# Where LangGraph counts, by DeltaChannel, the updates and the steps since its last snapshot.
COUNTERS = "counters_since_delta_snapshot"
_MOST_STEPS = 10**9
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
        EncryptedRowError: It is encrypted, and would be moved without its key.
        MessageWithheldError: The principal may not read it now.
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
        if error.sqlstate == IS_SEALED:
            raise EncryptedRowError from error
        if error.sqlstate == IS_WITHHELD:
            raise MessageWithheldError(named, owner) from error
        raise


def through(operation: Operation[T], exchange: Callable[[list[Statement]], Operation[list[list[Row]]]]) -> Operation[T]:
    """Drive an operation whose statements `exchange` sends its own way, and returns the rows of."""
    try:
        statements = next(operation)
        while True:
            try:
                results = yield from exchange(statements)
            except DatabaseError as error:
                statements = operation.throw(error)
            else:
                statements = operation.send(results)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        operation.close()


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


def delete_thread(ctx: Context, owner: str, thread_ids: Sequence[str]) -> Operation[None]:
    """Delete threads with everything in them, in every namespace. Unknown ones are no error."""
    yield [Statement("delete_threads", {"owner": owner, "thread_ids": list(thread_ids)})]
    for thread_id in thread_ids:
        ctx.memory.forget((owner, thread_id))


def delete_for_runs(ctx: Context, owner: str, run_ids: Sequence[str]) -> Operation[None]:
    """Delete what these runs stored, in every thread and namespace."""
    params = {"owner": owner, "run_ids": list(run_ids)}
    names = ("lock_threads_of_runs", "delete_items_of_runs", "delete_run_writes", "delete_runs")
    *_, threads = yield [Statement(name, params) for name in names]
    for (thread_id,) in threads:
        ctx.memory.forget((owner, thread_id))


def copy_thread(owner: str, source: str, target: str) -> Operation[None]:
    """Copy a whole thread, the complete parent chain included."""
    params = {"owner": owner, "source": source, "target": target, "maker": f"copy {uuid4()}", "places": None}
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


def readable_counters(counters: object) -> dict[str, tuple[int, int]] | None:
    """Return, by DeltaChannel, what metadata counts; None for anything else: whoever writes it is free to."""
    if not isinstance(counters, Mapping):
        return None
    found: dict[str, tuple[int, int]] = {}
    for channel, counted in counters.items():
        if not isinstance(counted, list | tuple) or [type(n) for n in counted] != [int, int]:
            return None
        if not all(0 <= n < _MOST_STEPS for n in counted):
            return None
        found[channel] = (counted[0], counted[1])
    return found


def filter_text(wanted: Mapping[str, Any] | None) -> str | None:
    """Return a metadata filter as JSON text, or None when only a comparison in Python can decide."""
    if not wanted or not is_plain(dict(wanted)):
        return None
    text = json.dumps(wanted)
    return None if "\\u0000" in text or "\\ud" in text else text
