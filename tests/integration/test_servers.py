"""What a saver promises, on every release of Postgres that is supported and through PgBouncer in transaction mode."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.types import Command
from psycopg import sql
from typer.testing import CliRunner

from agent.cli.app import app
from checkpointer import GovernedPostgresSaver, Principal, SchemaError, acting_as
from checkpointer.migrations import migrations
from tests.conformance.test_public_suite import CLAUSES
from tests.integration.bouncer import PROGRAM, bounced
from tests.integration.foreign import DEBIANS, Foreign, foreign_server
from tests.integration.travels import said, travels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# Everything that could end a quotation, a parameter or a function's body.
ODD = 'Odd "one" \'x\' %s $$ \\ $mooring$ :"schema" é'
NAMES = [name for _, name in migrations()]


@dataclass(frozen=True)
class Server:
    """A server with a migrated schema of an odd name. What is migrated and opened goes through the pooler, if any."""

    direct: Foreign
    reached: Foreign
    database: str

    @property
    def runtime(self) -> str:
        return self.reached.url("service", self.database)

    def fresh(self) -> Server:
        """Make an empty database."""
        name = f"db_{uuid4().hex[:8]}"
        self.direct.make_database(name)
        return Server(self.direct, self.reached, name)

    def migrate(self, schema: str = ODD) -> list[str]:
        owner = self.reached.url("migrator", self.database)
        return GovernedPostgresSaver.migrate(owner, runtime_role="service", login_role="crew", schema=schema)

    def saver(self, name: str = "anna", **options: Any) -> GovernedPostgresSaver:
        return GovernedPostgresSaver.from_conn_string(self.runtime, principal=Principal(name), schema=ODD, **options)

    def administrator(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.direct.url("administrator", self.database), autocommit=True)


DIRECT = [
    "18",
    "16",
    pytest.param(
        "15",
        marks=pytest.mark.skipif(
            not (DEBIANS / "bin" / "postgres").exists(), reason="Debian's PostgreSQL 15 is not here"
        ),
    ),
]
POOLED = pytest.param("pooled", marks=pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed"))


@pytest.fixture(scope="module", params=[*DIRECT, POOLED])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    release = 18 if request.param == "pooled" else int(request.param)
    with foreign_server(release) as foreign:
        with psycopg.connect(foreign.url("service")) as conn:
            assert conn.info.server_version // 10_000 == release
        if request.param == "pooled":
            with bounced(foreign) as behind:
                yield migrated(Server(foreign, behind, "harbour"))
        else:
            yield migrated(Server(foreign, foreign, "harbour"))


def migrated(server: Server) -> Server:
    assert server.migrate() == NAMES
    return server


def turns(saver: GovernedPostgresSaver, thread_id: str) -> list[str]:
    """Run a thread with parallel tasks, a subgraph, an interrupt and a fork; return what was said in it."""
    graph = travels(saver)
    config: Any = {"configurable": {"thread_id": thread_id}}
    graph.invoke(said("one"), config)
    graph.invoke(said("two, and ask"), config)
    assert graph.get_state(config).interrupts
    graph.invoke(Command(resume="yes"), config)
    assert graph.get_state(config).values["approved"] == "yes"
    fork = graph.update_state(list(graph.get_state_history(config))[5].config, said("instead"), as_node="book")
    graph.invoke(None, fork)
    return [message.text for message in graph.get_state(config).values["messages"]]


async def test_every_clause_of_the_public_suite(server: Server) -> None:
    @checkpointer_test(name="governed")
    async def saver() -> AsyncIterator[GovernedPostgresSaver]:
        async with server.saver(f"conformance-{uuid4()}") as opened:
            yield opened

    report = await validate(saver)

    assert {name: result.failures for name, result in report.results.items() if result.failures} == {}
    assert Counter({name: result.tests_passed for name, result in report.results.items()}) == Counter(CLAUSES)


def test_a_graph_and_the_rights_of_two_people(server: Server) -> None:
    with server.saver() as saver:
        thread_id = str(uuid4())
        hers = turns(saver, thread_id)
        assert "instead" in hers
        with acting_as(Principal("ben")):
            assert saver.sessions() == []
            assert turns(saver, thread_id) == hers
            saver.delete_thread(thread_id)
        assert [session.thread_id for session in saver.sessions(thread_id=thread_id)] == [thread_id]
        with psycopg.connect(server.direct.url("ben", server.database)) as conn:
            for table in ("threads", "checkpoints", "items", "writes"):
                rows = sql.SQL("select count(*) from {}").format(sql.Identifier(ODD, table))
                assert conn.execute(rows).fetchall() == [(0,)]


def test_many_at_once_on_few_connections(server: Server) -> None:
    """Statements that one connection prepared would be missing, or there twice, on another."""
    with server.saver(max_size=8) as saver, ThreadPoolExecutor(8) as pool:
        names = [str(uuid4()) for _ in range(16)]
        said_in = list(pool.map(lambda name: turns(saver, name), names))
        assert all(texts == said_in[0] for texts in said_in)
        assert {session.thread_id for session in saver.sessions()} >= set(names)
        for name in names:
            saver.delete_thread(name)


class TestMigrating:
    def test_ten_at_once_give_one_schema(self, server: Server) -> None:
        empty = server.fresh()
        with ThreadPoolExecutor(10) as pool:
            applied = list(pool.map(lambda _: empty.migrate(), range(10)))

        assert sorted(name for names in applied for name in names) == NAMES
        with empty.saver() as saver:
            turns(saver, "t")

    @pytest.mark.parametrize("failing", range(len(NAMES)), ids=NAMES)
    def test_one_that_failed_half_way_resumes(self, server: Server, failing: int) -> None:
        empty = server.fresh()
        with empty.administrator() as conn:
            conn.execute(STUMBLE.format(schema=ODD.replace("'", "''"), before=before(failing)).encode())
            with pytest.raises(psycopg.errors.RaiseException, match="stumbled"):
                empty.migrate()
            with pytest.raises(SchemaError, match="mooring db migrate"):
                empty.saver().__enter__()
            conn.execute("drop event trigger stumble")

        assert empty.migrate() == NAMES[failing:]
        with empty.saver() as saver:
            turns(saver, "t")

    def test_a_newer_schema_is_good_enough(self, server: Server) -> None:
        """As after a deployment that migrated while the release before it still runs."""
        newer = server.fresh()
        newer.migrate()
        with psycopg.connect(newer.direct.url("migrator", newer.database), autocommit=True) as conn:
            conn.execute(
                sql.SQL("insert into {} values (9999, '9999_future.sql')").format(sql.Identifier(ODD, "migrations"))
            )
            for table in ("threads", "checkpoints", "items", "writes"):
                name = sql.Identifier(ODD, table)
                conn.execute(sql.SQL("alter table {} add column future text default 'x'").format(name))
            conn.execute(sql.SQL("create table {} (id int)").format(sql.Identifier(ODD, "future")))

        assert newer.migrate() == []
        with newer.saver() as saver:
            thread_id = str(uuid4())
            assert turns(saver, thread_id)
            saver.copy_thread(thread_id, "copy")
            saver.prune([thread_id])
            assert len(list(saver.list({"configurable": {"thread_id": "copy"}}))) > 10

    @pytest.mark.parametrize("name", ["", "pg_mine", "x" * 64, "é" * 32, "a\x00b"])
    def test_what_cannot_be_a_name_is_refused(self, server: Server, name: str) -> None:
        with pytest.raises(SchemaError, match="1 to 63 bytes"):
            server.migrate(name)


# Fails the migration after the version `before` in its middle, once tables and functions are made.
STUMBLE = """
create function public.stumble() returns event_trigger language plpgsql as $stumble$
declare
  reached int := 0;
begin
  if to_regclass(format('%I.migrations', '{schema}')) is not null then
    execute format('select coalesce(max(version), 0) from %I.migrations', '{schema}') into reached;
  end if;
  if reached = {before} then
    raise exception 'stumbled';
  end if;
end
$stumble$;
create event trigger stumble on ddl_command_end
when tag in ('ALTER TABLE', 'CREATE POLICY', 'GRANT', 'REVOKE') execute function public.stumble();
"""


def before(failing: int) -> int:
    """The version that is reached when a migration starts."""
    return [0, *(version for version, _ in migrations())][failing]


# People log in by themselves, which a pooler does not let them.
@pytest.mark.parametrize("server", DIRECT, indirect=True, scope="module")
def test_the_command_line_in_a_schema_of_an_odd_name(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    place = server.fresh()
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"127.0.0.1:{place.direct.port}:*:anna:{place.direct.password}\n")
    passwords.chmod(0o600)
    for name, value in {
        "PGPASSFILE": str(passwords),
        "MOORING_DATABASE_URL": place.runtime,
        "MOORING_ADMIN_URL": place.direct.url("migrator", place.database),
        "MOORING_SCHEMA": ODD,
        "MOORING_USER": "anna",
    }.items():
        monkeypatch.setenv(name, value)

    migrate = CliRunner().invoke(app, ["db", "migrate", "--login-role", "crew"])
    asked = CliRunner().invoke(app, ["ask", "which tables can I read?", "--session", "s"])
    listed = CliRunner().invoke(app, ["sessions", "list", "-o", "json"])
    checked = CliRunner().invoke(app, ["doctor", "-o", "json"])

    assert migrate.stdout.startswith("Applied 0001")
    assert "threads" not in asked.stdout
    assert [found["session"] for found in json.loads(listed.stdout)] == ["s"]
    checks = json.loads(checked.stdout)
    assert [check for check in checks if not check["ok"]] == []
    assert next(check["detail"] for check in checks if check["name"] == "tables").startswith("0 ")
