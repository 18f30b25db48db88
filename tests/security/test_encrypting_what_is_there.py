"""What was stored in the clear, or under an older key, is encrypted under the newest; and nobody notices otherwise."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from checkpointer import ClearRowError, EncryptedRowError, Keyring, Principal, administration
from checkpointer.operations import COUNTERS
from tests.integration.test_transcripts import Backwards
from tests.logins import saver_of
from tests.security.encrypted import dump, found_in, store
from tests.security.test_encryption import NEW, OLD, OTHER, at, everything

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from agent.database import Database
    from checkpointer.administration import Administrator

BOTH = {"new": NEW, "old": OLD}


@pytest.fixture
def person() -> Principal:
    return Principal(f"resealed-{uuid4()}@example.com")


@pytest.fixture
def opened(lakehouse: Database, person: Principal) -> Iterator[Any]:
    with ExitStack() as stack:
        yield lambda ring: stack.enter_context(saver_of(lakehouse, person, encryption=ring, max_size=2))


@pytest.fixture
def owner(lakehouse: Database) -> Iterator[Administrator]:
    assert lakehouse.admin is not None
    with administration.connect(lakehouse.admin) as connected:
        yield connected


def done(owner: Administrator, person: Principal, ring: Keyring, **options: Any) -> dict[str, tuple[int, str | None]]:
    found = owner.encrypt(ring, owner=person.name, **options)
    return {each.thread_id: (each.rows, each.blocked) for each in found}


def test_threads_in_the_clear_and_under_an_older_key_are_encrypted_under_the_newest(
    opened: Any, owner: Administrator, admin: psycopg.Connection[Any], person: Principal
) -> None:
    clear, old = opened(None), opened(Keyring({"old": OLD}))
    store(clear, "clear")
    store(old, "old")
    old.copy_thread("old", "copy")
    store(opened(Keyring({"new": NEW})), "new")
    before = {"clear": everything(clear, "clear")} | {name: everything(old, name) for name in ("old", "copy")}
    ring, digests = Keyring(BOTH), digests_of(admin, person)

    told = done(owner, person, ring, dry_run=True)
    with pytest.raises(ClearRowError):
        everything(opened(ring), "clear")
    assert done(owner, person, ring) == told
    assert told.keys() == {"clear", "old", "copy"}
    assert all(rows > 10 and blocked is None for rows, blocked in told.values())

    assert found_in(dump(admin, person.name)) == []
    changed = {(thread, digest) for thread, digest in digests_of(admin, person) - digests}
    assert {thread for thread, _ in changed} == told.keys()
    assert {thread for thread, _ in digests & digests_of(admin, person)} == {"new"}
    only_new = opened(Keyring({"new": NEW}))
    assert {name: everything(only_new, name) for name in before} == before
    assert done(owner, person, ring) == {}
    with pytest.raises(EncryptedRowError):
        everything(opened(Keyring({"old": OLD})), "old")


def digests_of(admin: psycopg.Connection[Any], person: Principal) -> set[tuple[str, bytes]]:
    found = "select t.thread_id, i.digest from mooring.items i join mooring.threads t on t.id = i.thread"
    return set(admin.execute(f"{found} where t.owner = %s".encode(), [person.name]).fetchall())


def test_what_another_process_remembers_is_as_good_as_before(
    opened: Any, owner: Administrator, admin: psycopg.Connection[Any], person: Principal
) -> None:
    ring = Keyring(BOTH)
    saver = opened(lambda: ring)
    stored = store(opened(Keyring({"old": OLD})), "t")
    before = everything(saver, "t")
    done(owner, person, ring)
    count = "select count(*) from mooring.items where owner = %s"
    items = admin.execute(count, [person.name]).fetchone()

    assert everything(saver, "t") == before
    for each in (saver, opened(Keyring({"new": NEW}))):
        each.get_tuple(at("t"))
        checkpoint: Any = {
            **empty_checkpoint(),
            "channel_values": before[0],
            "channel_versions": dict.fromkeys(before[0], 2),
        }
        each.put(stored, checkpoint, {}, dict.fromkeys(before[0], 2))
        assert admin.execute(count, [person.name]).fetchone() == items


def test_a_pass_that_was_stopped_is_begun_again(
    opened: Any, owner: Administrator, person: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver = opened(None)
    many = {"messages": [HumanMessage(f"canary-message {n}", id=str(n)) for n in range(700)]}
    for name in ("a", "b"):
        store(saver, name, **many)
    before = {name: everything(saver, name) for name in ("a", "b")}
    ring = Keyring(BOTH)
    batches = iter(range(3))

    class Stopped(BaseException):
        pass

    def at_most_three(name: str) -> bytes:
        if name == "reseal_items" and next(batches, None) is None:
            raise Stopped
        return owner._queries[name]

    class Watched(dict[str, bytes]):
        def __getitem__(self, name: str) -> bytes:
            return at_most_three(name)

    from checkpointer.resealing import Resealing

    with pytest.raises(Stopped):
        list(Resealing(owner._conn, Watched(owner._queries), ring).threads(person.name, dry_run=False))
    [(rows, _), (others, _)] = done(owner, person, ring, dry_run=True).values()
    assert 100 < rows < others - 500
    told = done(owner, person, ring)
    assert told["a"] == (rows, None)
    fresh = opened(ring)
    assert {name: everything(fresh, name) for name in before} == before


def test_threads_are_used_meanwhile(opened: Any, owner: Administrator, person: Principal) -> None:
    ring = Keyring(BOTH)
    for name in ("a", "b", "c"):
        store(opened(Keyring({"old": OLD})), name, messages=[HumanMessage(f"text {n}", id=str(n)) for n in range(500)])
    saver, stop = opened(ring), threading.Event()

    def used(name: str) -> int:
        turns = 0
        while not stop.is_set() or turns < 3:
            found = saver.get_tuple(at(name))
            messages = [*found.checkpoint["channel_values"]["messages"], HumanMessage(f"turn {turns}", id=f"t{turns}")]
            held = {**found.checkpoint["channel_values"], "messages": messages}
            versions: Any = {**found.checkpoint["channel_versions"], "messages": turns + 2}
            checkpoint: Any = {**empty_checkpoint(), "channel_values": held, "channel_versions": versions}
            saver.put(found.config, checkpoint, {"step": turns}, {"messages": turns + 2})
            turns += 1
        return turns

    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(used, name) for name in ("a", "b", "c")]
        try:
            told = done(owner, person, ring)
        finally:
            stop.set()
        turns = [run.result() for run in runs]

    assert all(rows > 500 and blocked is None for rows, blocked in told.values())
    assert done(owner, person, ring) == {}
    fresh = opened(Keyring({"new": NEW}))
    for name, count in zip(("a", "b", "c"), turns, strict=True):
        found = fresh.get_tuple(at(name))
        assert len(found.checkpoint["channel_values"]["messages"]) == 500 + count


def test_a_held_thread_stays_as_it_is_and_is_named(opened: Any, owner: Administrator, person: Principal) -> None:
    ring = Keyring(BOTH)
    old = Keyring({"old": OLD})
    for name in ("held", "free"):
        store(opened(old), name)
    owner.hold(person.name, "held", reason="case")
    try:
        told = done(owner, person, ring)
        assert told["held"][1] == "legal hold"
        assert told["free"][1] is None
        assert everything(opened(old), "held") == everything(opened(ring), "held")
    finally:
        owner.release(person.name, "held")
    assert done(owner, person, ring).keys() == {"held"}
    assert everything(opened(Keyring({"new": NEW})), "held")


def test_a_thread_whose_key_is_missing_is_named_and_the_others_are_encrypted(
    opened: Any, owner: Administrator, person: Principal
) -> None:
    store(opened(Keyring({"lost": OTHER})), "a")
    store(opened(None), "b")
    told = done(owner, person, Keyring(BOTH))
    assert "'lost'" in (told["a"][1] or "")
    assert told["b"][1] is None
    assert everything(opened(Keyring({"lost": OTHER})), "a")
    assert everything(opened(Keyring(BOTH)), "b")


def test_of_metadata_that_only_another_serializer_reads_nothing_is_guessed(
    lakehouse: Database, opened: Any, owner: Administrator, person: Principal
) -> None:
    serde = EncryptedSerializer(Backwards())
    metadata: Any = {"note": {1, 2}, COUNTERS: {"messages": (1, 2)}}
    config = at("t")
    with saver_of(lakehouse, person, serde=serde) as saver:
        for _ in range(5):
            checkpoint: Any = {**empty_checkpoint(), "channel_values": {"a": "b"}, "channel_versions": {"a": 1}}
            config = saver.put(config, checkpoint, metadata, {"a": 1})
        expected = saver.get_tuple(at("t"))
    done(owner, person, Keyring(BOTH))

    with saver_of(lakehouse, person, serde=serde, encryption=Keyring(BOTH)) as saver:
        assert saver.get_tuple(at("t")) == expected
        saver.prune(["t"])
        assert len(list(saver.list(at("t")))) == 5


@pytest.mark.parametrize("note", ["", "\ud800", {1, 2}], ids=["as JSON", "not as JSON", "a type of Python's"])
def test_metadata_of_any_form_is_encrypted_and_pruned_as_before(
    opened: Any, owner: Administrator, admin: psycopg.Connection[Any], person: Principal, note: object
) -> None:
    saver, config = opened(None), at("t")
    metadata: Any = {"note": note, "step": 1, COUNTERS: {"messages": (1, 2)}, "parents": {"": empty_checkpoint()["id"]}}
    for _ in range(5):
        checkpoint: Any = {**empty_checkpoint(), "channel_values": {"a": "b"}, "channel_versions": {"a": 1}}
        config = saver.put(config, checkpoint, metadata, {"a": 1})
    expected = saver.get_tuple(at("t"))
    done(owner, person, Keyring(BOTH))

    fresh = opened(Keyring(BOTH))
    assert fresh.get_tuple(at("t")) == expected
    structures = admin.execute("select distinct metadata from mooring.checkpoints where owner = %s", [person.name])
    [(structure,)] = structures.fetchall()
    assert "note" not in structure
    fresh.prune(["t"])
    assert len(list(fresh.list(at("t")))) == 3
