"""Keeping the last checkpoints, time to live since last use, and what is said before anything goes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    Retention,
    administration,
)
from tests.integration.keeping import (
    DAY,
    TABLES,
    State,
    graph_of,
    last_used,
    name_of,
    rows_of,
    steps,
    talk,
    went,
)
from tests.integration.test_delta_channel import Never, Often, said
from tests.integration.test_delta_channel import graph_of as delta_graph
from tests.logins import saver_of

if TYPE_CHECKING:
    from agent.database import Database


def version_of(admin: psycopg.Connection[Any], config: Any) -> Any:
    """What changes whenever the thread's row is written."""
    statement = "select xmin::text, ctid::text from mooring.threads where thread_id = %s"
    return admin.execute(statement, [name_of(config)]).fetchone()


class TestKeepLast:
    def test_the_last_ones_stay_whole_and_the_rest_goes(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
    ) -> None:
        config = talk(saver)
        graph = graph_of(saver)
        history = [(state.values, state.next, state.metadata) for state in graph.get_state_history(config)]
        before = rows_of(admin, config)

        expired = saver.expire(retention=Retention(keep_last=4))

        assert went(expired) == {name_of(config): (False, 5, None)}
        kept = list(graph.get_state_history(config))
        assert [(state.values, state.next, state.metadata) for state in kept] == history[:4]
        assert [graph.get_state(state.config).values for state in kept] == [values for values, _, _ in history[:4]]
        after = rows_of(admin, config)
        assert after["checkpoints"] == 4
        assert sum(before.values()) - sum(after.values()) == expired[0].rows
        assert after["items"] < before["items"]
        # the thread goes on, also in a process that remembers what has gone
        graph.invoke({"said": ["next"]}, config)
        assert graph.get_state(config).values["said"] == [*history[0][0]["said"], "next", "answer"]
        assert saver.expire(retention=Retention(keep_last=7)) == []

    def test_every_namespace_keeps_its_latest(self, saver: GovernedPostgresSaver) -> None:
        builder: Any = StateGraph(State).add_node("inner", graph_of(True)).add_edge(START, "inner")
        graph = builder.compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": str(uuid4())}}
        for _ in range(2):
            graph.invoke({"said": ["question"]}, config, durability="sync")
        latest = {}
        for found in reversed(list(saver.list(config))):
            latest[found.config["configurable"]["checkpoint_ns"]] = found
        assert len(latest) == 2

        saver.expire(retention=Retention(keep_last=1))

        # and each begins the history
        beginning = {ns: found._replace(parent_config=None) for ns, found in latest.items()}
        assert {found.config["configurable"]["checkpoint_ns"]: found for found in saver.list(config)} == beginning

    def test_an_interrupted_turn_can_be_finished(self, saver: GovernedPostgresSaver) -> None:
        config = talk(saver)

        def ask(_: State) -> dict[str, Any]:
            return {"said": [interrupt("sure?")]}

        graph_of(saver, ask).invoke({"said": ["q"]}, config)
        assert len(saver.expire(retention=Retention(keep_last=1))) == 1

        assert graph_of(saver, ask).get_state(config).interrupts[0].value == "sure?"
        graph_of(saver, ask).invoke(Command(resume="yes"), config)
        assert graph_of(saver, ask).get_state(config).values["said"][-2:] == ["q", "yes"]

    @pytest.mark.parametrize(
        ("kind", "note", "pruned"), [(Often, "", True), (Never, "", False), (Often, "\ud800", False)]
    )
    def test_what_a_delta_channel_is_rebuilt_from_stays(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], kind: type, note: str, pruned: bool
    ) -> None:
        # given metadata that the database can read, and some that it cannot
        graph = delta_graph(kind, saver)
        config: Any = {"configurable": {"thread_id": str(uuid4())}, "metadata": {"note": note}}
        for turn in range(12):
            graph.invoke(said(f"question {turn}"), config, durability="sync")
        states = [state.values for state in graph.get_state_history(config)]
        before = rows_of(admin, config)["checkpoints"]

        for keep_last in (4, 2, 1):
            saver.expire(retention=Retention(keep_last=keep_last))
            kept = [state.values for state in graph.get_state_history(config)]
            assert kept[:keep_last] == states[:keep_last]

        left = rows_of(admin, config)["checkpoints"]
        assert (left < before) is pruned
        graph.invoke(said("next"), config, durability="sync")
        assert graph.get_state(config).values["messages"][:-2] == states[0]["messages"]

    def test_a_call_of_a_subgraph_goes_with_the_checkpoint_that_made_it(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
    ) -> None:
        builder: Any = StateGraph(State).add_node("inner", graph_of(None)).add_edge(START, "inner")
        graph = builder.compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": str(uuid4())}}
        for _ in range(3):
            graph.invoke({"said": ["question"]}, config, durability="sync")
        calls = "select count(distinct ns) from mooring.checkpoints c join mooring.threads t on t.id = c.thread"
        calls += " where thread_id = %s and ns <> ''"
        assert admin.execute(calls, [name_of(config)]).fetchone() == (3,)

        saver.expire(retention=Retention(keep_last=5))  # the last turn, and half of the one before

        assert admin.execute(calls, [name_of(config)]).fetchone() == (2,)
        assert len(list(saver.list({"configurable": {"thread_id": name_of(config), "checkpoint_ns": ""}}))) == 5


class TestTimeToLive:
    def test_a_thread_goes_whole_when_it_was_not_used_for_that_long(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
    ) -> None:
        old, recent = talk(saver), talk(saver)
        last_used(admin, old, 31 * DAY)
        last_used(admin, recent, 29 * DAY)
        rows = sum(rows_of(admin, old).values())

        dry = saver.expire(retention=Retention(ttl=30 * DAY), dry_run=True)
        assert went(dry) == {name_of(old): (True, 9, None)}
        assert sum(rows_of(admin, old).values()) == rows == dry[0].rows

        assert saver.expire(retention=Retention(ttl=30 * DAY)) == dry
        assert rows_of(admin, old) == dict.fromkeys(TABLES, 0)
        assert saver.get_tuple(old) is None
        assert len(steps(saver, recent)) == 9
        assert saver.expire(retention=Retention(ttl=30 * DAY)) == []

    def test_a_write_is_a_use(self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]) -> None:
        config = talk(saver)
        last_used(admin, config, 31 * DAY)
        graph_of(saver).invoke({"said": ["still here"]}, config)

        assert saver.expire(retention=Retention(ttl=30 * DAY)) == []

    @pytest.mark.parametrize("read", ["get_tuple", "by id", "history"])
    @pytest.mark.parametrize("asked", ["no", "saver", "thread", "thread says no"])
    def test_a_read_is_a_use_where_that_is_asked_for(
        self, lakehouse: Database, person: Principal, admin: psycopg.Connection[Any], asked: str, read: str
    ) -> None:
        policy = Retention(ttl=30 * DAY, refresh_on_read=asked in ("saver", "thread says no"))
        with saver_of(lakehouse, person, retention=policy) as saver:
            config = talk(saver)
            if asked.startswith("thread"):
                saver.set_retention(name_of(config), Retention(ttl=30 * DAY, refresh_on_read=asked == "thread"))
            by_id = graph_of(saver).get_state(config).config
            last_used(admin, config, 31 * DAY)
            before = version_of(admin, config)

            if read == "get_tuple":
                saver.get_tuple(config)
            elif read == "by id":
                saver.get_tuple(by_id)
            else:
                list(saver.list(config))

            refreshed = asked in ("saver", "thread")
            assert (version_of(admin, config) != before) is refreshed
            assert bool(saver.expire()) is not refreshed

    def test_a_saver_without_a_policy_says_that_its_reads_are_no_use(self, saver: GovernedPostgresSaver) -> None:
        config = talk(saver)
        with pytest.raises(ValueError, match=r"Open it.* with `retention=Retention\(\)`"):
            saver.set_retention(name_of(config), Retention(refresh_on_read=True))

    def test_reads_in_a_row_write_once(
        self, lakehouse: Database, person: Principal, admin: psycopg.Connection[Any]
    ) -> None:
        policy = Retention(refresh_on_read=True)
        with saver_of(lakehouse, person, retention=policy) as saver:
            config = talk(saver)
            written = version_of(admin, config)
            saver.get_tuple(config)  # just after a write
            assert version_of(admin, config) == written
            last_used(admin, config, timedelta(minutes=2))
            saver.get_tuple(config)
            read = version_of(admin, config)
            assert read != written
            saver.get_tuple(config)
            assert version_of(admin, config) == read

    def test_what_never_got_a_checkpoint_goes_after_a_day(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
    ) -> None:
        config: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": "", "checkpoint_id": "none"}}
        saver.put_writes(config, [("said", ["x" * 100])], "task")
        assert saver.expire() == []
        last_used(admin, config, 25 * timedelta(hours=1))

        assert went(saver.expire()) == {name_of(config): (True, 0, None)}
        assert rows_of(admin, config) == dict.fromkeys(TABLES, 0)


def test_what_is_held_or_running_stays_and_is_named(
    saver: GovernedPostgresSaver, lakehouse: Database, person: Principal, admin: psycopg.Connection[Any]
) -> None:
    held, running, free = talk(saver), talk(saver), talk(saver)
    assert lakehouse.admin is not None
    with administration.connect(lakehouse.admin) as administrator:
        administrator.hold(person.name, name_of(held), reason="case 1")
        for config in (held, running, free):
            last_used(admin, config, 31 * DAY)
        blocked = {name_of(held): (True, 9, "legal hold"), name_of(running): (True, 9, "a run is going")}
        with saver.run(running):
            assert went(saver.expire(retention=Retention(ttl=30 * DAY))) == blocked | {name_of(free): (True, 9, None)}
        administrator.release(person.name, name_of(held))
        assert set(went(saver.expire(retention=Retention(ttl=30 * DAY)))) == set(blocked)


MEANWHILE = {
    "used": "update mooring.threads set updated_at = now() where id = %s",
    "held": "insert into mooring.holds (owner, thread, thread_id, reason)"
    " select owner, id, thread_id, 'case 1' from mooring.threads where id = %s",
    "run": "update mooring.threads set lease_until = now() + interval '1 day' where id = %s",
}


@pytest.mark.parametrize("how", MEANWHILE)
def test_a_thread_that_changed_since_it_was_looked_at_is_passed_over(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], how: str
) -> None:
    config = talk(saver)
    last_used(admin, config, 31 * DAY)
    # given somebody who commits a change only when the pass has looked and waits for the thread
    with ThreadPoolExecutor(1) as pool:
        with admin.transaction():
            lock = "select id from mooring.threads where thread_id = %s for update"
            admin.execute(MEANWHILE[how].encode(), admin.execute(lock, [name_of(config)]).fetchone())
            expired = pool.submit(saver.expire, retention=Retention(ttl=30 * DAY))
            waits = "select exists (select from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid)))"
            while admin.execute(waits).fetchone() != (True,):
                assert not expired.done()
        assert expired.result() == []

    assert len(steps(saver, config)) == 9
    admin.execute("delete from mooring.holds where thread_id = %s", [name_of(config)])
