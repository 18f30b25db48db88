"""Every text that the saver and the tools take, as somebody who means ill gives it: taken as it is or refused by us."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from psycopg.conninfo import make_conninfo

from checkpointer import (
    CheckpointerError,
    GovernedPostgresSaver,
    Principal,
    UnstorableTextError,
    acting_as,
    administration,
)
from tests.logins import saver_of
from tests.security.stage import state
from tools import CatalogError, PostgresCatalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database

SQL = "'; drop table mooring.threads cascade; --"
HOSTILE = {
    "NUL": "a\0b",
    "surrogate": "a\ud800b",
    "1 MB": "x" * 1_000_000,
    "too long for an index": random.Random(1).randbytes(2000).hex(),
    "quote": SQL,
    "quotes": f"\"{SQL}\" $${SQL}$$ E'\\'{SQL}",
    "placeholders": "%s %(owner)s {0} $1 :name %",
    "array": '{"a",NULL,\\"b}, ) select 1',
    "everybody": "%",
    "bidi": "\u202e\ufeff\u2028",
    "path": "../../alice",
    "another's": "alice",
    "nothing": "",
}


@pytest.fixture(scope="module")
def saver(lakehouse: Database) -> Iterator[GovernedPostgresSaver]:
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, max_size=1) as opened:
        yield opened


def both(*calls: Callable[[], object]) -> None:
    """Call one after the other."""
    for call in calls:
        call()


def config(**named: str) -> Any:
    return {"configurable": {"thread_id": "plans", "checkpoint_ns": "", **named}}


def message(**given: Any) -> Any:
    return state([AIMessage("x", id="1", **given)])


def calls(saver: GovernedPostgresSaver) -> dict[str, Callable[[str], Any]]:
    """Return every place where the saver takes a text."""

    def own(**named: str) -> Any:
        return saver.put(config(**named), state([HumanMessage("x", id="1")]), {"step": 0}, {"messages": 1})

    def labelled(text: str) -> dict[str, Any]:
        return {"response_metadata": {"mooring": {"labels": [[text, text]]}}}

    return {
        "thread id": lambda text: own(thread_id=text),
        "owner": lambda text: saver.get_tuple(config(thread_owner=text)),
        "owner written to": lambda text: own(thread_owner=text),
        "owner listed": lambda text: saver.sessions(owner=text),
        "namespace": lambda text: own(checkpoint_ns=text),
        "namespace read": lambda text: saver.get_tuple(config(checkpoint_ns=text)),
        "namespace listed": lambda text: list(saver.list(config(checkpoint_ns=text))),
        "checkpoint": lambda text: saver.put(config(), message() | {"id": text}, {"step": 0}, {"messages": 1}),
        "checkpoint read": lambda text: saver.get_tuple(config(checkpoint_id=text)),
        "checkpoint listed": lambda text: list(saver.list(config(checkpoint_id=text))),
        "checkpoint before": lambda text: list(saver.list(config(), before=config(checkpoint_id=text))),
        "checkpoint of a delta": lambda text: saver.get_delta_channel_history(
            config=config(checkpoint_id=text), channels=["messages"]
        ),
        "channel of a delta": lambda text: saver.get_delta_channel_history(config=config(), channels=[text]),
        "filter": lambda text: list(saver.list(config(), filter={"source": text, text: text})),
        "metadata": lambda text: saver.put(config(), message(), {"step": 0, text: text}, {"messages": 1}),  # type: ignore[misc]
        "run": lambda text: saver.put(config(), message(), {"step": 0, "run_id": text}, {"messages": 1}),
        "channel": lambda text: saver.put(
            config(),
            message() | {"channel_values": {text: text}, "channel_versions": {text: 1}},
            {"step": 0},
            {text: 1},
        ),
        "channel written": lambda text: saver.put_writes(own(), [(text, text)], "task"),
        "task": lambda text: saver.put_writes(own(), [("c", 1)], text),
        "task's path": lambda text: saver.put_writes(own(), [("c", 1)], "task", text),
        "message": lambda text: saver.put(
            config(),
            message(
                name=text, additional_kwargs={text: text}, tool_calls=[{"name": text, "args": {text: text}, "id": text}]
            ),
            {"step": 0},
            {"messages": 2},
        ),
        "label": lambda text: saver.put(config(), message(**labelled(text)), {"step": 0}, {"messages": 2}),
        "run deleted": lambda text: saver.delete_for_runs([text]),
        "thread run": lambda text: saver.run(config(thread_id=text)).acquire(),
        "thread deleted": saver.delete_thread,
        "thread copied": lambda text: saver.copy_thread(text, "copy"),
        "thread copied to": lambda text: saver.copy_thread(str(own()["configurable"]["thread_id"]), text),
        "thread pruned": lambda text: saver.prune([text]),
        "strategy": lambda text: saver.prune(["plans"], strategy=text),
        "thread kept": lambda text: saver.set_retention(text, None),
        "thread expired": lambda text: saver.expire([text]),
        "thread listed": lambda text: saver.sessions(thread_id=text),
        "thread renamed": lambda text: saver.rename(text, "x"),
        "title": lambda text: both(own, lambda: saver.rename("plans", text)),
        "thread explained": saver.why,
        "thread shared": lambda text: saver.share(text, "x"),
        "person shared with": lambda text: both(own, lambda: saver.share("plans", text)),
        "group shared with": lambda text: both(own, lambda: saver.share("plans", f"group:{text}")),
        "role": lambda text: both(own, lambda: saver.share("plans", "x", text)),  # type: ignore[arg-type]
        "person shared with no longer": lambda text: both(own, lambda: saver.unshare("plans", text)),
        "thread given away": lambda text: saver.transfer(text, "x"),
        "thread audited": lambda text: saver.audit(thread_id=text),
        "person audited": lambda text: saver.audit(user=text),
        "table audited": lambda text: saver.audit(table=text),
        "thread exported": lambda text: saver.export(config(thread_id=text)),
        "owner broken open": lambda text: saver.break_glass(text, "plans", reason="x"),
        "thread broken open": lambda text: saver.break_glass("x", text, reason="x"),
        "reason": lambda text: saver.break_glass("x", "plans", reason=text),
    }


def others_of(admin: psycopg.Connection[Any]) -> list[Any]:
    """Return what other people store, and which tables there are."""
    return admin.execute(
        "select t::text from mooring.threads t where owner not like 'hostile-%'"
        " union all select relname::text from pg_class where relnamespace = 'mooring'::regnamespace order by 1"
    ).fetchall()


def refusal(call: Callable[[str], Any], text: str) -> CheckpointerError | ValueError | None:
    """Return with what error of ours a call is refused; None where it is not."""
    try:
        call(text)
    except (CheckpointerError, ValueError) as error:
        return error
    return None


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_text_is_taken_for_nothing_else_or_refused_with_an_error_of_ours(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], kind: str
) -> None:
    text, before = HOSTILE[kind], others_of(admin)
    for place, call in calls(saver).items():
        with acting_as(Principal(f"hostile-{uuid4()}")):
            error = refusal(call, text)
        assert not isinstance(error, UnicodeError), place
        assert len(str(error)) < 3_000, place  # the longest thread id, said twice
    assert others_of(admin) == before


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_text_that_is_a_thread_id_comes_back_as_it_is(saver: GovernedPostgresSaver, kind: str) -> None:
    text = HOSTILE[kind]
    with acting_as(Principal(f"hostile-{uuid4()}")):
        try:
            saver.put(config(thread_id=text), message(), {"step": 0}, {"messages": 1})
        except ValueError:
            assert kind in ("NUL", "surrogate", "1 MB", "too long for an index", "nothing")
            return
        saver.rename(text, text)
        assert [(s.thread_id, s.title) for s in saver.sessions()] == [(text, text)]
        assert [t.config["configurable"]["thread_id"] for t in saver.list(None)] == [text]
        assert [each.role for each in saver.why(text)] == ["assistant"]
        saver.delete_thread(text)
        assert saver.sessions() == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_names_of_people_and_groups_are_names(saver: GovernedPostgresSaver, kind: str) -> None:
    text, own, thread = HOSTILE[kind], Principal(f"hostile-{uuid4()}"), f"plans-{uuid4()}"
    named = {"thread_id": thread, "checkpoint_ns": "", "thread_owner": own.name}
    try:
        member = Principal(f"hostile-{uuid4()}", frozenset({text}))
        with acting_as(own):
            saver.put(config(thread_id=thread), message(), {"step": 0}, {"messages": 1})
            saver.share(thread, f"group:{text}")
    except ValueError:
        assert kind in ("NUL", "surrogate", "1 MB", "too long for an index", "nothing")
        return
    for who, sees in ((member, True), (Principal("x", frozenset({"x", *text.split(",")} - {text})), False)):
        with acting_as(who):
            assert (saver.get_tuple({"configurable": named}) is not None) is sees


async def test_the_event_loop_is_told_the_same(lakehouse: Database) -> None:
    async with saver_of(lakehouse, Principal("hostile-loop")) as saver:
        for text in ("a\0b", "a\ud800b"):
            with pytest.raises(UnstorableTextError, match="checkpoint id holds a NUL character or a lone surrogate"):
                await saver.aget_tuple(config(checkpoint_id=text))
        with pytest.raises(UnstorableTextError, match="namespace is too long, with 4,000 bytes"):
            await saver.aput(config(checkpoint_ns=HOSTILE["too long for an index"]), message(), {"step": 0}, {})


@pytest.mark.parametrize("kind", ["NUL", "surrogate"])
def test_the_administrator_is_told_the_same(lakehouse: Database, kind: str) -> None:
    text = HOSTILE[kind]
    assert lakehouse.admin is not None
    with administration.connect(lakehouse.admin) as administrator:
        for call in (
            lambda: administrator.hold(text, "x", reason="x"),
            lambda: administrator.hold("x", text, reason="x"),
            lambda: administrator.release(text, "x"),
            lambda: administrator.erase(text),
        ):
            with pytest.raises(ValueError, match="NUL"):
                call()


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_tools_take_a_text_as_what_it_is_asked_for(alice: str, admin: psycopg.Connection[Any], kind: str) -> None:
    text, before = HOSTILE[kind], others_of(admin)
    with PostgresCatalog(make_conninfo(alice)) as catalog:
        for call in (catalog.describe_table, catalog.query):
            with pytest.raises(CatalogError) as caught:
                call(text)
            assert caught.value.__cause__ is None
            assert len(str(caught.value)) < 1_500
    assert others_of(admin) == before
