"""Where the embedded Postgres must not run: containers whose disk is thrown away at the next deploy."""

from __future__ import annotations

import os

from agent.local.errors import DatabaseNotConfiguredError

# Set by Databricks in its containers.
VARIABLES = {
    "IS_IN_DB_MODEL_SERVING_ENV": "Databricks Model Serving",
    "DATABRICKS_MODEL_SERVING_HOST_URL": "Databricks Model Serving",
    "DATABRICKS_APP_NAME": "Databricks Apps",
    "DATABRICKS_APP_PORT": "Databricks Apps",
}


def ephemeral_surface() -> str | None:
    """Name the kind of container that we run in, if it is one of those."""
    for name, surface in VARIABLES.items():
        if os.environ.get(name, "").lower() not in ("", "false", "0"):
            return surface
    return None


def refuse_ephemeral() -> None:
    """Raise DatabaseNotConfiguredError in such a container."""
    if surface := ephemeral_surface():
        raise DatabaseNotConfiguredError(
            f"no database is configured on {surface}, and sessions kept inside its container are lost at the next "
            "deploy",
            "set MOORING_DATABASE_URL, or PGHOST, PGDATABASE and PGUSER, to a Postgres such as Lakebase",
        )
