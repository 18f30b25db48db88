"""Listing the sessions of one person among many of others. No peer has owners, so this figure stands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from tests.benchmarks.rows import OURS, compared
from tests.benchmarks.stores import PERSON, Governed, fresh
from tests.benchmarks.timing import interleaved, medians
from tests.benchmarks.workloads import CHAT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.rows import Row

A_PERSON = 100

# A session of somebody else's is a copy of the first one's row and checkpoints, with another owner.
SEED = (
    """
    insert into mooring.threads (owner, thread_id, next_seq)
    select 'other-' || n / {a_person}, 'session-' || n, 1 from generate_series(1, {others}) n
    union all select {person}, 'session-' || n, 1 from generate_series(1, {own}) n
    """,
    """
    insert into mooring.checkpoints
    select (jsonb_populate_record(c, jsonb_build_object('owner', t.owner, 'thread', t.id))).*
    from mooring.threads t, mooring.checkpoints c, mooring.threads first
    where c.thread = first.id and first.thread_id = 'first' and t.thread_id <> 'first'
    """,
)


def measure(bench: Bench) -> Iterator[Row]:
    """Time the listing of all sessions of one person."""
    own, others = bench.scale.sessions, bench.scale.other_sessions
    config: Any = {"configurable": {"thread_id": "first"}}
    with fresh(bench.server, bench.folder, Governed) as [store]:
        assert isinstance(store, Governed)
        with store.open() as saver:
            CHAT.build(False).compile(checkpointer=saver).invoke(CHAT.question(0), config)
        values = {"a_person": A_PERSON, "person": PERSON.name, "own": own - 1, "others": others}
        with bench.server.inside(store.database) as conn:
            for statement in SEED:
                literals = {name: sql.Literal(value) for name, value in values.items()}
                conn.execute(sql.SQL(statement).format(**literals))
        store.settle()
        with store.open() as saver:
            assert len(saver.sessions(limit=own + 1)) == own
            figures = medians(
                interleaved({OURS: lambda: saver.sessions(limit=own)}, bench.scale.state_rounds, in_a_row=3)
            )
    yield from compared("sessions", f"{own:,} of one person among {others:,}, ms", figures)
