"""Under keys, nothing that a user gave is in the database in the clear, and nothing in the clear is believed."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from psycopg.conninfo import conninfo_to_dict

from agent.local import binaries
from checkpointer import (
    ClearRowError,
    EncryptedRowError,
    EncryptionError,
    GovernedPostgresSaver,
    Keyring,
    Principal,
    SealBrokenError,
)
from checkpointer.queries import queries
from checkpointer.sealing import KNOWN
from tests.logins import saver_of
from tests.security.encrypted import CANARIES, dump, found_in, store, tables, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from agent.database import Database

OLD, NEW, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))
Opened = "Callable[[Keyring | None], GovernedPostgresSaver]"


@pytest.fixture
def person() -> Principal:
    return Principal(f"sealed-{uuid4()}@example.com")


@pytest.fixture
def opened(lakehouse: Database, person: Principal) -> Iterator[Any]:
    """Opens savers, each as a process of its own would, with these keys."""
    with ExitStack() as stack:
        yield lambda ring, who=person: stack.enter_context(saver_of(lakehouse, who, encryption=ring, max_size=2))


def at(thread_id: str) -> Any:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}


def everything(saver: GovernedPostgresSaver, thread_id: str) -> Any:
    found = saver.get_tuple(at(thread_id))
    assert found is not None
    assert [found] == list(saver.list(at(thread_id)))
    writes = [(task, channel, repr(value)) for task, channel, value in found.pending_writes or []]
    titles = [session.title for session in saver.sessions(thread_id=thread_id)]
    return found.checkpoint["channel_values"], found.metadata, writes, titles


# --- nothing in the clear -------------------------------------------------------------------------------------------


def test_no_column_of_any_table_holds_anything_that_a_user_gave(
    opened: Any, admin: psycopg.Connection[Any], person: Principal
) -> None:
    saver = opened(Keyring({"k": NEW}))
    stored = store(saver, "t")
    saver.copy_thread("t", "copy")
    saver.share("t", f"reader-{uuid4()}@example.com", "editor")

    assert {"threads", "items", "checkpoints", "writes", "audit"} <= set(tables(admin))
    assert found_in(dump(admin, person.name)) == []

    found = everything(opened(Keyring({"k": NEW})), "t")
    assert found[0] == values()
    assert found[1]["note"] == "canary-metadata"
    assert found[3] == ["canary-title"]
    assert "canary-interrupt" in str(found[2])
    assert "canary-error" in str(found[2])
    assert saver.get_tuple(stored) is not None


def test_the_same_in_the_clear_is_found(opened: Any, admin: psycopg.Connection[Any], person: Principal) -> None:
    store(opened(None), "t")
    assert found_in(dump(admin, person.name)) == CANARIES


def test_a_dump_of_the_database_holds_nothing_of_it(
    lakehouse: Database, opened: Any, admin: psycopg.Connection[Any]
) -> None:
    mark = f"canary-{uuid4()}"
    store(opened(Keyring({"k": NEW})), "t", short=mark[:40], messages=[HumanMessage(mark)])
    server = conninfo_to_dict(lakehouse.superuser or "")
    command = [str(binaries.wheel() / "bin" / "pg_dump"), "-n", "mooring", "-d", lakehouse.superuser or ""]
    dumped = subprocess.run(command, capture_output=True, check=True).stdout
    assert b"COPY mooring.items" in dumped, server["dbname"]
    for text in (mark.encode(), mark[:40].encode()):
        assert text not in dumped
        assert text.hex().encode() not in dumped


def test_equal_content_is_stored_once_and_known_again_by_another_process(
    opened: Any, admin: psycopg.Connection[Any], person: Principal
) -> None:
    ring = Keyring({"k": NEW})
    first, second = opened(ring), opened(ring)
    text = HumanMessage("the same " * 20, id="1")
    for saver in (first, second, first):
        saver.get_tuple(at("t"))
        parent = saver.get_tuple(at("t"))
        held = {"messages": [text, HumanMessage(f"other {uuid4()}")]}
        checkpoint: Any = {**empty_checkpoint(), "channel_values": held, "channel_versions": {"messages": 1}}
        saver.put(parent.config if parent else at("t"), checkpoint, {}, {"messages": 1})

    [(count,)] = admin.execute("select count(*) from mooring.items where owner = %s", [person.name]).fetchall()
    assert count == 4


def test_what_equal_content_is_found_by_tells_nothing_without_the_key(
    opened: Any, admin: psycopg.Connection[Any], person: Principal
) -> None:
    held = {"messages": [HumanMessage("the same", id="1")]}
    digests = []
    for ring, thread in ((None, "clear"), (Keyring({"k": NEW}), "a"), (Keyring({"k": OLD}), "b"), (None, "clear too")):
        store(opened(ring), thread, **held)
        found = "select digest from mooring.items i join mooring.threads t on t.id = i.thread"
        found += " where t.owner = %s and t.thread_id = %s and i.kind = 'human'"
        digests += [digest for (digest,) in admin.execute(found, [person.name, thread])]
    clear, a, b, again = digests
    assert clear == again
    assert len({clear, a, b}) == 3


# --- keys -----------------------------------------------------------------------------------------------------------


def test_keys_are_rotated_without_opening_the_saver_anew(
    opened: Any, admin: psycopg.Connection[Any], person: Principal
) -> None:
    rings = [Keyring({"old": OLD})]
    saver = opened(lambda: rings[-1])
    store(saver, "before")
    before = everything(saver, "before")
    rings.append(Keyring({"new": NEW, "old": OLD}))
    store(saver, "after")

    assert everything(saver, "before") == before
    assert everything(opened(rings[-1]), "before") == before
    assert everything(opened(Keyring({"new": NEW})), "after")[0] == values()
    with pytest.raises(EncryptedRowError, match="'old'"):
        everything(opened(Keyring({"new": NEW})), "before")
    assert everything(opened(Keyring({"x": OTHER, "old": OLD})), "before") == before


def test_a_thread_goes_on_under_a_new_key(opened: Any) -> None:
    stored = store(opened(Keyring({"old": OLD})), "t")
    saver = opened(Keyring({"new": NEW, "old": OLD}))
    found = saver.get_tuple(stored)
    assert found is not None
    checkpoint: Any = {**found.checkpoint, "id": empty_checkpoint()["id"]}
    saver.put(stored, checkpoint, {}, {})
    assert everything_of(opened(Keyring({"new": NEW, "old": OLD})), "t") == values()


def everything_of(saver: GovernedPostgresSaver, thread_id: str) -> Any:
    found = saver.get_tuple(at(thread_id))
    return found and found.checkpoint["channel_values"]


# --- refused --------------------------------------------------------------------------------------------------------


def reads(saver: GovernedPostgresSaver) -> dict[str, Callable[[], object]]:
    return {
        "get_tuple": lambda: saver.get_tuple(at("t")),
        "list": lambda: list(saver.list(at("t"))),
        "list of all": lambda: list(saver.list(None)),
        "export": lambda: saver.export(at("t")),
        "sessions": saver.sessions,
    }


READS = ("get_tuple", "list", "list of all", "export", "sessions")


@pytest.mark.parametrize("read", READS)
def test_without_the_key_nothing_is_read(opened: Any, read: str) -> None:
    store(opened(Keyring({"k": NEW})), "t")
    for ring, error in (
        (None, EncryptedRowError),
        (Keyring({"other": NEW}), EncryptedRowError),
        (Keyring({"k": OTHER}), SealBrokenError),
    ):
        with pytest.raises(error) as refused:
            reads(opened(ring))[read]()
        assert not any(canary.decode("latin-1") in str(refused.value) for canary in CANARIES)


@pytest.mark.parametrize("read", READS)
def test_what_is_in_the_clear_is_refused(opened: Any, read: str) -> None:
    store(opened(None), "t")
    with pytest.raises(ClearRowError, match="mooring db encrypt"):
        reads(opened(Keyring({"k": NEW})))[read]()


def test_an_unencrypted_saver_moves_nothing_that_is_encrypted(opened: Any) -> None:
    store(opened(Keyring({"k": NEW})), "t")
    clear = opened(None)
    with pytest.raises(EncryptedRowError):
        clear.copy_thread("t", "copy")
    with pytest.raises(EncryptedRowError):
        clear.transfer("t", "bob")
    assert everything(opened(Keyring({"k": NEW})), "t")[0] == values()


# Each row of a table in the clear, one after the other put in the place of the encrypted one.
CLEAR_ROWS = {
    "an item": "update mooring.items i set value = c.value, message = c.message from mooring.items c {pair}"
    " and i.position = c.position",
    "a message": "update mooring.items i set value = c.value, message = c.message from mooring.items c {pair}"
    " and i.position = c.position and c.message is not null",
    "a state": "update mooring.checkpoints i set state = c.state from mooring.checkpoints c {pair}",
    "metadata": "update mooring.checkpoints i set metadata = c.metadata, metadata_value = c.metadata_value"
    " from mooring.checkpoints c {pair}",
    "a write": "update mooring.writes i set value = c.value from mooring.writes c {pair}"
    " and i.task_id = c.task_id and i.idx = c.idx",
    "a title": "update mooring.threads i set title = c.title, sealed_title = null from mooring.threads c"
    " where i.id = %(sealed)s and c.id = %(clear)s",
}
PAIR = "where i.thread = %(sealed)s and c.thread = %(clear)s"


@pytest.fixture
def pair(opened: Any, admin: psycopg.Connection[Any], person: Principal) -> dict[str, int]:
    """Two threads with the same content, one encrypted."""
    ring = Keyring({"k": NEW})
    store(opened(ring), "t")
    store(opened(None), "clear")
    store(opened(ring), "second")
    store(opened(ring, Principal(f"other-{person.name}")), "t")
    found = admin.execute("select owner, thread_id, id from mooring.threads where owner like %s", [f"%{person.name}"])
    ids = {(owner == person.name, name): thread for owner, name, thread in found}
    return {
        "sealed": ids[True, "t"],
        "clear": ids[True, "clear"],
        "second": ids[True, "second"],
        "foreign": ids[False, "t"],
    }


@pytest.mark.parametrize("what", CLEAR_ROWS)
def test_one_row_in_the_clear_is_refused(
    opened: Any, admin: psycopg.Connection[Any], pair: dict[str, int], what: str
) -> None:
    assert admin.execute(CLEAR_ROWS[what].format(pair=PAIR).encode(), pair).rowcount > 0
    with pytest.raises(ClearRowError):
        everything(opened(Keyring({"k": NEW})), "t")


MOVED_ROWS = {
    "an item": "update mooring.items i set value = c.value from mooring.items c {pair} and i.position = c.position",
    "a state": "update mooring.checkpoints i set state = c.state from mooring.checkpoints c {pair}",
    "metadata": "update mooring.checkpoints i set metadata_value = c.metadata_value from mooring.checkpoints c {pair}",
    "a write": "update mooring.writes i set value = c.value from mooring.writes c {pair}"
    " and i.task_id = c.task_id and i.idx = c.idx",
    "a title": "update mooring.threads i set sealed_title = c.sealed_title from mooring.threads c"
    " where i.id = %(sealed)s and c.id = %({source})s",
}


@pytest.mark.parametrize("source", ["second", "foreign"])
@pytest.mark.parametrize("what", MOVED_ROWS)
def test_a_row_of_another_thread_is_refused(
    opened: Any, admin: psycopg.Connection[Any], pair: dict[str, int], what: str, source: str
) -> None:
    where = f"where i.thread = %(sealed)s and c.thread = %({source})s"
    assert admin.execute(MOVED_ROWS[what].format(pair=where, source=source).encode(), pair).rowcount > 0
    with pytest.raises(SealBrokenError):
        everything(opened(Keyring({"k": NEW})), "t")


# Within one thread: something of another kind, or of another checkpoint, task or channel.
SWAPPED = {
    "an item of another kind": "update mooring.items i set value = c.value from mooring.items c"
    " where i.thread = %(sealed)s and c.thread = i.thread and i.kind = 'tool' and c.kind = 'human'",
    "an item as another kind": "update mooring.items set kind = 'system' where thread = %(sealed)s and kind = 'human'",
    "metadata as a state": "update mooring.checkpoints set state = metadata_value where thread = %(sealed)s",
    "a state of another checkpoint": "update mooring.checkpoints set checkpoint_id = 'z' where thread = %(sealed)s",
    "where the messages are": "update mooring.checkpoints set state = set_byte(state, 4, 3) where thread = %(sealed)s",
    "a write of another task": "update mooring.writes set task_id = 'task-9'"
    " where thread = %(sealed)s and task_id = 'task-3'",
    "a write to another channel": "update mooring.writes set channel = 'long'"
    " where thread = %(sealed)s and channel = 'short'",
}


@pytest.mark.parametrize("what", SWAPPED)
def test_a_row_in_another_place_of_its_thread_is_refused(
    opened: Any, admin: psycopg.Connection[Any], pair: dict[str, int], what: str
) -> None:
    if "checkpoint_id" in SWAPPED[what]:
        admin.execute("delete from mooring.writes where thread = %(sealed)s", pair)
    assert admin.execute(SWAPPED[what].encode(), pair).rowcount > 0
    with pytest.raises(SealBrokenError):
        everything(opened(Keyring({"k": NEW})), "t")


COLUMNS = {"items": "value", "checkpoints": "state", "writes": "value", "threads": "sealed_title"}


@pytest.mark.parametrize("table", [*COLUMNS, "metadata"])
@pytest.mark.parametrize("place", ["nonce", "ciphertext", "the last byte", "its end"])
def test_a_changed_byte_is_refused(
    opened: Any, admin: psycopg.Connection[Any], pair: dict[str, int], table: str, place: str
) -> None:
    table, column = ("checkpoints", "metadata_value") if table == "metadata" else (table, COLUMNS[table])
    last = f"octet_length({column}) - 1"
    byte = {"nonce": f"{last} - 30", "ciphertext": f"{last} - 17", "the last byte": last, "its end": last}[place]
    changed = f"set_byte({column}, {byte}, get_byte({column}, {byte}) # 1)"
    if place == "its end":
        changed = f"substr({column}, 1, {last})"
    key = "id" if table == "threads" else "thread"
    statement = f"update mooring.{table} set {column} = {changed} where {key} = %(sealed)s"
    assert admin.execute(statement.encode(), pair).rowcount > 0
    with pytest.raises(EncryptionError):
        everything(opened(Keyring({"k": NEW})), "t")


def test_a_forged_voucher_is_refused(opened: Any, admin: psycopg.Connection[Any], pair: dict[str, int]) -> None:
    saver = opened(Keyring({"k": NEW}))
    saver.copy_thread("second", "copy")
    forged = "update mooring.threads t set places = c.places from mooring.threads c where t.id = %(sealed)s"
    assert admin.execute(f"{forged} and c.owner = t.owner and c.thread_id = 'copy'".encode(), pair).rowcount == 1
    with pytest.raises(SealBrokenError):
        everything(opened(Keyring({"k": NEW})), "t")


def test_every_statement_that_a_saver_sends_is_known_to_encryption() -> None:
    included = {"parts", "latest", "pruned", "orphan_items", "copied", "is_due", "keep", "is_free", "is_named"}
    included |= {"threads_page", "due_checkpoints", "counted_steps", "steps_back"}
    administrators = {"administer", "check_administrator", "hold", "release", "holds", "held_of", "lock_threads_of"}
    included |= {"stale_item", "stale_checkpoint", "stale_write", "is_stale", "stale_opinion"}
    administrators |= {"stale_threads", "lock_stale_thread", "stale_items", "stale_checkpoints", "stale_writes"}
    administrators |= {"reseal_thread", "reseal_items", "reseal_checkpoints", "reseal_writes"}
    administrators |= {"stale_feedback", "reseal_feedback", "erase_feedback", "erase_shares"}
    administrators |= {"erasing", "erase", "lock_label_sets", "erase_label_sets", "lock_labels", "erase_labels"}
    assert queries("mooring").keys() - included - administrators - {"bind"} == KNOWN


# --- what moves -----------------------------------------------------------------------------------------------------


def test_a_copy_and_a_copy_of_it_are_read_where_they_are(opened: Any) -> None:
    ring = Keyring({"k": NEW})
    saver = opened(ring)
    store(saver, "t")
    saver.copy_thread("t", "copy")
    saver.copy_thread("copy", "copy of it")
    saver.delete_thread("t")
    saver.delete_thread("copy")
    stored = store(saver, "copy of it", short="by hand")

    fresh = opened(ring)
    assert everything_of(fresh, "copy of it") == {**values(), "short": "by hand"}
    first = list(fresh.list(at("copy of it")))[-1]
    assert first.checkpoint["channel_values"] == values()
    assert first.config != stored
    assert [session.title for session in fresh.sessions()] == ["canary-title"]


@pytest.mark.parametrize("taken", [False, True], ids=["a name that is free", "a name that is taken"])
@pytest.mark.parametrize("name", ["t", "é" * 499], ids=["short", "long"])
def test_what_is_given_away_is_read_there(opened: Any, person: Principal, name: str, taken: bool) -> None:
    ring = Keyring({"k": NEW})
    to = Principal(f"to-{person.name}")
    saver, theirs = opened(ring), opened(ring, to)
    store(saver, name)
    if taken:
        store(theirs, name, short="their own")
    saver.transfer(name, to.name)

    names = [session.thread_id for session in theirs.sessions() if session.thread_id != name or not taken]
    assert len(names) == 1
    assert (names == [name]) is not taken
    [given] = names
    assert everything(opened(ring, to), given)[0] == values()
    theirs.copy_thread(given, "copy")
    theirs.transfer("copy", person.name)
    assert everything(opened(ring), "copy")[0] == values()


def test_metadata_is_searched_by_what_it_equals(opened: Any) -> None:
    saver = opened(Keyring({"k": NEW}))
    for thread, note in (("a", "x"), ("b", "y"), ("c", "x")):
        checkpoint: Any = {**empty_checkpoint(), "channel_values": {}, "channel_versions": {}}
        saver.put(at(thread), checkpoint, {"note": note, "step": 1}, {})

    found = list(saver.list(None, filter={"note": "x", "step": 1}))
    assert {each.config["configurable"]["thread_id"] for each in found} == {"a", "c"}
    assert len(list(saver.list(None, filter={"note": "x"}, limit=1))) == 1
    assert list(saver.list(None, filter={"note": "z"})) == []
