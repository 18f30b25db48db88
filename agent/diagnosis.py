"""Find out what is configured, what is wrong, and what to do about it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict

from agent.catalogs import catalog_of, unity_catalog_of
from agent.database import Database, open_database
from agent.errors import MooringError
from agent.identity import log_in, workspace_caller
from agent.memory import keyring_of, saver_of, saver_of_workspace
from agent.models import load_model
from agent.offers import offered
from agent.schemas import Check
from agent.telling import told
from checkpointer import CheckpointerError, acting_as
from tools import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from databricks.sdk import WorkspaceClient

    from agent.identity import Caller
    from agent.settings import Settings
    from tools.unity import UnityCatalog


def diagnose_workspace(settings: Settings, profile: str, model: str | None) -> Iterator[Check]:
    """Yield the checks of whoever a profile of Databricks proves, as `diagnose` does."""
    try:
        caller = workspace_caller(profile)
    except MooringError as error:
        yield Check(name="caller", ok=False, detail=error.problem, remedy=error.remedy)
        return
    name = caller.principal.name
    groups = ", ".join(sorted(caller.principal.groups)) or "none"
    yield Check(name="caller", ok=True, detail=f"{name}, proven by {caller.client.config.host}; groups: {groups}")
    yield _model(settings.model if model is None else model, caller.client)
    try:
        with ExitStack() as stack:
            saver = stack.enter_context(saver_of_workspace(settings, caller, stack))
            stack.enter_context(acting_as(caller.principal))
            kind = "Lakebase, by your own login" if settings.lakebase else "the configured database"
            yield Check(name="sessions", ok=True, detail=f"{len(saver.sessions()):,} of yours in {kind}")
    except CheckpointerError as error:
        yield Check(name="sessions", ok=False, detail=told(error))
    except MooringError as error:
        yield Check(name="sessions", ok=False, detail=error.problem, remedy=error.remedy)
    try:
        with unity_catalog_of(settings, caller, "doctor") as catalog:
            yield _tables_of_workspace(catalog, name)
            for offer in offered(settings, caller, catalog):
                tools = ", ".join(tool.name for tool in offer.tools)
                ok = offer.missing is None
                yield Check(name=f"{offer.kind} {offer.name}", ok=ok, detail=offer.missing or tools)
    except MooringError as error:
        yield Check(name="tables", ok=False, detail=error.problem, remedy=error.remedy)


def _tables_of_workspace(catalog: UnityCatalog, name: str) -> Check:
    try:
        count = len(catalog.list_tables().tables)
    except CatalogError as error:
        return Check(name="tables", ok=False, detail=str(error))
    remedy = None if count else "Ask the owner of the data for SELECT, USE SCHEMA and USE CATALOG."
    return Check(name="tables", ok=True, detail=f"{count:,} that {name} may read", remedy=remedy)


def diagnose(settings: Settings, user: str | None, model: str | None) -> Iterator[Check]:
    """Yield checks from the ground up, stopping where the rest would only repeat the same failure."""
    yield _model(settings.model if model is None else model)
    try:
        with open_database(settings) as database:
            yield _where(database)
            yield _sessions(settings, database)
            name = user if user is not None else settings.user or database.default_user
            if name is None:
                yield Check(
                    name="caller", ok=False, detail="nobody is named", remedy="Pass --as NAME or set MOORING_USER."
                )
                return
            caller = log_in(database, name)
            yield _caller(caller)
            yield _own_sessions(settings, database, caller)
            yield _tables(settings, caller)
    except MooringError as error:
        yield Check(name="database", ok=False, detail=error.problem, remedy=error.remedy)


def _model(name: str, client: WorkspaceClient | None = None) -> Check:
    try:
        load_model(name, client)
    except MooringError as error:
        return Check(name="model", ok=False, detail=error.problem, remedy=error.remedy)
    hint = "Set MOORING_MODEL, for instance to openai:gpt-5 or databricks:<endpoint>." if name == "offline" else None
    return Check(name="model", ok=True, detail=name, remedy=hint)


def _where(database: Database) -> Check:
    parts = conninfo_to_dict(database.runtime)
    where = f"{parts.get('host', 'PGHOST')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
    kind = "embedded Postgres, for laptops and tests" if database.embedded else "configured Postgres"
    return Check(name="database", ok=True, detail=f"{kind} at {where}")


def _sessions(settings: Settings, database: Database) -> Check:
    try:
        with saver_of(settings, database, timeout=10):
            detail = "schema is current, policies bind the runtime role"
            if (ring := keyring_of(settings)) is not None:
                detail += f", encrypted under the key {ring.newest!r}"
            return Check(name="sessions", ok=True, detail=detail)
    except CheckpointerError as error:
        return Check(name="sessions", ok=False, detail=told(error))


def _caller(caller: Caller) -> Check:
    groups = ", ".join(sorted(caller.groups)) or "none"
    return Check(name="caller", ok=True, detail=f"{caller.principal.name}, proven by login; groups: {groups}")


def _own_sessions(settings: Settings, database: Database, caller: Caller) -> Check:
    try:
        with saver_of(settings, database, timeout=10) as saver, acting_as(caller.principal):
            return Check(name="own sessions", ok=True, detail=f"{len(saver.sessions()):,}")
    except CheckpointerError as error:
        return Check(name="own sessions", ok=False, detail=told(error))


def _tables(settings: Settings, caller: Caller) -> Check:
    try:
        with catalog_of(settings, caller) as catalog:
            count = len(catalog.list_tables().tables)
    except CatalogError as error:
        return Check(name="tables", ok=False, detail=str(error))
    remedy = (
        None
        if count
        else f"Ask the owner of the data for SELECT, for instance: GRANT SELECT ON ... TO {caller.principal.name}."
    )
    return Check(name="tables", ok=True, detail=f"{count:,} that {caller.principal.name} may read", remedy=remedy)
