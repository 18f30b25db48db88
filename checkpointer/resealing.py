"""Encrypt what is stored under the newest key: what is under an older one, and what is in the clear.

Thread by thread, in transactions of some hundred rows under the lock of the thread's row, so that nobody waits long.
What is done is told by the rows themselves: a pass that was stopped is simply begun again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkpointer.encryption import head
from checkpointer.errors import BlockedTypeError, EncryptionError
from checkpointer.operations import COUNTERS
from checkpointer.sealing import (
    COMMENT,
    ENVELOPE,
    TITLE,
    WRITE,
    Opener,
    open_item,
    open_metadata,
    open_state,
    opener,
    seal_item,
    seal_metadata,
    seal_places,
    seal_state,
    seal_text,
    structure_of,
    vouched,
)
from checkpointer.serializer import MARK_BYTES, SEALED, is_marked, load, strict_serializer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from checkpointer.encryption import Keyring
    from checkpointer.operations import Row

_THREADS, _ROWS = 50, 200
# Of metadata that cannot be read here, it is not known how far back a DeltaChannel goes: all the way, then.
_UNKNOWN = {COUNTERS: {"": [0, 2**31 - 1]}}


@dataclass(frozen=True, slots=True)
class Resealed:
    """What was encrypted of one thread, or would be; `blocked` says why nothing more was."""

    owner: str
    thread_id: str
    rows: int
    blocked: str | None = None


@dataclass(frozen=True, slots=True)
class Resealing:
    """One pass over threads, on a connection of the schema's owner."""

    conn: psycopg.Connection[Any]
    queries: Mapping[str, bytes]
    ring: Keyring

    def threads(self, owner: str | None, *, dry_run: bool) -> Iterator[Resealed]:
        """Encrypt every thread that holds something else, of the owner if one is given; yield what came of each."""
        after = 0
        while True:
            with self.conn.transaction():
                self._administer()
                params = {"after": after, "owner": owner, "limit": _THREADS, **self._head}
                page = self.conn.execute(self.queries["stale_threads"], params).fetchall()
            for after, whose, thread_id, rows, is_held in page:
                if dry_run or is_held:
                    yield Resealed(whose, thread_id, rows, "legal hold" if is_held else None)
                else:
                    yield self._thread(after, whose, thread_id)
            if len(page) < _THREADS:
                return

    def _thread(self, thread: int, owner: str, thread_id: str) -> Resealed:
        done = 0
        try:
            while count := self._batch(thread):
                done += count
        except EncryptionError as error:
            return Resealed(owner, thread_id, done, str(error))
        return Resealed(owner, thread_id, done)

    def _batch(self, thread: int) -> int:
        """Encrypt some rows of a thread; return how many, 0 when all are done."""
        with self.conn.transaction():
            self._administer()
            params = {"thread": thread, "limit": _ROWS, **self._head}
            found = self.conn.execute(self.queries["lock_stale_thread"], params).fetchone()
            if found is None:
                return 0  # it was deleted
            owner, thread_id, title, sealed_title, places, is_stale = found
            with_ = opener(self.ring, (owner, thread_id), places)
            if is_stale:
                names = {**params, **_thread_row(with_, title, sealed_title, places)}
                self.conn.execute(self.queries["reseal_thread"], names)
                return 1
            for table, resealed in _TABLES.items():
                rows = self.conn.execute(self.queries[f"stale_{table}"], params).fetchall()
                if rows:
                    changed = [{"thread": thread, **resealed(with_, row)} for row in rows]
                    with self.conn.cursor() as cursor:
                        cursor.executemany(self.queries[f"reseal_{table}"], changed)
                    return len(rows)
        return 0

    def _administer(self) -> None:
        self.conn.execute(self.queries["administer"])

    @property
    def _head(self) -> dict[str, Any]:
        newest = head(self.ring.newest)
        return {"head": newest, "length": len(newest)}


def _thread_row(with_: Opener, title: str | None, sealed_title: bytes | None, places: bytes | None) -> dict[str, Any]:
    seals = with_.seals
    text = title.encode() if title is not None else None
    if sealed_title is not None:
        text = with_.open(sealed_title, TITLE)
    return {
        "sealed_title": None if text is None else seals.seal(text, TITLE),
        "places": None if places is None else seal_places(seals, vouched(seals, places)),
    }


def _item(with_: Opener, row: Row) -> dict[str, Any]:
    position, kind, digest, message, value, envelope = row
    if message is None and _is_sealed(value):
        digest, value = open_item(with_.open(value, "item", kind))
    if envelope is not None:
        # In the clear it is JSON: an object or a list.
        clear = envelope if envelope[:1] in "{[" else with_.text(envelope, ENVELOPE, kind)
        envelope = seal_text(with_.seals, clear, ENVELOPE, kind)
    return {
        "position": position,
        "digest": with_.seals.fingerprint(digest),
        "value": seal_item(with_.seals, kind, digest, message, value),
        "envelope": envelope,
    }


def _checkpoint(with_: Opener, row: Row) -> dict[str, Any]:
    ns, checkpoint_id, text, opaque, state = row
    structure = text
    if opaque is not None and _is_sealed(opaque):
        text, opaque = open_metadata(with_, opaque, ns, checkpoint_id)
    else:
        structure = _structure(text, opaque)
    if _is_sealed(state[MARK_BYTES:] if is_marked(state) else state):
        state = open_state(with_, state, ns, checkpoint_id)
    return {
        "ns": ns,
        "checkpoint_id": checkpoint_id,
        "metadata": structure,
        "metadata_value": seal_metadata(with_.seals, text, opaque, ns, checkpoint_id),
        "state": seal_state(with_.seals, state, ns, checkpoint_id),
    }


def _structure(text: str | None, opaque: bytes | None) -> str:
    try:
        metadata = json.loads(text) if text is not None else load(strict_serializer(), opaque or b"")
    except (BlockedTypeError, ValueError, TypeError, NotImplementedError):
        return json.dumps(_UNKNOWN)
    return structure_of(metadata)


def _write(with_: Opener, row: Row) -> dict[str, Any]:
    ns, checkpoint_id, task_id, idx, channel, value = row
    what = (WRITE, ns, checkpoint_id, task_id, str(idx), channel)
    plain = with_.open(value, *what) if _is_sealed(value) else value
    return {
        "ns": ns,
        "checkpoint_id": checkpoint_id,
        "task_id": task_id,
        "idx": idx,
        "value": with_.seals.seal(plain, *what),
    }


def _opinion(with_: Opener, row: Row) -> dict[str, Any]:
    position, rater, comment, sealed_comment = row
    plain = comment.encode() if comment is not None else with_.open(sealed_comment, COMMENT, rater)
    return {"position": position, "rater": rater, "sealed_comment": with_.seals.seal(plain, COMMENT, rater)}


def _is_sealed(stored: bytes) -> bool:
    return stored[:1] == bytes([SEALED])


_TABLES: dict[str, Callable[[Opener, Row], dict[str, Any]]] = {
    "items": _item,
    "checkpoints": _checkpoint,
    "writes": _write,
    "feedback": _opinion,
}
