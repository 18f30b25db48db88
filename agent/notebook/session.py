"""Who asks in a notebook, and their sessions. Every call is complete in itself, in whatever context a cell runs."""

from __future__ import annotations

import asyncio
import atexit
from contextlib import ExitStack
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import psycopg

from agent.callers import Callers
from agent.catalogs import catalog_of, unity_catalog_of
from agent.conversation import Answered
from agent.forking import fork
from agent.graph import build_graph
from agent.history import history_of
from agent.host import open_host
from agent.identity import Caller, profile_of
from agent.models import load_model
from agent.notebook.drawing import Picture
from agent.notebook.listing import Listing
from agent.notebook.showing import messages_html, messages_text, transcript_html
from agent.schemas import Answer
from agent.settings import Settings
from agent.transcript import info_of, messages_of, transcript_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator
    from contextlib import AbstractContextManager

    from agent.conversation import Conversation, Event
    from agent.host import Host
    from agent.schemas import Message, Transcript
    from agent.workspace import WorkspaceCaller


class _End:
    """There is no more."""


_END = _End()


def connect(user: str | None = None, *, model: str | None = None, profile: str | None = None) -> Me:
    """Open the database that is configured, and be somebody: by their own login, or as a workspace proves it.

    It stays open until `close`, or the interpreter's end.

    Args:
        user: Whose login to use; alice on the embedded sample.
        model: Name of the chat model, instead of the configured one.
        profile: A login to Databricks.

    Raises:
        MooringError: There is no database, or no such login.
    """
    settings = Settings()
    stack = ExitStack()
    try:
        host = stack.enter_context(open_host(settings))
        caller = Callers(host, profile_of(settings, user, profile))(user)
    except BaseException:
        stack.close()
        raise
    atexit.register(stack.close)
    return Me(host, caller, model or settings.model, stack)


class Me:
    """Somebody who asks. Made by `connect`."""

    def __init__(self, host: Host, caller: Caller | WorkspaceCaller, model: str, stack: ExitStack) -> None:
        self.host = host
        self.caller = caller
        self.model = model
        self._stack = stack

    @property
    def name(self) -> str:
        """Whom the login proves."""
        return self.caller.principal.name

    def __repr__(self) -> str:
        return f"{self.name}, with the model {self.model}"

    def session(self, name: str | None = None, owner: str | None = None) -> Session:
        """Return a session, a new one if there is none of the name; or one that an owner shares."""
        return Session(self, name or uuid4().hex[:12], owner)

    def sessions(self) -> Listing:
        """List one's own sessions, the one used last first."""
        with self.host.memory(self.caller) as saver:
            found = [info_of(each) for each in saver.sessions()]
        return Listing(("session", "title", "checkpoints"), [(s.session, s.title, s.checkpoints) for s in found])

    def sql(self, query: str) -> Listing:
        """Run SQL as oneself: in Postgres over one's own login, sessions included, in a workspace on its warehouse."""
        if isinstance(self.caller, Caller):
            with psycopg.connect(self.caller.conninfo, autocommit=True) as conn:
                cursor = conn.execute(query.encode())
                return Listing([column.name for column in cursor.description or ()], cursor.fetchall())
        with unity_catalog_of(self.host.settings, self.caller, "notebook") as catalog:
            found = catalog.query(query)
        return Listing(found.columns, found.rows)

    def tables(self) -> Listing:
        """List the tables that one may read."""
        caller = self.caller
        opened: Any = (
            catalog_of(self.host.settings, caller)
            if isinstance(caller, Caller)
            else unity_catalog_of(self.host.settings, caller, "notebook")
        )
        with opened as catalog:
            found = catalog.list_tables()
        return Listing(("table", "about"), [(table.table, table.comment) for table in found.tables])

    def close(self) -> None:
        """Close the connections."""
        self._stack.close()


class Exchange:
    """A question and its answer."""

    def __init__(self, answer: Answer, messages: list[Message]) -> None:
        self.answer = answer
        self.messages = messages

    def __repr__(self) -> str:
        return messages_text(self.messages)

    def _repr_html_(self) -> str:
        return messages_html(self.messages)


class Session:
    """A session of somebody's; it shows itself as a conversation. Made by `Me.session`.

    What is called `a...` is for `await`; the others work in a running event loop as well.
    """

    def __init__(self, me: Me, name: str, owner: str | None = None) -> None:
        self._me = me
        self.name = name
        self.owner = owner

    def stream(self, question: str) -> Generator[Event, None, None]:
        """Ask, and yield what happens; ends with `Answered`.

        Raises:
            TurnError, TimeoutError, ThreadBusyError, ViewerError, ThreadNotFoundError: As of `Conversation.ask`.
        """
        # Every cell, and every step in a thread, may run in another context: who asks is bound in this one.
        context, events = copy_context(), self._events(question)
        try:
            while not isinstance(event := context.run(next, events, _END), _End):
                yield event
        finally:
            context.run(events.close)

    def _events(self, question: str) -> Generator[Event, None, None]:
        with self._open() as conversation:
            yield from conversation.ask(question)

    def ask(self, question: str) -> Exchange:
        """Ask, and return the answer with the steps to it."""
        return self._exchange(self.stream(question))

    async def astream(self, question: str) -> AsyncGenerator[Event, None]:
        """Async version of `stream`."""
        events = self.stream(question)
        try:
            while not isinstance(event := await asyncio.to_thread(next, events, _END), _End):
                yield event
        finally:
            await asyncio.to_thread(events.close)

    async def aask(self, question: str) -> Exchange:
        """Async version of `ask`."""
        return await asyncio.to_thread(self.ask, question)

    def finish(self) -> Exchange | None:
        """Finish a turn that was interrupted; None where none was."""
        with self._open() as conversation:
            return self._exchange(conversation.finish()) if conversation.unfinished() else None

    def transcript(self) -> Transcript:
        """Return the whole session, as its reader may see it now."""
        with self._me.host.memory(self._me.caller) as saver:
            return transcript_of(saver, self.name, self.owner)

    def history(self) -> Listing:
        """List the checkpoints, the latest first: what ran, what runs next, and how many messages there are."""
        with self._me.host.memory(self._me.caller) as saver:
            found = history_of(saver, self.name, self.owner)
        return Listing(
            ("checkpoint", "step", "source", "next", "messages", "last"),
            [(c.checkpoint, c.step, c.source, ", ".join(c.next) or "-", c.messages, c.last) for c in found],
        )

    def at(self, checkpoint: str) -> Exchange:
        """Show the session as it was at a checkpoint."""
        config: Any = {"configurable": {"thread_id": self.name, "checkpoint_ns": "", "checkpoint_id": checkpoint}}
        with self._me.host.memory(self._me.caller) as saver:
            found = saver.get_tuple(config)
        messages = [] if found is None else found.checkpoint["channel_values"].get("messages", [])
        return Exchange(_no_answer(self.name), messages_of(messages))

    def fork(self, checkpoint: str | None = None, name: str | None = None) -> Session:
        """Begin another session where this one was at a checkpoint; this one stays as it is."""
        into = name or f"{self.name}-{uuid4().hex[:6]}"
        with self._me.host.memory(self._me.caller) as saver:
            fork(saver, self.name, into, checkpoint)
        return Session(self._me, into)

    def share(self, with_: str, role: Literal["viewer", "editor"] = "viewer") -> None:
        """Let somebody read it, or go on with it, as themselves."""
        with self._me.host.memory(self._me.caller) as saver:
            saver.share(self.name, with_, role)

    def delete(self) -> None:
        """Delete it with everything in it."""
        with self._me.host.memory(self._me.caller) as saver:
            saver.delete_thread(self.name)

    @property
    def graph(self) -> Picture:
        """The graph that answers."""
        with self._me.host.memory(self._me.caller) as saver:
            return Picture(build_graph(load_model("offline"), saver))

    def __repr__(self) -> str:
        return messages_text(self.transcript().messages)

    def _repr_html_(self) -> str:
        return transcript_html(self.transcript())

    def _open(self) -> AbstractContextManager[Conversation]:
        return self._me.host.conversation(self._me.caller, self.name, self.owner, model=self._me.model)

    def _exchange(self, events: Iterator[Event]) -> Exchange:
        answer = _no_answer(self.name)
        for event in events:
            if isinstance(event, Answered):
                answer = event.answer
        messages = self.transcript().messages
        start = max((i for i, message in enumerate(messages) if message.role == "user"), default=0)
        return Exchange(answer, messages[start:])


def _no_answer(session: str) -> Answer:
    return Answer(session=session, answer="", tools=[], sources=[])
