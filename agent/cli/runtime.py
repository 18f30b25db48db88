"""Open what a command needs: the database, the caller's login, their catalog, the saver and the graph."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import typer

from agent.database import open_database
from agent.errors import MooringError
from agent.host import converse
from agent.identity import Caller, log_in, profile_of, workspace_caller
from agent.memory import saver_of, saver_of_workspace
from agent.models import load_model
from agent.settings import Settings
from checkpointer import GovernedPostgresSaver, acting_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.conversation import Conversation
    from agent.workspace import WorkspaceCaller


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

    caller: Caller | WorkspaceCaller
    saver: GovernedPostgresSaver


@contextmanager
def open_memory(user: str | None, profile: str | None = None) -> Iterator[Memory]:
    """Log in as the caller and open the saver; every saver call inside is made as them."""
    settings = Settings()
    profile = profile_of(settings, user, profile)
    with ExitStack() as stack:
        caller: Caller | WorkspaceCaller
        if profile is not None:
            caller = workspace_caller(profile)
            saver = stack.enter_context(saver_of_workspace(settings, caller, stack))
        else:
            database = stack.enter_context(open_database(settings))
            name = user if user is not None else settings.user or database.default_user
            if name is None:
                raise NobodyError
            caller = log_in(database, name)
            saver = stack.enter_context(saver_of(settings, database))
        stack.enter_context(acting_as(caller.principal))
        yield Memory(caller, saver)


@contextmanager
def open_conversation(
    user: str | None,
    session: str | None,
    continue_: bool,
    model: str | None,
    owner: str | None = None,
    profile: str | None = None,
) -> Iterator[Conversation]:
    """Open a session: the named one, the one used last, or a new one; of the caller, or one that an owner shares."""
    if session is not None and continue_:
        raise MooringError("--session and --continue name two sessions", "give one of them")
    if owner is not None and session is None and not continue_:
        raise MooringError("--owner says whose session, and not which", "name one with --session")
    settings = Settings()
    name = settings.model if model is None else model
    profile = profile_of(settings, user, profile)
    if profile is None:
        load_model(name)  # refused before a server is started; one of a workspace is called as whom it proves
    with open_memory(user, profile) as memory:
        if session is None and continue_:
            latest = memory.saver.sessions(owner=owner, limit=1)
            if not latest:
                raise NoSessionError
            session = latest[0].thread_id
        session = session or uuid4().hex[:12]
        with converse(
            settings, memory.saver, memory.caller, session, owner, model=name, progress=_tell
        ) as conversation:
            yield conversation


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)
