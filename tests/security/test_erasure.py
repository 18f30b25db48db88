"""Nothing of a person is left, nothing of anybody else is missing, and a legal hold is stronger."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from psycopg import sql

from checkpointer import (
    ErasureHeldError,
    GovernedPostgresSaver,
    NotAdministratorError,
    Principal,
    ThreadDeletedError,
    acting_as,
    administration,
)
from tests.integration.test_saver_opening import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from checkpointer.administration import Administrator

ALICE, BOB = Principal("alice"), Principal("bob")
TABLES = ("threads", "checkpoints", "items", "writes", "feedback", "shares", "label_sets", "labels")


@dataclass
class Setting:
    """A schema of its own, in which alice and bob have threads."""

    admin: psycopg.Connection[Any]
    administrator: Administrator
    saver: GovernedPostgresSaver
    schema: str

    def run(self, query: str, *params: object) -> list[tuple[Any, ...]]:
        """Run a query as a superuser; {} is the schema."""
        text = sql.SQL(query).format(sql.Identifier(self.schema))
        cursor = self.admin.execute(text, params)
        return cursor.fetchall() if cursor.description else []

    def counts(self) -> dict[str, int]:
        """How many rows every table has."""
        return {table: self.run(f"select count(*) from {{}}.{table}")[0][0] for table in TABLES}

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        return {table: sorted(self.run(f"select t::text from {{}}.{table} t")) for table in TABLES}

    def store(self, person: Principal, thread_id: str, *sources: str) -> None:
        """Store messages derived from these tables, in two namespaces, and pending writes."""
        labels = {"mooring": {"labels": [[source, "1"] for source in sources]}}
        for ns in ("", "inner:1"):
            config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns}}
            values = {"messages": [HumanMessage("hello", id="1"), AIMessage("so", id="2", response_metadata=labels)]}
            checkpoint: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": {"messages": 1}}
            with acting_as(person):
                stored = self.saver.put(config, checkpoint, {}, {"messages": 1})
                self.saver.put_writes(stored, [("note", "x" * 100)], "task")
                if not ns:
                    self.saver.rate(stored, 0, "up", "well said")


@pytest.fixture
def setting(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Setting]:
    assert lakehouse.admin is not None
    with schema_of(lakehouse) as schema:
        GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=schema)
        with (
            GovernedPostgresSaver.from_conn_string(lakehouse.runtime, schema=schema) as saver,
            administration.connect(lakehouse.admin, schema=schema) as administrator,
        ):
            opened = Setting(admin, administrator, saver, schema)
            for thread_id in ("one", "two"):
                opened.store(ALICE, thread_id, "db.s.shared", f"db.s.{thread_id}")
            opened.store(BOB, "one", "db.s.shared")
            with acting_as(ALICE):
                saver.share("one", "bob")
            yield opened


def test_everything_of_a_person_goes_and_nothing_of_anybody_else(setting: Setting) -> None:
    before = setting.counts()
    bobs = setting.rows()
    told = setting.administrator.erase("alice", dry_run=True)
    assert (told.owner, told.held) == ("alice", ())
    assert setting.rows() == bobs

    erased = setting.administrator.erase("alice")

    assert erased == told
    after = setting.counts()
    assert {table: before[table] - after[table] for table in TABLES} == dict(erased.rows)
    assert dict(erased.rows) == {
        "threads": 2, "checkpoints": 4, "items": erased.rows["items"], "writes": 4, "feedback": 2, "shares": 1,
        "label_sets": 2, "labels": 2,
    }  # fmt: skip
    left = setting.rows()
    assert all("alice" not in str(rows) for rows in left.values())
    assert all(set(left[table]) <= set(bobs[table]) for table in TABLES)
    assert [source for (source,) in setting.run("select source from {}.labels")] == ["db.s.shared"]
    with acting_as(BOB):
        found = setting.saver.get_tuple({"configurable": {"thread_id": "one"}})
        assert found is not None
        assert found.pending_writes
    assert set(setting.administrator.erase("alice").rows.values()) == {0}


def test_what_others_share_with_a_person_is_no_longer_shared(setting: Setting) -> None:
    with acting_as(BOB):
        for share in ("alice", "group:alice", "carol"):
            setting.saver.share("one", share, "editor")

    assert setting.administrator.erase("alice", dry_run=True).rows["shares"] == 2
    assert setting.administrator.erase("alice").rows["shares"] == 2

    with acting_as(BOB):
        assert [share.shared_with for share in setting.saver.shares("one")] == ["group:alice", "carol"]
    with acting_as(ALICE):
        assert not setting.saver.sessions(owner="bob")


def test_a_held_thread_keeps_everything_unless_it_is_passed_over(setting: Setting) -> None:
    setting.administrator.hold("alice", "two", reason="case")
    before = setting.rows()
    for dry_run in (True, False):
        with pytest.raises(ErasureHeldError, match=r"'two'.*--except-held") as refused:
            setting.administrator.erase("alice", dry_run=dry_run)
        assert refused.value.thread_ids == ("two",)
        assert setting.rows() == before

    erased = setting.administrator.erase("alice", except_held=True)

    assert erased.held == ("two",)
    assert erased.rows["threads"] == 1
    assert erased.rows["labels"] == 1
    assert setting.run("select owner, thread_id from {}.threads order by 1") == [("alice", "two"), ("bob", "one")]
    assert {source for (source,) in setting.run("select source from {}.labels")} == {"db.s.shared", "db.s.two"}


def test_what_a_person_said_of_others_messages_goes_and_of_held_ones_stays(setting: Setting) -> None:
    named: Any = {"configurable": {"thread_id": "one", "thread_owner": "bob"}}
    with acting_as(BOB):
        setting.saver.share("one", "alice")
    with acting_as(ALICE):
        shared = setting.saver.get_tuple(named)
        assert shared is not None
        setting.saver.rate(shared.config, 0, "down", "what alice thinks")
    setting.administrator.hold("bob", "one", reason="case")
    with pytest.raises(ErasureHeldError, match="'one'"):
        setting.administrator.erase("alice")
    assert setting.administrator.erase("alice", except_held=True).rows["feedback"] == 2
    assert setting.run("select comment from {}.feedback where rater = 'alice'") == [("what alice thinks",)]
    setting.administrator.release("bob", "one")

    assert setting.administrator.erase("alice", dry_run=True).rows["feedback"] == 1
    assert setting.administrator.erase("alice").rows["feedback"] == 1

    assert setting.run("select rater, comment from {}.feedback") == [("bob", "well said")]
    assert setting.run("select owner from {}.threads") == [("bob",)]


def test_a_run_that_is_going_on_is_told(setting: Setting) -> None:
    config: Any = {"configurable": {"thread_id": "one", "checkpoint_ns": ""}}
    with acting_as(ALICE):
        latest = setting.saver.get_tuple(config)
        assert latest is not None
        setting.administrator.erase("alice")
        with pytest.raises(ThreadDeletedError):
            setting.saver.put(latest.config, empty_checkpoint(), {}, {})
    assert setting.run("select from {}.threads where owner = 'alice'") == []


def test_a_label_set_that_somebody_is_about_to_use_stays(setting: Setting, lakehouse: Database) -> None:
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser) as storing, ThreadPoolExecutor(1) as pool:
        name = sql.Identifier(setting.schema)
        # given a set of alice's alone that bob's transaction has just found
        found = storing.execute(
            sql.SQL("select {}.label_set(array['db.s.one', 'db.s.shared'], array['1', '1'])").format(name)
        ).fetchone()
        assert found is not None
        erasing = pool.submit(setting.administrator.erase, "alice")
        waiting = "select from pg_stat_activity where application_name = 'mooring admin' and wait_event_type = 'Lock'"
        until = time.monotonic() + 20
        while not setting.run(waiting) and time.monotonic() < until and not erasing.done():
            time.sleep(0.02)
        assert not erasing.done()
        storing.execute(
            sql.SQL("update {}.threads set label_sets = label_sets || %s where owner = 'bob'").format(name), found
        )
        storing.commit()
        erasing.result(timeout=20)
    assert setting.run("select id from {}.label_sets where id = %s", found[0]) == [found]
    assert {source for (source,) in setting.run("select source from {}.labels")} == {"db.s.shared", "db.s.one"}


def test_nobody_but_the_schema_s_owner_erases(setting: Setting, lakehouse: Database) -> None:
    with (
        pytest.raises(NotAdministratorError),
        administration.connect(lakehouse.runtime, schema=setting.schema) as service,
    ):
        service.erase("alice")
    assert setting.counts()["threads"] == 3
