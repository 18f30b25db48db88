"""Every setting, from the environment. A setting that the ecosystem has named keeps that name (PGHOST, ...)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent.errors import MooringError
from agent.local.account import default_home
from agent.local.ephemeral import ephemeral_surface

# Any of these names a server or a database; PGUSER or PGPASSWORD alone do not.
POSTGRES_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")

# Each names a compute of Lakebase.
LAKEBASE_VARIABLES = ("LAKEBASE_ENDPOINT", "LAKEBASE_AUTOSCALING_PROJECT", "LAKEBASE_INSTANCE_NAME")


class Settings(BaseSettings):
    """What can be set; an empty variable is as good as none.

    Raises:
        MooringError: One is not what it may be. What it is set to is not quoted.
    """

    model_config = SettingsConfigDict(env_prefix="MOORING_", env_ignore_empty=True, frozen=True)

    home: Path = Field(default_factory=default_home)
    """Folder of the embedded Postgres."""
    database_url: str | None = Field(default=None, repr=False)
    """Another Postgres: the connection string of the runtime role. Without it libpq's PG* variables count."""
    admin_url: str | None = Field(default=None, repr=False)
    """The connection string of the migrator there."""
    sessions_schema: str = Field(default="mooring", validation_alias="MOORING_SCHEMA")
    """The schema that sessions are kept in."""
    encryption_keys: str | None = Field(default=None, repr=False)
    """Keys that sessions are encrypted under, the newest first: `NAME=BASE64 ...`, or `file:` and a path."""
    user: str | None = None
    """Whom to log in as; alice on the embedded sample."""
    profile: str | None = None
    """A login to Databricks, by the name of its profile: who asks, and whose tables they are asked of."""
    warehouse_id: str | None = Field(default=None, validation_alias="DATABRICKS_WAREHOUSE_ID")
    """The SQL warehouse that queries of Unity Catalog run on."""
    catalogs: str = ""
    """The catalogs of Unity Catalog whose tables are listed, with commas; all that the caller sees if none is named."""
    functions: str = ""
    """Functions of Unity Catalog that are tools, as `catalog.schema.function`, with commas."""
    vector_indexes: str = ""
    """Vector search indexes that are tools, as `catalog.schema.index`, with commas."""
    genie_spaces: str = ""
    """Genie spaces that are tools, by their ids, with commas."""
    mcp_servers: str = ""
    """Managed MCP servers whose tools are tools, by their paths, with commas: `functions/main/tools`."""
    lakebase_identity: Literal["broker", "login"] = "broker"
    """Who connects to a Lakebase that keeps many people's sessions: the service, or each of them."""
    approve: Literal["never", "query", "all"] = "never"
    """Which tool calls wait for a person's approval: none, those that read rows, or all."""
    turn_seconds: float = Field(default=270.0, gt=0, allow_inf_nan=False)
    """How long a turn of a served session may take; Databricks ends requests after 297 s."""
    client_gone: Literal["finish", "cancel"] = "finish"
    """What becomes of a turn whose client goes away while it streams."""
    turns: int = Field(default=64, ge=1)
    """How many turns a server runs at once, in each worker."""
    connections: int = Field(default=16, ge=1)
    """How many connections to the sessions' database a server keeps at most, in each worker."""
    grace_seconds: float = Field(default=12.0, ge=0, allow_inf_nan=False)
    """How long running turns may go on when the server is told to end; Databricks Apps kills it after 15 s."""
    traces: Literal["full", "redacted", "off"] = "redacted"
    """What MLflow traces hold of what was derived from tables, where traces are kept: see `agent.tracing`."""
    trace_sampling: float = Field(default=1.0, ge=0, le=1)
    """The part of the turns that is traced."""
    model: str = "offline"
    """Name of the chat model, such as `databricks:<endpoint>`."""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_context=False, include_url=False)
            said = [f"{_variable(str(each['loc'][0]))}: {each['msg'].removeprefix('Input ')}" for each in wrong]
            problem = f"A setting is not what it may be ({'; '.join(said)})"
        else:
            return
        raise MooringError(problem, "mend it, or unset it")

    @property
    def external(self) -> bool:
        """Whether sessions are kept in another Postgres than the embedded one."""
        return self.database_url is not None or any(os.environ.get(name) for name in POSTGRES_VARIABLES)

    @property
    def setting(self) -> str:
        """Name what says where the database is, and as which role."""
        if not self.external:
            return "MOORING_HOME"
        return "MOORING_DATABASE_URL" if self.database_url is not None else "the PG* variables"

    @property
    def lakebase(self) -> bool:
        """Whether sessions are kept in a Lakebase that is named as Databricks Apps does."""
        return any(os.environ.get(name) for name in LAKEBASE_VARIABLES)

    @property
    def ephemeral(self) -> str | None:
        """Name the kind of container that we run in and whose disk does not last, if so."""
        return ephemeral_surface()


def _variable(name: str) -> str:
    """Return how the environment calls a setting; one with a name of its own has it already."""
    return name if name.isupper() else f"MOORING_{name.upper()}"
