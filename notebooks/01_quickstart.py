# %% [markdown]
# # A session that survives
#
# Ten minutes with Mooring: ask questions, look at what is stored after every step, kill the process in the middle of an
# answer, go on, and go back in time. It needs nothing but this repository: `connect()` opens the embedded Postgres with
# its sample lakehouse, and the model is the offline one.

# %%
from agent.notebook import connect

me = connect("alice")
me.tables()

# %% [markdown]
# A session shows itself as a conversation. Open a step to see what the tool was asked and what it returned.

# %%
session = me.session("quickstart")
session.delete()  # so that this notebook can be run again
session.ask("how many reviews are there?")

# %% [markdown]
# Calls work with `await` as well; a question may lean on the one before.

# %%
await session.aask("and per rating in 2025?")

# %% [markdown]
# What answers is a LangGraph graph. A dashed arrow is a choice of the model.

# %%
session.graph

# %% [markdown]
# ## A checkpoint after every node
#
# Each line is a checkpoint: what was stored, and what would run next if the process ended there.

# %%
session.history()

# %% [markdown]
# ## Kill it
#
# Another process asks a question in the same session, and is killed with SIGKILL as soon as its first tool has answered.

# %%
from agent.evaluation.interrupted import kill_in_the_middle

asked = {"user": "alice", "profile": None, "session": "quickstart", "model": "offline"}
stored = kill_in_the_middle({**asked, "question": "revenue by country"}, tools=1)
print("killed in the middle" if stored else "it was over before")

# %% [markdown]
# The question is there, and what was found until then; the answer is missing.

# %%
session

# %% [markdown]
# Whoever comes next finishes the turn from its last finished step.

# %%
session.finish()

# %% [markdown]
# ## Back in time
#
# Any checkpoint can be looked at, and another session can begin there. This one stays as it is.

# %%
earlier = next(line["checkpoint"] for line in session.history() if line["messages"] == 4)
session.at(earlier)

# %%
other = session.fork(earlier, "quickstart-what-if")
other.ask("what is the average rating?")
other

# %%
me.sessions()

# %%
session.delete()
other.delete()
me.close()
