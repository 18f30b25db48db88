"""What `langgraph.json` names, for LangGraph's server and its Studio: the saver, and the agent's graph.

Whose a call is, is what the server's authentication found out for the request or the run, and keeps in a context
variable. `config["configurable"]["langgraph_auth_user_id"]` is not believed: the server puts it there as well, but its
routes for a thread's state let a request's body put anything there. Where it is there it must say the same.

Nobody authenticated is nobody, and there are no sessions for nobody. Studio's own users are nobody too: on a laptop the
server takes a header's word for them. On the embedded Postgres, and without any authentication configured, MOORING_USER
makes it a server of one person, who is logged in to the database when it starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from langgraph.graph.state import CompiledStateGraph
from langgraph_sdk.auth.types import StudioUser
from langgraph_sdk.runtime import ServerRuntime

from agent.catalogs import catalog_of
from agent.database import open_database
from agent.errors import MooringError
from agent.graph import build_graph
from agent.identity import log_in
from agent.memory import saver_of
from agent.models import load_model
from agent.settings import Settings
from checkpointer import Principal

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from agent.database import Database
    from checkpointer import GovernedPostgresSaver

_USER_ID = "langgraph_auth_user_id"


class NobodyError(MooringError):
    """The server authenticated nobody."""

    def __init__(self) -> None:
        super().__init__(
            "LangGraph's server knows nobody who asks",
            "configure `auth` in langgraph.json; on the embedded Postgres MOORING_USER makes it a server of one person",
        )


class SomebodyElseError(MooringError):
    """A call's config names another user than the server authenticated."""

    def __init__(self) -> None:
        super().__init__(
            f"The call's config names somebody else in {_USER_ID} than LangGraph's server authenticated",
            "leave it out: a session is addressed by its thread_id, and is always one's own",
        )


@asynccontextmanager
async def checkpointer() -> AsyncIterator[GovernedPostgresSaver]:
    """Open the saver on the configured database, for whoever the server authenticates at each call.

    Raises:
        LoginError: MOORING_USER cannot log in.
        SchemaError, UnsafeRoleError: The schema or the runtime role is not fit for use.
    """
    settings = Settings()
    with ExitStack() as stack:
        # A laptop's Postgres may have to be started, which is not for the event loop to wait for.
        database = await asyncio.to_thread(stack.enter_context, open_database(settings))
        only = await asyncio.to_thread(_only_person, settings, database)

        def caller(config: RunnableConfig | None) -> Principal | None:
            principal = _authenticated() or only
            named = ((config or {}).get("configurable") or {}).get(_USER_ID)
            if principal is not None and named and named != principal.name and principal != only:
                raise SomebodyElseError
            return principal

        async with saver_of(settings, database, principal=caller) as saver:
            yield saver


@asynccontextmanager
async def graph(runtime: ServerRuntime[Any]) -> AsyncIterator[CompiledStateGraph[Any, Any, Any, Any]]:
    """Build the agent; to run it, with the catalog opened by the caller's own login to the database.

    The server tells by the annotations what to pass, so all of them have to resolve.

    Raises:
        NobodyError: There is nobody to run it for.
        LoginError: The caller cannot log in to the database from here.
    """
    settings = Settings()
    model = await asyncio.to_thread(load_model, settings.model)
    if runtime.execution_runtime is None:
        yield await asyncio.to_thread(build_graph, model, None)
        return
    with ExitStack() as stack:
        database = await asyncio.to_thread(stack.enter_context, open_database(settings))
        principal = _authenticated() or await asyncio.to_thread(_only_person, settings, database)
        if principal is None:
            raise NobodyError
        caller = await asyncio.to_thread(log_in, database, principal.name)
        opening = catalog_of(settings, caller)
        catalog = await asyncio.to_thread(stack.enter_context, opening)
        yield await asyncio.to_thread(build_graph, model, None, catalog)


def _authenticated() -> Principal | None:
    """Return whom the server authenticated for the calling context."""
    from langgraph_api.utils import get_auth_ctx

    context = get_auth_ctx()
    user: Any = context.user if context is not None else None
    if user is None or isinstance(user, StudioUser) or getattr(user, "kind", None) == "StudioUser":
        return None
    return Principal(str(user.identity)) if user.is_authenticated and user.identity else None


def _only_person(settings: Settings, database: Database) -> Principal | None:
    """Log MOORING_USER in, where the server has no authentication and the database is a laptop's."""
    from langgraph_api.config import LANGGRAPH_AUTH, LANGGRAPH_AUTH_TYPE

    if settings.user is None or not database.embedded or LANGGRAPH_AUTH or LANGGRAPH_AUTH_TYPE != "noop":
        return None
    return log_in(database, settings.user).principal
