"""An administrator prunes everybody's threads, and their space is used again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    Retention,
    acting_as,
    administration,
)
from tests.integration.keeping import (
    DAY,
    TABLES,
    name_of,
    schema,
    talk,
)

if TYPE_CHECKING:
    from agent.database import Database

__all__ = ["schema"]


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
