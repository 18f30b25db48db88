"""What answers people: where their sessions are kept, the graph, and the chat model, put together for each caller.

The command line opens it for one caller, and what serves many keeps it open for all of them:

    with open_host(Settings()) as host, host.conversation(caller, "s1") as conversation:
        for event in conversation.ask("which tables can I read?"):
            ...
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from agent.catalogs import DATABRICKS_SQL, catalog_of, unity_catalog_of
from agent.conversation import Conversation
from agent.database import open_database
from agent.errors import MooringError
from agent.graph import SYSTEM_PROMPT, build_graph
from agent.identity import Caller
from agent.memory import options_of, saver_of
from agent.models import load_model
from agent.offers import missing_of, offered, tools_of
from agent.tracing import tracer_of
from checkpointer import GovernedPostgresSaver, acting_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database
    from agent.settings import Settings
    from agent.tracing import Tracer
    from agent.workspace import WorkspaceCaller
    from checkpointer.logins import LakebaseLogins
    from tools import Catalog
    from tools.unity import UnityCatalog


class Host:
    """One installation, for any number of callers and threads at once. Made by `open_host`."""

    def __init__(
        self,
        settings: Settings,
        database: Database | None,
        saver: GovernedPostgresSaver | None,
        logins: LakebaseLogins | None,
    ) -> None:
        self.settings = settings
        self.database = database
        """Where callers log in by themselves; None where a workspace proves them and Lakebase keeps their sessions."""
        self._saver = saver
        self._logins = logins

    @contextmanager
    def memory(self, caller: Caller | WorkspaceCaller) -> Iterator[GovernedPostgresSaver]:
        """Give the saver of a caller's sessions; every call to it inside is made as them."""
        with ExitStack() as stack:
            saver = self._saver
            if saver is None:
                assert self._logins is not None
                client = getattr(caller, "client", None)
                if client is None:
                    problem = "Sessions are kept in Lakebase, where everybody logs in by themselves"
                    raise MooringError(problem, "come with a login to Databricks")
                saver = stack.enter_context(self._logins.of(client, caller.principal))
            stack.enter_context(acting_as(caller.principal))
            yield saver

    def check(self) -> None:
        """Look whether sessions can be reached, and their schema is one that this code knows.

        Raises:
            CheckpointerError: They cannot, or it is not.
        """
        if self._saver is not None:
            self._saver.setup()

    @contextmanager
    def conversation(
        self,
        caller: Caller | WorkspaceCaller,
        session: str,
        owner: str | None = None,
        *,
        model: str | None = None,
        progress: Callable[[str], None] | None = None,
        tracer: Tracer | None = None,
    ) -> Iterator[Conversation]:
        """Open one of a caller's sessions, new or not, or one that an owner shares with them.

        Args:
            caller: Whose memory and data it is.
            session: Its thread id.
            owner: Whose it is, if somebody else's.
            model: Name of the chat model, instead of the configured one.
            progress: Is told what is waited for.
            tracer: Traces the turns, instead of what is configured.

        Raises:
            ModelError: There is no such model, or it cannot be set up.
            MooringError: What the caller's tables are read through is not configured.
        """
        with (
            self.memory(caller) as saver,
            converse(
                self.settings,
                saver,
                caller,
                session,
                owner,
                model=model,
                progress=progress,
                seconds=self.settings.turn_seconds,
                tracer=tracer,
            ) as conversation,
        ):
            yield conversation


@contextmanager
def converse(
    settings: Settings,
    saver: GovernedPostgresSaver,
    caller: Caller | WorkspaceCaller,
    session: str,
    owner: str | None = None,
    *,
    model: str | None = None,
    progress: Callable[[str], None] | None = None,
    seconds: float | None = None,
    tracer: Tracer | None = None,
    prompt: str = SYSTEM_PROMPT,
) -> Iterator[Conversation]:
    """Open a session in a saver, with the catalog and the model that its caller's credentials open."""
    name = settings.model if model is None else model
    tracer = tracer or tracer_of(settings, session, caller.principal.name)
    with ExitStack() as stack:
        if isinstance(caller, Caller):
            catalog: Catalog = stack.enter_context(catalog_of(settings, caller))
            graph = build_graph(load_model(name), saver, approve=settings.approve, prompt=prompt)
        else:
            asked = unity_catalog_of(settings, caller, session, progress, lambda: tracer.trace_id if tracer else None)
            catalog = stack.enter_context(asked)
            graph = build_graph(
                load_model(name, caller.client),
                saver,
                dialect=DATABRICKS_SQL,
                approve=settings.approve,
                **_offered_to(settings, caller, asked, progress),
                prompt=prompt,
            )
        yield Conversation(graph, saver, caller, catalog, session, owner, seconds, tracer)


def _offered_to(
    settings: Settings, caller: WorkspaceCaller, catalog: UnityCatalog, progress: Callable[[str], None] | None
) -> dict[str, Any]:
    """Return what the workspace offers the caller beyond tables, for `build_graph`."""
    offers = offered(settings, caller, catalog)
    missing = missing_of(offers)
    if progress is not None:
        for line in missing:
            progress(line)
    return {"more_tools": tools_of(offers), "missing": missing}


@contextmanager
def open_host(settings: Settings, **options: Any) -> Iterator[Host]:
    """Open the database for many callers.

    On Lakebase, `MOORING_LAKEBASE_IDENTITY` says who connects: the service, which is believed about whom it asks for
    (`broker`), or each caller by their own login (`login`).

    Args:
        settings: What is configured.
        options: As for `GovernedPostgresSaver`.

    Raises:
        DatabaseNotConfiguredError: In a container whose disk does not last, without a database.
        SchemaError, UnsafeRoleError: The schema or the runtime role is not fit for use.
        LakebaseError: The compute cannot be found, or refuses.
    """
    with ExitStack() as stack:
        if not settings.lakebase:
            database = stack.enter_context(open_database(settings))
            saver = stack.enter_context(saver_of(settings, database, **options))
            yield Host(settings, database, saver, None)
            return
        options |= options_of(settings)
        if settings.lakebase_identity == "login":
            from checkpointer.logins import LakebaseLogins

            yield Host(settings, None, None, stack.enter_context(LakebaseLogins(options=options)))
            return
        yield Host(settings, None, stack.enter_context(GovernedPostgresSaver.from_lakebase(**options)), None)
