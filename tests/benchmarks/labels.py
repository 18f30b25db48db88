"""What labels cost: a thread whose every answer was read from two tables, beside one that read nothing. No target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from psycopg import sql

from checkpointer import Principal, acting_as
from checkpointer.labels import KEY, labelled
from tests.benchmarks.growing import Growing, times
from tests.benchmarks.rows import OURS
from tests.benchmarks.stores import Governed, fresh
from tests.benchmarks.words import text
from tests.benchmarks.workloads import CHAT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkpointer.labels import Label
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.rows import Row

TABLES = (
    "create table public.whole (a int)",
    "create table public.filtered (a int, seller text)",
    "alter table public.filtered enable row level security",
    "create policy own on public.filtered using (seller = current_user)",
    "grant select on public.whole, public.filtered to {reader}",
)
LABELS = """
select current_database() || '.public.' || c.relname, mooring.fingerprint(%s::regrole, c.oid) from pg_class c
where c.relname in ('whole', 'filtered')
"""


def measure(bench: Bench) -> Iterator[Row]:
    """Compare turns and reads of the two threads."""
    turns = min(CHAT.turns, bench.scale.most_turns)
    reader = f"bench_reader_{uuid4().hex[:8]}"
    bench.server.role(reader)
    with fresh(bench.server, bench.folder, Governed) as [store]:
        assert isinstance(store, Governed)
        with bench.server.inside(store.database) as conn:
            for statement in TABLES:
                conn.execute(sql.SQL(statement).format(reader=sql.Identifier(reader)))
            labels: list[Label] = conn.execute(LABELS, [reader]).fetchall()
        with store.open() as saver, acting_as(Principal(reader)):
            graphs = {OURS: _chat(labels), "ours, without labels": _chat([])}
            threads = {
                name: Growing(store, CHAT, graph.compile(checkpointer=saver), thread_id=name)
                for name, graph in graphs.items()
            }
            for thread in threads.values():
                for _ in range(turns):
                    thread.turn()
            store.settle()
            ours = threads[OURS]
            last = ours.graph.get_state(ours.config).values["messages"][-1]
            assert last.text == text(f"answer {2 * turns - 1}", 1000)  # and no placeholder
            yield from times(bench, "labels", threads)
    bench.server.drop_role(reader)


def _chat(labels: list[Label]) -> Any:
    marks = {KEY: labelled(labels)} if labels else {}

    def bot(state: Any) -> Any:
        said = len(state["messages"])
        return {"messages": [AIMessage(text(f"answer {said}", 1000), id=f"answer-{said}", response_metadata=marks)]}

    return StateGraph(MessagesState).add_node("bot", bot).add_edge(START, "bot").add_edge("bot", END)
