# %% [markdown]
# # The checkpointer under a graph of your own
#
# `checkpointer` is a package by itself: a LangGraph checkpoint saver over Postgres that the database guards. Any graph
# takes it. Here it holds a small one, takes over what LangGraph's own `PostgresSaver` has stored, and is measured
# beside it.

# %%
import secrets
import time
from typing import Annotated, TypedDict

import matplotlib.pyplot as plt
import psycopg
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from psycopg import sql
from psycopg.conninfo import make_conninfo

from agent.notebook import Listing, Picture, connect
from checkpointer import GovernedPostgresSaver, Principal, acting_as
from checkpointer.importing import import_threads, metadata_key, upstream_saver

me = connect("alice")  # only for its database
database = me.host.database


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    words: int


def count(state: State) -> dict:
    return {"words": sum(len(message.text.split()) for message in state["messages"])}


def answer(state: State) -> dict:
    return {"messages": [AIMessage(f"That makes {state['words']} words. " + secrets.token_hex(500))]}


builder = StateGraph(State)
builder.add_node("count", count)
builder.add_node("answer", answer)
builder.add_edge(START, "count")
builder.add_edge("count", "answer")
builder.add_edge("answer", END)
Picture(builder.compile())

# %% [markdown]
# ## Under the governed saver
#
# A principal is bound for the calls inside; without one every call is refused.

# %%
ours = GovernedPostgresSaver.from_conn_string(database.runtime)
ours.__enter__()
graph = builder.compile(checkpointer=ours)
thread = {"configurable": {"thread_id": "words"}}
with acting_as(Principal("alice")):
    ours.delete_thread("words")
    graph.invoke({"messages": [HumanMessage("hello there")]}, thread)
    kept = graph.get_state(thread).values
len(kept["messages"]), kept["words"]

# %% [markdown]
# Bob has a thread of the same name, and neither learns of the other.

# %%
with acting_as(Principal("bob")):
    print(graph.get_state(thread).values)

# %% [markdown]
# ## Coming from `PostgresSaver`
#
# Its tables are in a database of their own here. Threads are copied whole, read back and compared; whose they are says
# their metadata.

# %%
with psycopg.connect(database.superuser, autocommit=True) as admin:
    admin.execute("drop database if exists theirs with (force)")
    admin.execute("create database theirs")
theirs_dsn = make_conninfo(database.superuser, dbname="theirs")


def talk(saver, turns: int, name: str) -> tuple[list[float], list[int]]:
    """Take turns in one thread, and return the milliseconds of each and the bytes stored after it."""
    talking = builder.compile(checkpointer=saver)
    config = {"configurable": {"thread_id": name}, "metadata": {"user_id": "alice"}}
    took, stored = [], []
    for _ in range(turns):
        question = HumanMessage("please count " + secrets.token_hex(500))
        started = time.perf_counter()
        talking.invoke({"messages": [question]}, config, durability="sync")
        took.append(1000 * (time.perf_counter() - started))
        stored.append(size())
    return took, stored


def size_of(dsn: str, schema: str):
    """Return what tells how many bytes the tables of a schema take, indexes included."""
    query = sql.SQL(
        "select coalesce(sum(pg_total_relation_size(oid)), 0) from pg_class"
        " where relkind = 'r' and relnamespace = to_regnamespace({})"
    ).format(sql.Literal(schema))

    def size() -> int:
        with psycopg.connect(dsn) as conn:
            return int(conn.execute(query).fetchone()[0])

    return size


TURNS = 40
size = size_of(theirs_dsn, "public")
with PostgresSaver.from_conn_string(theirs_dsn) as theirs:
    theirs.setup()
    their_ms, their_bytes = talk(theirs, TURNS, "long")

# %%
with acting_as(Principal("alice")):
    ours.delete_thread("long")
with upstream_saver(theirs_dsn) as source:
    imported = list(import_threads(source, ours, owner_of=metadata_key("user_id")))
Listing(("thread", "owner", "outcome"), [(each.thread_id, each.owner, each.outcome.name.lower()) for each in imported])

# %% [markdown]
# The same graph goes on with the thread, as alice.

# %%
with acting_as(Principal("alice")):
    found = graph.get_state({"configurable": {"thread_id": "long"}}).values["messages"]
    ours.delete_thread("long")
len(found)

# %% [markdown]
# ## Sizes and speeds
#
# One thread, two messages of 1 kB a turn, in the same Postgres. Upstream stores the whole list anew at every step; here
# each message is stored once. `make bench` measures more, and more carefully.

# %%
size = size_of(database.superuser, database_schema := "mooring")
before = size()
with acting_as(Principal("alice")):
    our_ms, our_bytes = talk(ours, TURNS, "long")
    ours.delete_thread("long")
    ours.delete_thread("words")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
left.plot([each / 1e6 for each in their_bytes], label="PostgresSaver")
left.plot([(each - before) / 1e6 for each in our_bytes], label="GovernedPostgresSaver")
left.set(title="Stored", xlabel="turn", ylabel="MB")
right.plot(their_ms, label="PostgresSaver")
right.plot(our_ms, label="GovernedPostgresSaver")
right.set(title="Time of a turn", xlabel="turn", ylabel="ms")
left.legend()
plt.tight_layout()
plt.show()

# %%
ours.__exit__(None, None, None)
with psycopg.connect(database.superuser, autocommit=True) as admin:
    admin.execute("drop database theirs with (force)")
me.close()
