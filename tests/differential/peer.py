"""LangGraph's own Postgres saver, with the two methods that it does not have, and the tables to itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.database import Database

_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


class Peer(PostgresSaver):
    """Upstream's saver; runs are deleted and threads copied with plain SQL, as its tables ask for."""

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        with self._cursor() as cursor:
            cursor.execute(
                "delete from checkpoint_writes w using checkpoints c where c.metadata ->> 'run_id' = any(%s)"
                " and c.thread_id = w.thread_id and c.checkpoint_ns = w.checkpoint_ns"
                " and c.checkpoint_id = w.checkpoint_id",
                [list(run_ids)],
            )
            cursor.execute("delete from checkpoints where metadata ->> 'run_id' = any(%s)", [list(run_ids)])

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        with self._cursor() as cursor:
            for table in _TABLES:
                copied = sql.SQL(
                    "insert into {0} select (jsonb_populate_record(t, jsonb_build_object('thread_id', %s::text))).*"
                    " from {0} t where thread_id = %s"
                ).format(sql.Identifier(table))
                cursor.execute(copied, [target_thread_id, source_thread_id])

    def forget_everything(self) -> None:
        with self._cursor() as cursor:
            cursor.execute("truncate checkpoints, checkpoint_blobs, checkpoint_writes")


@contextmanager
def peer_saver(lakehouse: Database) -> Iterator[Peer]:
    """Open upstream's saver on a database of its own, in the same server; dropped afterwards."""
    assert lakehouse.superuser is not None
    name = sql.Identifier(f"peer_{uuid4().hex[:8]}")
    with psycopg.connect(lakehouse.superuser, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(name))
        try:
            conninfo = make_conninfo(lakehouse.superuser, dbname=name.as_string(None).strip('"'))
            with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
                peer = Peer(conn)
                peer.setup()
                yield peer
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(name))
