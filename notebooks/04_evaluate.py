# %% [markdown]
# # Trust it before you promote it
#
# `mooring evaluate` asks questions whose answers SQL computes at the same moment, as whoever asks. This notebook does the
# same from Python: a part of the dataset, a look at what MLflow keeps, a comparison with a baseline, and an agent that is
# broken on purpose.

# %%
from agent.evaluation import evaluate, load_dataset
from agent.evaluation.bot import Bot
from agent.notebook import Listing
from agent.settings import Settings

whole = load_dataset("lakehouse")
dataset = whole.only("aggregation", "top-n", "permissions")
Listing(
    ("category", "who", "question", "expected"),
    [(q.category, q.user, " / ".join(q.turns), q.expect) for q in dataset.questions],
)

# %% [markdown]
# ## Run it
#
# The engine is `mlflow.genai.evaluate`. Each question is a session of its own in the real database, and a trace in MLflow.

# %%
report = evaluate(Settings(), dataset)


def by_category(report):
    """Show a report by category."""
    return Listing(
        ("category", "asked", "passed", "has to", "in the baseline"),
        [(c.category, c.asked, f"{c.rate:.0%}", f"{c.threshold:.0%}", c.baseline) for c in report.categories],
    )


by_category(report)

# %% [markdown]
# The gate is open where nothing is listed here.

# %%
report.problems

# %% [markdown]
# ## What MLflow keeps
#
# Metrics by scorer, the dataset, and for every question a trace that is linked to its session and to who asked.

# %%
import mlflow

from agent.evaluation.store import tracking

with tracking(Settings()):
    metrics = mlflow.get_run(report.run).data.metrics
    trace = mlflow.get_trace(next(q.trace for q in report.questions if q.category == "top-n"))
Listing(
    ("metric", "value"), [(name, f"{value:.2f}") for name, value in sorted(metrics.items()) if "second" not in name]
)

# %%
Listing(("span", "kind"), [(span.name, span.span_type) for span in trace.data.spans])

# %% [markdown]
# ## A broken agent
#
# This one logs everybody in as alice. The question is judged by what carol may know, and the gate closes.

# %%


class Leaking(Bot):
    """Reads tables as alice, whoever asks."""

    def reply(self, user, turns, kill_after, span):
        return super().reply("alice", turns, kill_after, span)


broken = evaluate(Settings(), dataset, baseline=report.run, bot=Leaking)
by_category(broken)

# %%
Listing(("question", "why"), [(q.id, q.why) for q in broken.questions if not q.passed])
