"""A table of its own, two people who may read it, and a chat about it with a model that repeats what it is told."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import psycopg
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from agent.catalogs import catalog_of
from agent.conversation import Answered, Conversation
from agent.graph import build_graph
from agent.identity import Caller
from agent.settings import Settings
from checkpointer import GovernedPostgresSaver, Principal, acting_as
from tests.logins import login_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from checkpointer import Keyring

FIGURE = "735194628"
"""What the table holds, and nothing else does."""

SETTING = (
    "create role {person} login password 'secret' in role mooring_user",
    "create role {colleague} login password 'secret' in role mooring_user",
    "create role {group}",
    "create schema {name}",
    "create table {name}.sales (amount int, country text, seller text)",
    "insert into {name}.sales values (735194628, 'NL', '{person}'), (4, 'DE', 'somebody')",
    "grant usage on schema {name} to {person}",
    "grant select on {name}.sales to {person}",
)
REMOVAL = (
    "drop schema {name} cascade",
    "drop owned by {person}, {colleague}",
    "drop role {person}, {colleague}, {group}",
)


class Parrot(BaseChatModel):
    """Takes what it is asked as SQL, and answers with what came of it."""

    prompts: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.prompts.append(messages)
        last = messages[-1]
        if last.type == "human":
            call: Any = {"name": "query", "args": {"sql": last.text}, "id": str(uuid4()), "type": "tool_call"}
            answer = AIMessage("", tool_calls=[call], id=str(uuid4()))
        else:
            answer = AIMessage(f"It says: {last.text}", id=str(uuid4()))
        return ChatResult(generations=[ChatGeneration(message=answer)])


@dataclass
class Scene:
    """Use it with `with`."""

    lakehouse: Database
    admin: psycopg.Connection[Any]
    name: str = field(default_factory=lambda: f"scene_{uuid4().hex[:8]}")
    model: Parrot = field(default_factory=Parrot)
    encryption: Keyring | None = None

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._stack.callback(self.run, *REMOVAL)
        self.run(*SETTING)
        self.saver = self._stack.enter_context(
            GovernedPostgresSaver.from_conn_string(self.lakehouse.runtime, encryption=self.encryption)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def person(self) -> str:
        """Who reads the table."""
        return f"{self.name}_reader"

    @property
    def colleague(self) -> str:
        """Who reads nothing yet."""
        return f"{self.name}_colleague"

    @property
    def group(self) -> str:
        """A role without members."""
        return f"{self.name}_group"

    @property
    def principal(self) -> Principal:
        """Who reads the table, authenticated."""
        return Principal(self.person)

    @property
    def config(self) -> Any:
        """Their thread."""
        return {"configurable": {"thread_id": self.name}}

    def run(self, *statements: str) -> None:
        """Run SQL as a superuser; {name}, {person}, {colleague} and {group} are the scene's."""
        for statement in statements:
            text = statement.format(name=self.name, person=self.person, colleague=self.colleague, group=self.group)
            self.admin.execute(text.encode())

    def login(self, who: str) -> str:
        """Return how one of the two logs in."""
        return login_as(self.lakehouse, who)

    @contextmanager
    def chat(self, who: str | None = None, owner: str | None = None) -> Iterator[Conversation]:
        """Open the person's thread as a conversation, or their colleague's part in it."""
        who = who or self.person
        caller = Caller(Principal(who), self.login(who))
        with catalog_of(Settings(), caller) as catalog:
            yield Conversation(build_graph(self.model, self.saver), self.saver, caller, catalog, self.name, owner)

    def shared(self) -> str:
        """Share the session with the colleague, and return what they get of it."""
        with acting_as(self.principal):
            self.saver.share(self.name, self.colleague)
        config: Any = {"configurable": {"thread_id": self.name, "thread_owner": self.person}}
        with acting_as(Principal(self.colleague)):
            found = self.saver.get_tuple(config)
        assert found is not None
        return str(found)

    def ask(self, question: str, who: str | None = None, owner: str | None = None) -> str:
        """Ask as the person, or as their colleague in their session, and return the answer."""
        with self.chat(who, owner) as chat:
            *_, last = chat.ask(question.format(name=self.name))
        assert isinstance(last, Answered)
        return last.answer.answer

    def everything(self, saver: GovernedPostgresSaver | None = None) -> dict[str, Any]:
        """Return all that the person gets to see of the thread, by the way it is got."""
        saver = saver or self.saver
        with acting_as(self.principal), psycopg.connect(self.login(self.person), autocommit=True) as own:
            latest = saver.get_tuple(self.config)
            assert latest is not None
            return {
                "state": latest.checkpoint["channel_values"],
                "history": [(t.checkpoint["channel_values"], t.pending_writes) for t in saver.list(self.config)],
                "function": own.execute(
                    "select * from mooring.get_parts(%s, '{}', null, %s, %s, '', null, null, '{}')",
                    [self.person, self.person, self.name],
                ).fetchall(),
                "sql": own.execute("select * from mooring.contents order by thread, position").fetchall(),
                "messages": own.execute("select * from mooring.messages order by thread_id, position").fetchall(),
                "tool calls": own.execute("select * from mooring.tool_calls order by thread_id, position").fetchall(),
            }
