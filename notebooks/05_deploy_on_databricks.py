# %% [markdown]
# # From a laptop to Databricks
#
# This notebook runs in both places, unchanged. On a laptop it uses the embedded Postgres and the sample lakehouse; in a
# workspace it uses Lakebase for sessions and Unity Catalog for tables, with the identity that the workspace proves. Which
# of them is said by the environment, or by widgets.

# %%
import os
from pathlib import Path

from agent.notebook import Listing, connect
from agent.settings import Settings

WIDGETS = {
    "LAKEBASE_ENDPOINT": "projects/PROJECT/branches/production/endpoints/primary",
    "DATABRICKS_WAREHOUSE_ID": "id of a SQL warehouse",
    "MOORING_MODEL": "databricks:<endpoint>",
}
dbutils = globals().get("dbutils")
if dbutils is not None:
    for name, meaning in WIDGETS.items():
        dbutils.widgets.text(name, "", f"{name}: {meaning}")
        if value := dbutils.widgets.get(name):
            os.environ[name] = value

settings = Settings()
place = "a workspace" if settings.lakebase else "a laptop"
Listing(
    ("what", "here"),
    [
        ("this is", place),
        ("sessions are kept in", "Lakebase" if settings.lakebase else "the embedded Postgres"),
        ("tables are those of", "Unity Catalog" if settings.lakebase else "the sample lakehouse"),
        ("the model is", settings.model),
    ],
)

# %% [markdown]
# ## Ask
#
# Who asks is whoever the credentials prove: the embedded database's login of `alice`, or you in the workspace.

# %%
me = connect()
session = me.session("deploy")
session.delete()
session.ask("which tables can I read?")

# %% [markdown]
# ## Log the model
#
# The agent is an MLflow model from code: a `ResponsesAgent` with the pins of the lock, and an authorization policy that
# names what it may do as the caller. The artefact holds no secret. In a workspace, `register=` names it in Unity Catalog.

# %%
from agent.evaluation.store import tracking
from agent.packaging import log_model

with tracking(settings, "mooring-deployment"):
    logged = log_model(settings, experiment=None)
logged.model_uri.startswith("models:/")

# %% [markdown]
# ## Deploy
#
# `databricks.yml` declares everything else. `make bundle` checks it without a workspace; docs/deploy.md goes through the
# grants, one by one.

# %%
import yaml

root = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "databricks.yml").exists())
resources = yaml.safe_load((root / "databricks.yml").read_text("utf-8"))["resources"]
Listing(("kind", "name"), [(kind, name) for kind, several in resources.items() for name in several])

# %% [markdown]
# ```
# databricks bundle deploy --target dev
# databricks bundle run log_model --target dev
# ```

# %%
session.delete()
me.close()
