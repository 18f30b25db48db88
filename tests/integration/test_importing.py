"""Threads come from the tables of LangGraph's own saver whole, for the right person, once, and go on here."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.checkpoint.base import CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.types import Command
from psycopg import sql
from psycopg.rows import dict_row
from typer.testing import CliRunner

from agent.cli.app import app
from checkpointer import GovernedPostgresSaver, Keyring, Principal, SourceError
from checkpointer.importing import ImportedThread, Outcome, import_threads, metadata_key, upstream_saver
from tests.integration.travels import BROKEN, Ticket, logger, said, travels
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

KEY = "customer"


class Theirs:
    """Upstream's tables in a schema of their own, and its saver on them."""

    def __init__(self, dsn: str, schema: str, saver: PostgresSaver) -> None:
        self.dsn, self.schema, self.saver = dsn, schema, saver
        # Nobody else's tests know this person.
        self.person = f"anna-{uuid4().hex[:8]}"

    def config(self, thread_id: str = "t", **metadata: Any) -> Any:
        return {"configurable": {"thread_id": thread_id}, "metadata": metadata or {KEY: self.person}}

    def imported(self, lakehouse: Database, encryption: Keyring | None = None, **options: Any) -> list[ImportedThread]:
        types = options.pop("allowed_types", ())
        with (
            upstream_saver(self.dsn, self.schema, types) as source,
            GovernedPostgresSaver(lakehouse.runtime, allowed_types=types, encryption=encryption) as saver,
        ):
            return list(import_threads(source, saver, owner_of=metadata_key(KEY), **options))

    def command(self, *options: str) -> Any:
        where = ["--from", self.dsn, "--schema", self.schema, "--owner-from", KEY]
        return CliRunner().invoke(app, ["db", "import", *where, *options])


@pytest.fixture
def theirs(lakehouse: Database, admin: psycopg.Connection) -> Iterator[Theirs]:
    assert lakehouse.superuser is not None
    schema = f'Their "old" \\ {uuid4().hex[:8]}'
    identifier = sql.Identifier(schema)
    admin.execute(sql.SQL("create schema {}").format(identifier))
    with psycopg.connect(lakehouse.superuser, autocommit=True, row_factory=dict_row) as conn:
        conn.execute(sql.SQL("set search_path = {}").format(identifier))
        saver = PostgresSaver(conn)
        saver.setup()
        yield Theirs(lakehouse.superuser, schema, saver)
    admin.execute(sql.SQL("drop schema {} cascade").format(identifier))


@contextmanager
def ours(lakehouse: Database, person: str, **options: Any) -> Iterator[GovernedPostgresSaver]:
    with saver_of(lakehouse, Principal(person), **options) as saver:
        yield saver


@contextmanager
def closed_harbour() -> Iterator[None]:
    BROKEN["harbour"] = True
    try:
        with pytest.raises(RuntimeError, match="closed"):
            yield
    finally:
        BROKEN["harbour"] = False


def run_of(kind: str, saver: Any, config: Any) -> None:
    """Leave a thread as a run of this kind leaves it."""
    graph = travels(saver)
    graph.invoke(said("one"), config)
    if kind == "interrupted":
        graph.invoke(said("two, and ask"), config)
        graph.invoke(Command(resume="not yet", goto="book", update=said("ask again")), config)
    elif kind == "failed":
        with closed_harbour():
            graph.invoke(said("two"), config)
    elif kind == "forked":
        graph.invoke(said("two"), config)
        before = list(graph.get_state_history(config))[3]
        fork = graph.update_state({**before.config, "metadata": config["metadata"]}, said("instead"), as_node="book")
        graph.invoke(None, {**config, **fork})


def continued(kind: str, saver: Any, config: Any) -> Any:
    graph = travels(saver)
    given: Any = {"interrupted": Command(resume="yes"), "failed": None}.get(kind, said("three"))
    graph.invoke(given, config)
    values = graph.get_state(config).values
    return [m.text for m in values["messages"]], values["visits"], values["approved"]


def comparable(found: CheckpointTuple) -> Any:
    return found.config, found.parent_config, found.checkpoint, found.metadata, found.pending_writes


def writes_there(theirs: Theirs, thread_id: str) -> list[tuple[Any, ...]]:
    """The envelopes of writes as the tables hold them."""
    with psycopg.connect(theirs.dsn) as conn:
        conn.execute(sql.SQL("set search_path = {}").format(sql.Identifier(theirs.schema)))
        columns = b"checkpoint_ns, checkpoint_id, task_path, task_id, idx, channel"
        statement = b"select " + columns + b" from checkpoint_writes where thread_id = %s order by 1, 2, 3, 4, 5"
        return conn.execute(statement, [thread_id]).fetchall()


def writes_here(admin: psycopg.Connection, person: str, thread_id: str) -> list[tuple[Any, ...]]:
    columns = b"w.ns, w.checkpoint_id, w.task_path, w.task_id, w.idx, w.channel"
    tables = b"mooring.writes w join mooring.threads t on t.id = w.thread"
    where = b"t.owner = %s and t.thread_id = %s order by 1, 2, 3, 4, 5"
    return admin.execute(b"select " + columns + b" from " + tables + b" where " + where, [person, thread_id]).fetchall()


@pytest.mark.parametrize("ring", [None, Keyring({"k": bytes(32)})], ids=["clear", "encrypted"])
@pytest.mark.parametrize("kind", ["plain", "interrupted", "failed", "forked"])
def test_a_thread_comes_whole_and_goes_on(
    lakehouse: Database, theirs: Theirs, admin: psycopg.Connection, kind: str, ring: Keyring | None
) -> None:
    config = theirs.config()
    run_of(kind, theirs.saver, config)
    expected = list(theirs.saver.list(config))

    [thread] = theirs.imported(lakehouse, ring)

    assert (thread.owner, thread.outcome, thread.checkpoints) == (theirs.person, Outcome.IMPORTED, len(expected))
    assert len({found.config["configurable"]["checkpoint_ns"] for found in expected}) > 1
    with ours(lakehouse, theirs.person, encryption=ring) as saver:
        assert list(map(comparable, saver.list(config))) == list(map(comparable, expected))
        envelopes = writes_there(theirs, "t")
        assert writes_here(admin, theirs.person, "t") == envelopes
        assert len(envelopes) == thread.writes
        special = {channel for *_, idx, channel in envelopes if idx < 0}
        assert special == {"interrupted": {"__interrupt__", "__resume__"}, "failed": {"__error__"}}.get(kind, set())
        # Versions are compared as texts from here on.
        assert continued(kind, saver, config) == continued(kind, theirs.saver, config)
        assert saver.sessions()[0].thread_id == "t"


def test_a_delta_channel_is_rebuilt_from_what_came(lakehouse: Database, theirs: Theirs) -> None:
    config = theirs.config()
    graph = logger(theirs.saver)
    for n in range(5):
        graph.invoke(said(f"ship {n}"), config)
    fork = graph.update_state(list(graph.get_state_history(config))[4].config, {"log": ["fog"]}, as_node="note")
    graph.invoke(said("ship 9"), {**config, **fork})

    [thread] = theirs.imported(lakehouse)

    assert thread.outcome == Outcome.IMPORTED
    with ours(lakehouse, theirs.person) as saver:
        copied = logger(saver)
        histories = [[state.values.get("log") for state in g.get_state_history(config)] for g in (graph, copied)]
        assert histories[0] == histories[1]
        assert copied.invoke(said("last"), config)["log"] == graph.invoke(said("last"), config)["log"]


def test_each_thread_goes_to_its_owner_and_to_nobody_by_guess(lakehouse: Database, theirs: Theirs) -> None:
    ben = f"ben-{uuid4().hex[:8]}"
    graph = travels(theirs.saver)
    named: dict[str, dict[str, Any]] = {
        "hers": {KEY: theirs.person},
        "his": {KEY: ben},
        "nobody's": {"other": "x"},
        "a number's": {KEY: 7},
    }
    for thread_id, metadata in named.items():
        graph.invoke(said("one"), theirs.config(thread_id, **metadata))
    for person in (theirs.person, ben):
        graph.invoke(said("one"), theirs.config("both's", **{KEY: person}))
    long = "x" * 1001
    graph.invoke(said("one"), theirs.config(long))

    threads = {thread.thread_id: thread for thread in theirs.imported(lakehouse)}

    assert {name: thread.owner for name, thread in threads.items() if thread.outcome == Outcome.IMPORTED} == {
        "hers": theirs.person,
        "his": ben,
        "a number's": "7",
    }
    assert threads["nobody's"].reason == "No checkpoint names an owner."
    assert f"{theirs.person}, {ben}" in (threads["both's"].reason or "")
    assert "1,000 bytes" in (threads[long].reason or "")
    for person, names in ((theirs.person, {"hers"}), (ben, {"his"})):
        with ours(lakehouse, person) as saver:
            assert {session.thread_id for session in saver.sessions()} == names


def test_only_the_owners_that_are_asked_for(lakehouse: Database, theirs: Theirs) -> None:
    for thread_id, person in (("hers", theirs.person), ("his", "ben")):
        travels(theirs.saver).invoke(said("one"), theirs.config(thread_id, **{KEY: person}))

    threads = theirs.imported(lakehouse, owners=[theirs.person])

    assert {thread.thread_id: thread.outcome for thread in threads} == {
        "hers": Outcome.IMPORTED,
        "his": Outcome.LEFT_OUT,
    }


IMPORT = """
import sys
from checkpointer import GovernedPostgresSaver
from checkpointer.importing import import_threads, metadata_key, upstream_saver
with upstream_saver(sys.argv[1], sys.argv[2]) as source:
    with GovernedPostgresSaver.from_conn_string(sys.argv[3]) as saver:
        for thread in import_threads(source, saver, owner_of=metadata_key(sys.argv[4])):
            print(thread.thread_id, flush=True)
"""


def test_killed_in_the_middle_it_goes_on_where_it_stopped(
    lakehouse: Database, theirs: Theirs, admin: psycopg.Connection
) -> None:
    travels(theirs.saver).invoke(said("one"), theirs.config("finished"))
    long = theirs.config("long")
    for n in range(12):
        travels(theirs.saver).invoke(said(f"turn {n}"), long)
    counting = "select count(*) from mooring.checkpoints c join mooring.threads t on t.id = c.thread"
    counting += " where t.owner = %s and t.thread_id = 'long'"
    command = [sys.executable, "-c", IMPORT, theirs.dsn, theirs.schema, lakehouse.runtime, KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as importing:
        assert importing.stdout is not None
        assert importing.stdout.readline() == "finished\n"
        copied = 0
        while copied < 3:
            [(copied,)] = admin.execute(counting.encode(), [theirs.person]).fetchall()
        importing.kill()
        assert importing.wait() != 0
    expected = list(map(comparable, theirs.saver.list(long)))
    [(copied,)] = admin.execute(counting.encode(), [theirs.person]).fetchall()
    assert 0 < copied < len(expected)

    first, second = theirs.imported(lakehouse), theirs.imported(lakehouse)

    assert [thread.outcome for thread in first] == [Outcome.PRESENT, Outcome.IMPORTED]
    assert [thread.outcome for thread in second] == [Outcome.PRESENT] * 2
    with ours(lakehouse, theirs.person) as saver:
        assert list(map(comparable, saver.list(long))) == expected


def test_what_went_on_there_is_added_and_what_went_on_here_is_left(lakehouse: Database, theirs: Theirs) -> None:
    config = theirs.config()
    travels(theirs.saver).invoke(said("one"), config)
    theirs.imported(lakehouse)
    travels(theirs.saver).invoke(said("two"), config)
    [added] = theirs.imported(lakehouse)
    with ours(lakehouse, theirs.person) as saver:
        assert list(map(comparable, saver.list(config))) == list(map(comparable, theirs.saver.list(config)))
        travels(saver).invoke(said("three"), config)
        [present] = theirs.imported(lakehouse)
        travels(theirs.saver).invoke(said("four"), config)
        [refused] = theirs.imported(lakehouse)

        assert (added.outcome, present.outcome) == (Outcome.IMPORTED, Outcome.PRESENT)
        assert refused.outcome == Outcome.REFUSED
        assert "gone on here and there" in (refused.reason or "")
        assert travels(saver).get_state(config).values["messages"][-2].text == "three"


def test_a_difference_is_found(lakehouse: Database, theirs: Theirs) -> None:
    config = theirs.config()
    travels(theirs.saver).invoke(said("one"), config)
    latest = theirs.saver.get_tuple(config)
    assert latest is not None
    theirs.imported(lakehouse)
    changed: Any = {**latest.checkpoint, "channel_values": {**latest.checkpoint["channel_values"], "approved": "no"}}
    with ours(lakehouse, theirs.person) as saver:
        saver.put(latest.parent_config or {}, changed, latest.metadata, changed["channel_versions"])

        [thread] = theirs.imported(lakehouse)

    assert thread.outcome == Outcome.REFUSED
    assert "differs in channel 'approved'" in (thread.reason or "")


class TestTypes:
    """Values are rebuilt only as types that are allowed, and never handed on as raw data."""

    NAME = f"{Ticket.__module__}:Ticket"

    @pytest.fixture
    def with_a_ticket(self, theirs: Theirs) -> Theirs:
        for thread_id in ("plain", "ticket"):
            travels(theirs.saver).invoke(said("one"), theirs.config(thread_id))
        travels(theirs.saver).update_state(theirs.config("ticket"), {"visits": [Ticket(7)]}, as_node="visit")
        return theirs

    def test_another_type_is_refused_by_name_and_nothing_kept(self, lakehouse: Database, with_a_ticket: Theirs) -> None:
        done = with_a_ticket.command()

        assert done.exit_code == 1
        assert "tests.integration.travels.Ticket" in done.stdout
        assert f"add --allow {self.NAME}" in done.stdout
        assert "Imported 1 session " in done.stdout
        with ours(lakehouse, with_a_ticket.person) as saver:
            assert [session.thread_id for session in saver.sessions()] == ["plain"]

    def test_allowed_it_comes(self, lakehouse: Database, with_a_ticket: Theirs) -> None:
        done = with_a_ticket.command("--allow", self.NAME)

        assert done.exit_code == 0, done.output
        with ours(lakehouse, with_a_ticket.person, allowed_types=[Ticket]) as saver:
            assert travels(saver).get_state(with_a_ticket.config("ticket")).values["visits"][-1] == Ticket(7)

    def test_one_that_cannot_be_rebuilt_is_refused(
        self, lakehouse: Database, with_a_ticket: Theirs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def needs_more(self: Ticket, seat: int, gate: str) -> None:
            raise AssertionError

        monkeypatch.setattr(Ticket, "__init__", needs_more)

        threads = with_a_ticket.imported(lakehouse, allowed_types=[Ticket])

        assert [thread.outcome for thread in threads] == [Outcome.IMPORTED, Outcome.REFUSED]
        assert "cannot be rebuilt here: tests.integration.travels.Ticket" in (threads[1].reason or "")

    def test_one_that_an_old_release_wrote_as_json_is_refused(self, lakehouse: Database, theirs: Theirs) -> None:
        travels(theirs.saver).invoke(said("one"), theirs.config())
        old = {"lc": 2, "type": "constructor", "id": [*Ticket.__module__.split("."), "Ticket"], "kwargs": {"seat": 7}}
        with theirs.saver._cursor() as cursor:
            cursor.execute(
                "update checkpoint_blobs set type = 'json', blob = %s where channel = 'visits'",
                [json.dumps([old]).encode()],
            )

        [thread] = theirs.imported(lakehouse)

        assert thread.types == ("tests.integration.travels.Ticket",)


class TestCommand:
    def test_a_dry_run_reads_everything_and_stores_nothing(self, lakehouse: Database, theirs: Theirs) -> None:
        run_of("interrupted", theirs.saver, theirs.config())
        travels(theirs.saver).invoke(said("one"), theirs.config("nobody's", other="x"))

        tried = json.loads(theirs.command("--dry-run", "-o", "json").stdout)

        assert (tried["dry_run"], tried["imported"], tried["present"]) == (True, 1, 0)
        assert tried["refused"] == [
            {"thread": "nobody's", "owner": None, "reason": "No checkpoint names an owner.", "allow": []}
        ]
        with ours(lakehouse, theirs.person) as saver:
            assert saver.sessions() == []

        done = json.loads(theirs.command("-o", "json", "--owner", theirs.person).stdout)

        assert done == {**tried, "dry_run": False, "left_out": 1, "refused": []}
        assert theirs.command("--owner", theirs.person, "--dry-run").stdout == (
            "Would import 0 sessions with 0 checkpoints and 0 pending writes; 1 here already; 1 of other owners.\n"
        )

    def test_what_is_no_source_is_said(self, lakehouse: Database, theirs: Theirs) -> None:
        secret = "postgresql://nobody:geheim@127.0.0.1:1/nothing"
        for dsn, schema, says in (
            (theirs.dsn, "nowhere", "Name the schema"),
            (secret, None, "cannot be reached"),
            ("geheim is no address", None, "no address"),
        ):
            with (
                pytest.raises(SourceError, match=says) as error,
                GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver,
                upstream_saver(dsn, schema) as source,
            ):
                list(import_threads(source, saver, owner_of=metadata_key(KEY)))
            assert "geheim" not in str(error.value)

    def test_a_class_that_is_not_there_is_said(self, theirs: Theirs) -> None:
        done = theirs.command("--allow", "nowhere:Nothing")
        assert "There is no class nowhere:Nothing" in str(done.exception)

    def test_nothing_can_be_written_there(self, theirs: Theirs) -> None:
        config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        with (
            upstream_saver(theirs.dsn, theirs.schema) as source,
            pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        ):
            source.put(config, empty_checkpoint(), {}, {})
