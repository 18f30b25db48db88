"""Open what a command needs: the database, the caller's login, their catalog, the saver and the graph."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from agent.catalogs import catalog_of
from agent.conversation import Conversation
from agent.database import open_database
from agent.errors import MooringError
from agent.graph import build_graph
from agent.identity import Caller, log_in
from agent.memory import saver_of
from agent.models import load_model
from agent.settings import Settings
from checkpointer import acting_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from checkpointer import GovernedPostgresSaver


class NobodyError(MooringError):
    """Nobody was named, and there is no default."""

    def __init__(self) -> None:
        super().__init__("It is not said who is asking", "pass --as NAME or set MOORING_USER")


class NoSessionError(MooringError):
    """There is no session to go on with."""

    def __init__(self) -> None:
        super().__init__("You have no session to continue", "ask a first question without --continue")


@dataclass(frozen=True, slots=True)
class Memory:
    """A caller and their sessions."""

    database: Database
    caller: Caller
    saver: GovernedPostgresSaver


@contextmanager
def open_memory(user: str | None) -> Iterator[Memory]:
    """Log in as the caller and open the saver; every saver call inside is made as them."""
    settings = Settings()
    with ExitStack() as stack:
        database = stack.enter_context(open_database(settings))
        name = user if user is not None else settings.user or database.default_user
        if name is None:
            raise NobodyError
        caller = log_in(database, name)
        saver = stack.enter_context(saver_of(settings, database))
        stack.enter_context(acting_as(caller.principal))
        yield Memory(database, caller, saver)


@contextmanager
def open_conversation(
    user: str | None, session: str | None, continue_: bool, model: str | None
) -> Iterator[Conversation]:
    """Open a session of the caller: the named one, the one used last, or a new one."""
    if session is not None and continue_:
        raise MooringError("--session and --continue name two sessions", "give one of them")
    settings = Settings()
    chat_model = load_model(settings.model if model is None else model)
    with open_memory(user) as memory, catalog_of(settings, memory.caller) as catalog:
        if session is None and continue_:
            latest = memory.saver.sessions(limit=1)
            if not latest:
                raise NoSessionError
            session = latest[0].thread_id
        graph = build_graph(chat_model, memory.saver)
        yield Conversation(graph, memory.saver, memory.caller, catalog, session or uuid4().hex[:12])
