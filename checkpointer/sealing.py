"""Encryption on the way to the database and back, around any operation.

An operation yields statements and is sent rows, so this stands between: what a user gave is sealed in the parameters,
and opened in the rows. Nothing else knows of it; what a process remembers of a thread is in the clear.

A statement that is not known here is refused, so that no new one takes values along in the clear.

Every value is bound to its thread. A copy, and a thread that is given away, has ciphertext of another place, and
vouches for it: `threads.places` lists the places that its content may come from, sealed for the thread itself.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

from checkpointer.arrays import Blobs, Texts
from checkpointer.errors import ClearRowError, EncryptionError, SealBrokenError
from checkpointer.messages import MESSAGE_KINDS, plain_to_json
from checkpointer.operations import COUNTERS, Operation, Row, Statement, readable_counters, through
from checkpointer.serializer import MARK_BYTES, is_marked, load

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.encryption import Keyring, Place, Seals

T = TypeVar("T")
Params = Mapping[str, Any]

# What a sealed value is, said again to open it.
ITEM, ENVELOPE, WRITE, STATE, METADATA, TITLE, PLACES, COMMENT = (
    "item", "envelope", "write", "state", "metadata", "title", "places", "comment",
)  # fmt: skip
_DIGEST_BYTES = 16
_TEXT, _BYTES = b"t", b"b"
# The ids that LangGraph gives to checkpoints.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Statements that neither take nor give back anything that a user said; what they name is in docs/encryption.md.
CLEAR = frozenset({
    "require_leases", "delete_threads", "lock_threads", "prune_plain", "prune_checkpoints", "cut_parents",
    "lock_threads_of_runs", "delete_runs", "delete_run_writes", "delete_items_of_runs", "delete_orphan_items",
    "present_items", "made_by", "copy_checkpoints", "copy_writes", "why", "share", "unshare", "own_thread", "shares",
    "opened", "exported", "break_glass", "audit", "take_lease", "look_at_lease", "renew_lease", "release_lease",
    "delete_unused_thread", "check_schema", "check_version", "check_role", "outline_checkpoints", "outline_writes",
    "thread_of_checkpoint", "epoch_of_thread", "touch", "set_retention", "get_retention", "expiring_page_end",
    "expiring", "lock_expiring", "delete_expired", "prune_expired", "cut_expired_parents", "delete_expired_items",
})  # fmt: skip


def sealed(operation: Operation[T], ring: Keyring, serde: SerializerProtocol) -> Operation[T]:
    """Drive an operation with what its statements carry encrypted, and what comes back decrypted.

    Raises:
        ClearRowError, EncryptedRowError, SealBrokenError: Something is stored that is not encrypted as it has to be.
    """
    sealing = _Sealing(ring, serde)

    def exchange(statements: list[Statement]) -> Operation[list[list[Row]]]:
        places = yield from sealing.places_of(statements)
        results = yield [sealing.outwards(statement, places) for statement in statements]
        return [sealing.inwards(s, rows) for s, rows in zip(statements, results, strict=True)]

    return through(operation, exchange)


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens what one thread holds: of its own place, or of one that it vouches for."""

    seals: Seals
    others: Sequence[Seals] = ()

    def open(self, stored: bytes | None, *what: str) -> bytes:
        """Decrypt a value; errors as `Seals.open` says."""
        try:
            return self.seals.open(stored, *what)
        except SealBrokenError:
            for each in self.others:
                try:
                    return each.open(stored, *what)
                except SealBrokenError:
                    continue
            raise

    def text(self, stored: str, *what: str) -> str:
        """Decrypt what is stored as text."""
        try:
            encrypted = b64decode(stored, validate=True)
        except (Base64Error, ValueError):
            raise ClearRowError(*self.seals.place) from None
        return self.open(encrypted, *what).decode()


def opener(ring: Keyring, place: Place, places: bytes | None) -> Opener:
    """Return what opens the values of a thread that says these are the places that they may come from."""
    seals = ring.at(place)
    if places is None:
        return Opener(seals)
    return Opener(seals, [ring.at(each) for each in vouched(seals, places)])


def vouched(seals: Seals, places: bytes | None) -> list[Place]:
    """Return the other places that a thread's content may come from."""
    if places is None:
        return []
    return [(owner, thread_id) for owner, thread_id in json.loads(seals.open(places, PLACES))]


def seal_places(seals: Seals, places: Sequence[Place]) -> bytes:
    """Encrypt the places that a thread's content may come from, for the thread itself."""
    return seals.seal(json.dumps(places).encode(), PLACES)


def seal_item(seals: Seals, kind: str, digest: bytes, message: str | None, value: bytes | None) -> bytes:
    """Encrypt an item, with the digest that its process knows it by."""
    return seals.seal(digest + (message.encode() if message is not None else value or b""), ITEM, kind)


def open_item(opened: bytes) -> tuple[bytes, bytes]:
    """Return the digest of a decrypted item, and its content."""
    return opened[:_DIGEST_BYTES], opened[_DIGEST_BYTES:]


def seal_text(seals: Seals, text: str, *what: str) -> str:
    """Encrypt into a text."""
    return b64encode(seals.seal(text.encode(), *what)).decode()


def seal_state(seals: Seals, state: bytes, ns: str, checkpoint_id: str) -> bytes:
    """Encrypt a checkpoint's state; where its messages are among its references stays readable, authenticated."""
    mark, body = (state[:MARK_BYTES], state[MARK_BYTES:]) if is_marked(state) else (b"", state)
    return mark + seals.seal(body, STATE, ns, checkpoint_id, mark.hex())


def open_state(with_: Opener, stored: bytes, ns: str, checkpoint_id: str) -> bytes:
    """Decrypt a checkpoint's state."""
    mark, body = (stored[:MARK_BYTES], stored[MARK_BYTES:]) if is_marked(stored) else (b"", stored)
    return mark + with_.open(body, STATE, ns, checkpoint_id, mark.hex())


def seal_metadata(seals: Seals, text: str | None, opaque: bytes | None, ns: str, checkpoint_id: str) -> bytes:
    """Encrypt metadata, whichever of its two forms it has."""
    plain = _BYTES + (opaque or b"") if text is None else _TEXT + text.encode()
    return seals.seal(plain, METADATA, ns, checkpoint_id)


def open_metadata(with_: Opener, stored: bytes | None, ns: str, checkpoint_id: str) -> tuple[str | None, bytes | None]:
    """Decrypt metadata: its text, or its bytes."""
    plain = with_.open(stored, METADATA, ns, checkpoint_id)
    return (plain[1:].decode(), None) if plain[:1] == _TEXT else (None, plain[1:])


def structure_of(metadata: Mapping[str, Any]) -> str:
    """Return, as JSON, what pruning reads of metadata: how far back DeltaChannels go, and the root's checkpoint."""
    kept: dict[str, Any] = {}
    parents = metadata.get("parents")
    if COUNTERS in metadata:
        counters = readable_counters(metadata[COUNTERS])  # null tells that there were some
        kept[COUNTERS] = counters and {channel: list(counted) for channel, counted in counters.items()}
    if isinstance(parents, Mapping) and isinstance(root := parents.get(""), str) and _ID.fullmatch(root):
        kept["parents"] = {"": root}
    return plain_to_json(kept)


@dataclass(slots=True)
class _Sealing:
    """What stands between one operation and the database."""

    ring: Keyring
    serde: SerializerProtocol
    other_id: str = field(default_factory=lambda: uuid4().hex[:8])

    def places_of(self, statements: Sequence[Statement]) -> Operation[list[Place]]:
        """Ask, before a copy or a transfer, where the thread's content comes from: itself, and what it vouches for."""
        for statement in statements:
            if statement.name in ("copy_content", "transfer"):
                params = statement.params
                place = params["owner"], params["thread_id" if statement.name == "transfer" else "source"]
                [rows] = yield [Statement("places", {"owner": place[0], "thread_id": place[1]})]
                stored = rows[0][0] if rows else None
                return list(dict.fromkeys([place, *vouched(self.ring.at(place), stored)]))
        return []

    def outwards(self, statement: Statement, places: Sequence[Place]) -> Statement:
        """Seal what a statement carries."""
        if statement.name in CLEAR or statement.name in _ONLY_OPENED:
            return statement
        seal = _SEALED_BY.get(statement.name)
        if seal is None:
            msg = f"The statement {statement.name!r} is not known to encryption, so it is not sent."
            raise EncryptionError(msg)
        return statement._replace(params={**statement.params, **seal(self, statement.params, places)})

    def inwards(self, statement: Statement, rows: list[Row]) -> list[Row]:
        """Open what came back."""
        open_ = _OPENED_BY.get(statement.name)
        return rows if open_ is None else open_(self, statement.params, rows)

    # --- outwards ---------------------------------------------------------------------------------------------

    def store(self, p: Params, places: Sequence[Place]) -> Params:
        seals = self.ring.at((p["owner"], p["thread_id"]))
        kinds, ns, at = p["kinds"], p["ns"], p["at"] or ""
        items = zip(kinds, p["digests"], p["messages"], p["values"], strict=True)
        writes = zip(p["bodies"], p["task_ids"], p["idxs"], p["channels"], strict=True)
        return {
            "digests": Blobs(map(seals.fingerprint, p["digests"])),
            "messages": Texts([None] * len(kinds)),
            "values": Blobs(seal_item(seals, *item) for item in items),
            "envelopes": Texts(
                None if envelope is None else seal_text(seals, envelope, ENVELOPE, kind)
                for kind, envelope in zip(kinds, p["envelopes"], strict=True)
            ),
            "bodies": Blobs(
                seals.seal(body, WRITE, ns, at, task, str(idx), channel) for body, task, idx, channel in writes
            ),
            **({} if p["checkpoint_id"] is None else self._checkpoint(seals, p)),
        }

    def _checkpoint(self, seals: Seals, p: Params) -> Params:
        text, opaque = p["metadata"], p["metadata_value"]
        metadata = json.loads(text) if text is not None else load(self.serde, opaque)
        place = p["ns"], p["checkpoint_id"]
        return {
            "metadata": structure_of(metadata),
            "metadata_value": seal_metadata(seals, text, opaque, *place),
            "state": seal_state(seals, p["state"], *place),
        }

    def rename(self, p: Params, places: Sequence[Place]) -> Params:
        seals = self.ring.at((p["owner"], p["thread_id"]))
        title = p["title"]
        return {"title": None, "sealed_title": None if title is None else seals.seal(title.encode(), TITLE)}

    def rate(self, p: Params, places: Sequence[Place]) -> Params:
        seals, comment = self.ring.at((p["owner"], p["thread_id"])), p["comment"]
        sealed_comment = None if comment is None else seals.seal(comment.encode(), COMMENT, p["rater"])
        return {"comment": None, "sealed_comment": sealed_comment}

    def page(self, p: Params, places: Sequence[Place]) -> Params:
        # A sieve only: the listing compares what it opened.
        return {"filter": None}

    def copy_content(self, p: Params, places: Sequence[Place]) -> Params:
        return {"places": seal_places(self.ring.at((p["owner"], p["target"])), places)}

    def transfer(self, p: Params, places: Sequence[Place]) -> Params:
        to, name = p["to"], p["thread_id"]
        # A thread id has at most 1,000 bytes.
        other = f"{name[:245] if len(name.encode()) > 990 else name}-{self.other_id}"
        return {
            "places": seal_places(self.ring.at((to, name)), places),
            "other_id": other,
            "other_places": seal_places(self.ring.at((to, other)), places),
        }

    # --- inwards ----------------------------------------------------------------------------------------------

    def parts(self, p: Params, rows: list[Row]) -> list[Row]:
        vouchers = {row[1]: row[9] for row in rows if row[0] == "p"}
        openers = {
            row[1]: opener(self.ring, (p["owner"], row[3]), vouchers.get(row[1])) for row in rows if row[0] == "c"
        }
        return [self._part(openers.get(row[1]), row) for row in rows if row[0] != "p"]

    def _part(self, with_: Opener | None, row: Row) -> Row:
        part, thread, seq, thread_id, ns, checkpoint_id, extra, text, refs, body, more, epoch, n, m = row
        if part == "s":
            return row  # the sources that are missing
        assert with_ is not None  # what a read gives is of threads whose checkpoints it gives
        if part == "i":
            text, body, more = _item(with_, ns, text, body)
        elif part == "x":
            text = None if text is None else with_.text(text, ENVELOPE, ns)
        elif part == "w":
            body = with_.open(body, WRITE, ns, checkpoint_id, extra, str(n), text)
        else:
            body = open_state(with_, body, ns, checkpoint_id)
            text, more = open_metadata(with_, more, ns, checkpoint_id)
        return part, thread, seq, thread_id, ns, checkpoint_id, extra, text, refs, body, more, epoch, n, m

    def delta_chain(self, p: Params, rows: list[Row]) -> list[Row]:
        place = p["owner"], p["thread_id"]
        opened = []
        for epoch, checkpoint_id, cut, refs, state, places in rows:
            with_ = opener(self.ring, place, places)
            opened.append((epoch, checkpoint_id, cut, refs, open_state(with_, state, p["ns"], checkpoint_id), None))
        return cast("list[Row]", opened)

    def delta_parts(self, p: Params, rows: list[Row]) -> list[Row]:
        places = next((row[5] for row in rows if row[0] == "t"), None)
        with_ = opener(self.ring, (p["owner"], p["thread_id"]), places)
        return [self._delta_part(with_, p["ns"], row) for row in rows]

    def _delta_part(self, with_: Opener, ns: str, row: Row) -> Row:
        part, checkpoint_id, kind, text, refs, body, more, n = row
        if part == "i":
            text, body, more = _item(with_, kind, text, body)
        elif part == "x":
            text = None if text is None else with_.text(text, ENVELOPE, kind)
        elif part == "w":
            body = with_.open(body, WRITE, ns, checkpoint_id, kind, str(n), text)
        return part, checkpoint_id, kind, text, refs, body, more, n

    def opaque_heads(self, p: Params, rows: list[Row]) -> list[Row]:
        if rows:  # where encrypted, it has a part that SQL reads
            raise ClearRowError(p["owner"], ", ".join(p["thread_ids"]))
        return rows

    def ratings(self, p: Params, rows: list[Row]) -> list[Row]:
        place = p["owner"], p["thread_id"]
        opened: list[Row] = []
        for number, rater, rating, comment, stored, rated_at, places in rows:
            if comment is not None:
                raise ClearRowError(*place)
            if stored is not None:
                comment = opener(self.ring, place, places).open(stored, COMMENT, rater).decode()
            opened.append((number, rater, rating, comment, None, rated_at, None))
        return opened

    def sessions(self, p: Params, rows: list[Row]) -> list[Row]:
        return [self._session(row) for row in rows]

    def _session(self, row: Row) -> Row:
        thread_id, owner, title, *rest, stored, places = row
        if title is not None:
            raise ClearRowError(owner, thread_id)
        if stored is not None:
            title = opener(self.ring, (owner, thread_id), places).open(stored, TITLE).decode()
        return (thread_id, owner, title, *rest, None, None)


def _item(with_: Opener, kind: str, text: str | None, body: bytes | None) -> tuple[str | None, bytes | None, bytes]:
    """Return an item's message, its value, and its digest."""
    if text is not None:
        raise ClearRowError(*with_.seals.place)
    digest, content = open_item(with_.open(body, ITEM, kind))
    return (content.decode(), None, digest) if kind in MESSAGE_KINDS else (None, content, digest)


_SEALED_BY: dict[str, Callable[[_Sealing, Params, Sequence[Place]], Params]] = {
    "store": _Sealing.store,
    "rename": _Sealing.rename,
    "rate": _Sealing.rate,
    "page": _Sealing.page,
    "copy_content": _Sealing.copy_content,
    "transfer": _Sealing.transfer,
}
_OPENED_BY: dict[str, Callable[[_Sealing, Params, list[Row]], list[Row]]] = {
    "get_parts": _Sealing.parts,
    "use_parts": _Sealing.parts,
    "page": _Sealing.parts,
    "delta_chain": _Sealing.delta_chain,
    "delta_parts": _Sealing.delta_parts,
    "opaque_heads": _Sealing.opaque_heads,
    "ratings": _Sealing.ratings,
    "sessions": _Sealing.sessions,
    "broken_session": _Sealing.sessions,
}
_ONLY_OPENED = _OPENED_BY.keys() - _SEALED_BY.keys()
KNOWN = CLEAR | _SEALED_BY.keys() | _OPENED_BY.keys() | {"places"}
"""Every statement that is sent with encryption on."""
