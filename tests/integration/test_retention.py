"""Keeping the last checkpoints, time to live since last use, and what is said before anything goes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    Retention,
    ThreadNotFoundError,
    acting_as,
    administration,
)
from tests.integration.test_delta_channel import Never, Often, said
from tests.integration.test_delta_channel import graph_of as delta_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.database import Database
    from checkpointer import Expired

TABLES = ("threads", "checkpoints", "items", "writes")
DAY = timedelta(days=1)


class State(TypedDict):
    said: Annotated[list[str], lambda old, new: [*old, *new]]
    draft: str


def draft(_: State) -> dict[str, Any]:
    """Replace a text, so that older checkpoints hold what later ones do not."""
    return {"said": ["answer"], "draft": f"{uuid4()} " * 20}


def graph_of(saver: Any, node: Callable[[State], Any] = draft) -> Any:
    builder: Any = StateGraph(State)
    return builder.add_node("node", node).add_edge(START, "node").compile(checkpointer=saver)


def talk(saver: GovernedPostgresSaver, turns: int = 3) -> Any:
    config: Any = {"configurable": {"thread_id": str(uuid4())}}
    for turn in range(turns):
        graph_of(saver).invoke({"said": [f"question {turn}"]}, config, durability="sync")
    return config


def name_of(config: Any) -> str:
    return str(config["configurable"]["thread_id"])


def last_used(admin: psycopg.Connection[Any], config: Any, ago: timedelta) -> None:
    """Set the database's notes of a thread's last use back."""
    moved = "update mooring.threads set updated_at = now() - %s, read_at = read_at - %s where thread_id = %s"
    assert admin.execute(moved, [ago, ago, name_of(config)]).rowcount == 1


def rows_of(admin: psycopg.Connection[Any], config: Any) -> dict[str, int]:
    [row] = admin.execute("select id from mooring.threads where thread_id = %s", [name_of(config)]).fetchall() or [(0,)]
    counts = {}
    for table in TABLES:
        column = "id" if table == "threads" else "thread"
        statement = f"select count(*) from mooring.{table} where {column} = %s"
        counts[table] = (admin.execute(statement.encode(), row).fetchone() or (-1,))[0]
    return counts


def went(expired: Sequence[Expired]) -> dict[str, tuple[bool, int, str | None]]:
    return {each.thread_id: (each.whole, each.checkpoints, each.blocked) for each in expired}


def steps(saver: GovernedPostgresSaver, config: Any) -> list[int]:
    return [found.metadata["step"] for found in saver.list(config)]


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
        with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, principal=person, retention=policy) as saver:
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
        with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, principal=person, retention=policy) as saver:
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


def version_of(admin: psycopg.Connection[Any], config: Any) -> Any:
    """What changes whenever the thread's row is written."""
    statement = "select xmin::text, ctid::text from mooring.threads where thread_id = %s"
    return admin.execute(statement, [name_of(config)]).fetchone()


class TestPolicies:
    def test_a_thread_s_own_goes_before_the_saver_s(
        self, lakehouse: Database, person: Principal, admin: psycopg.Connection[Any]
    ) -> None:
        with GovernedPostgresSaver.from_conn_string(
            lakehouse.runtime, principal=person, retention=Retention(keep_last=2, ttl=10 * DAY)
        ) as saver:
            default, forever, short = talk(saver), talk(saver), talk(saver)
            saver.set_retention(name_of(forever), Retention())
            saver.set_retention(name_of(short), Retention(ttl=DAY))
            for config in (default, forever, short):
                last_used(admin, config, 5 * DAY)

            assert went(saver.expire()) == {name_of(default): (False, 7, None), name_of(short): (True, 9, None)}
            assert len(steps(saver, forever)) == 9
            saver.set_retention(name_of(forever), None)
            assert saver.get_retention(name_of(forever)) is None
            assert went(saver.expire(dry_run=True)) == {name_of(forever): (False, 7, None)}
            assert went(saver.expire([name_of(default)], retention=Retention(keep_last=1))) == {
                name_of(default): (False, 1, None)
            }

    def test_without_a_policy_everything_stays(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
    ) -> None:
        config = talk(saver)
        last_used(admin, config, 10_000 * DAY)
        assert saver.expire() == []
        assert len(steps(saver, config)) == 9

    async def test_async_callers(self, lakehouse: Database, person: Principal) -> None:
        async with GovernedPostgresSaver.from_conn_string(
            lakehouse.runtime, principal=person, retention=Retention()
        ) as saver:
            config: Any = {"configurable": {"thread_id": str(uuid4())}}
            await graph_of(saver).ainvoke({"said": ["q"]}, config, durability="sync")
            policy = Retention(keep_last=1, ttl=DAY, refresh_on_read=True)
            await saver.aset_retention(name_of(config), policy)
            assert await saver.aget_retention(name_of(config)) == policy
            assert went(await saver.aexpire()) == {name_of(config): (False, 2, None)}

    def test_an_unknown_thread_is_told(self, saver: GovernedPostgresSaver) -> None:
        with pytest.raises(ThreadNotFoundError):
            saver.set_retention("unknown", Retention())
        with pytest.raises(ThreadNotFoundError):
            saver.get_retention("unknown")

    @pytest.mark.parametrize("wrong", [{"keep_last": 0}, {"ttl": timedelta(0)}, {"ttl": -DAY}])
    def test_a_policy_that_cannot_be_is_refused(self, wrong: Any) -> None:
        with pytest.raises(ValueError, match="not"):
            Retention(**wrong)

    @pytest.mark.parametrize("keep_last", [-1, 2**31, True, 1.0, float("nan"), "1"], ids=repr)
    def test_so_is_a_number_that_is_no_count(self, keep_last: Any) -> None:
        with pytest.raises(ValueError, match="keep_last is an int from 1 to"):
            Retention(keep_last=keep_last)

    @pytest.mark.parametrize("ttl", [timedelta.max, 3_000_000 * DAY, 36_526 * DAY, timedelta.min, 30, "30d"], ids=repr)
    def test_so_is_a_time_that_nothing_is_kept_for(self, ttl: Any) -> None:
        with pytest.raises(ValueError, match="ttl is a positive timedelta of at most 36,525 days"):
            Retention(ttl=ttl)

    def test_the_largest_are_kept_to(self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]) -> None:
        largest = Retention(keep_last=2**31 - 1, ttl=36_525 * DAY, refresh_on_read=False)
        config, other = talk(saver), talk(saver)
        saver.set_retention(name_of(config), largest)
        last_used(admin, config, 2 * DAY)
        last_used(admin, other, 2 * DAY)

        assert saver.get_retention(name_of(config)) == largest
        assert saver.expire(retention=largest) == []
        assert went(saver.expire(retention=Retention(ttl=DAY))) == {name_of(other): (True, 9, None)}

    @pytest.mark.parametrize(
        "value",
        [
            "ttl = interval '3000000 days'",
            "ttl = interval '100000 years'",
            "ttl = -interval '1 day'",
            "keep_last = 0",
            "read_at = '20000-01-01'",
            "read_at = '-infinity'",
            "title = 'both', sealed_title = 'both'",
        ],
    )
    def test_the_database_refuses_what_would_stop_a_pass(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], value: str
    ) -> None:
        config = talk(saver)
        with pytest.raises(psycopg.errors.CheckViolation):
            admin.execute(f"update mooring.threads set {value} where thread_id = %s".encode(), [name_of(config)])

    def test_months_against_days_end_no_pass(
        self, saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
    ) -> None:
        """They are a time of one day by comparison, and one that cannot be taken from now."""
        config, other = talk(saver), talk(saver)
        mixed = "update mooring.threads set refresh_on_read = false, ttl = '-12000000 months 360000001 days'"
        admin.execute(f"{mixed} where thread_id = %s".encode(), [name_of(config)])
        last_used(admin, other, 2 * DAY)

        assert went(saver.expire(retention=Retention(ttl=DAY))) == {name_of(other): (True, 9, None)}


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


@pytest.fixture
def schema(lakehouse: Database) -> Iterator[str]:
    """Tables of their own, because an administrator prunes everybody's threads, those of other tests as well."""
    assert lakehouse.admin is not None
    name = f"everybody_{uuid4().hex[:8]}"
    GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=name)
    yield name
    with psycopg.connect(lakehouse.admin, autocommit=True) as conn:
        conn.execute(f"drop schema {name} cascade".encode())


class TestEverybodys:
    def test_an_administrator_prunes_everybody_s(
        self, lakehouse: Database, admin: psycopg.Connection[Any], schema: str
    ) -> None:
        assert lakehouse.admin is not None
        with (
            GovernedPostgresSaver.from_conn_string(lakehouse.runtime, schema=schema) as saver,
            administration.connect(lakehouse.admin, schema=schema) as administrator,
        ):
            configs = {}
            for person in ("anna", "ben", "cleo"):
                with acting_as(Principal(person)):
                    configs[person] = talk(saver)
            with acting_as(Principal("ben")):
                saver.set_retention(name_of(configs["ben"]), Retention(keep_last=1))
            for person in ("anna", "ben"):
                moved = f"update {schema}.threads set updated_at = now() - interval '2 days' where owner = %s"
                admin.execute(moved.encode(), [person])
            administrator.hold("anna", name_of(configs["anna"]), reason="case 1")

            default = Retention(ttl=DAY, keep_last=5)
            dry = list(administrator.prune(default, dry_run=True))
            assert [(each.owner, each.whole, each.checkpoints, each.blocked) for each in dry] == [
                ("anna", True, 9, "legal hold"),
                ("ben", False, 8, None),
                ("cleo", False, 4, None),
            ]
            assert list(administrator.prune(default)) == dry
            assert list(administrator.prune(default)) == dry[:1]
            administrator.release("anna", name_of(configs["anna"]))
            assert [each.owner for each in administrator.prune(default)] == ["anna"]
            left = {}
            for person, config in configs.items():
                with acting_as(Principal(person)):
                    left[person] = len(list(saver.list(config)))
            assert left == {"anna": 0, "ben": 1, "cleo": 5}

    def test_page_by_page(self, lakehouse: Database, admin: psycopg.Connection[Any], schema: str) -> None:
        # given more threads than a page holds, every third of them of no interest
        admin.execute(
            f"insert into {schema}.threads (owner, thread_id, next_seq, updated_at)"
            " select 'p' || n / 100, n, 1, now() - interval '1 day' * (n % 3) from generate_series(1, 1234) n".encode()
        )
        assert lakehouse.admin is not None
        with administration.connect(lakehouse.admin, schema=schema) as administrator:
            gone = [int(each.thread_id) for each in administrator.prune(Retention(ttl=timedelta(hours=12)))]

        assert sorted(gone) == [n for n in range(1, 1235) if n % 3]
        left = admin.execute(f"select count(*) from {schema}.threads".encode()).fetchone()
        assert left == (1234 // 3,)


def test_space_of_pruned_threads_is_used_again_after_a_plain_vacuum(
    lakehouse: Database, admin: psycopg.Connection[Any], schema: str
) -> None:
    tables, everything = [], []
    with GovernedPostgresSaver.from_conn_string(
        lakehouse.runtime, schema=schema, principal=Principal("p"), retention=Retention(ttl=DAY, keep_last=2)
    ) as saver:
        for _ in range(4):
            for _ in range(10):
                talk(saver, turns=10)
            tables.append(size(admin, schema, "pg_relation_size"))
            everything.append(size(admin, schema, "pg_total_relation_size"))
            assert [each.whole for each in saver.expire()] == [False] * 10
            admin.execute(f"update {schema}.threads set updated_at = now() - interval '2 days'".encode())
            assert [each.whole for each in saver.expire()] == [True] * 10
            for table in TABLES:
                vacuum(admin, f"{schema}.{table}")

    # Without vacuum each round would add its whole size. Pages of indexes are freed by one vacuum and used again after
    # the next; tables and indexes both get a map of free space.
    assert max(tables) <= 1.2 * tables[0]
    assert everything[3] <= 1.1 * everything[2] <= 1.6 * everything[0]


def size(admin: psycopg.Connection[Any], schema: str, what: str) -> int:
    statement = f"select sum({what}(oid)) from pg_class where relnamespace = %s::regnamespace and relkind = 'r'"
    return int((admin.execute(statement.encode(), [schema]).fetchone() or (0,))[0])


def vacuum(admin: psycopg.Connection[Any], table: str) -> None:
    """Vacuum until no snapshot of another test is old enough to keep dead rows."""
    notices: list[str] = []
    admin.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    while not any("0 are dead but not yet removable" in notice for notice in notices):
        admin.execute(f"vacuum (verbose) {table}".encode())
