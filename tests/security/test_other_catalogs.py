"""Tables of other catalogs: what was read from them is shown to whoever their own credentials say may read it now."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from checkpointer import CheckpointerError, GovernedPostgresSaver, Principal, acting_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

SECRET = "812734659"
TABLE = "main.sales.orders"
PRINT = "uc:1234"


@dataclass
class Elsewhere:
    """A catalog: by person and table, the fingerprint; an exception where it cannot be reached."""

    tables: dict[tuple[str, str], str | Exception] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def principal(self, name: str) -> Principal:
        def sees(source: str) -> str | None:
            self.asked.append((name, source))
            found = self.tables.get((name, source))
            if isinstance(found, Exception):
                raise found
            return found

        return Principal(name, sees=sees)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere({("alice", TABLE): PRINT, ("bob", TABLE): PRINT})


@pytest.fixture
def config() -> Any:
    return {"configurable": {"thread_id": f"elsewhere-{uuid4().hex[:8]}"}}


@pytest.fixture
def told(lakehouse: Database, config: Any, elsewhere: Elsewhere) -> Iterator[None]:
    """Tell alice something from the table, in a session of hers."""
    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        graph_of(saver).invoke({"messages": [HumanMessage("how much?", id="q")]}, config, durability="sync")
        elsewhere.asked.clear()
        yield
        saver.delete_thread(config["configurable"]["thread_id"])


def saver_on(lakehouse: Database, **options: Any) -> GovernedPostgresSaver:
    """Return a saver that has asked nothing yet."""
    return GovernedPostgresSaver.from_conn_string(lakehouse.runtime, **options)


def graph_of(saver: GovernedPostgresSaver) -> Any:
    def answer(state: MessagesState) -> dict[str, Any]:
        marks = {"mooring": {"labels": [[TABLE, PRINT]]}}
        return {"messages": [AIMessage(f"It was {SECRET}.", id=str(uuid4()), response_metadata=marks)]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", answer)
    builder.add_edge(START, "model")
    builder.add_edge("model", END)
    return builder.compile(checkpointer=saver)


def ways(saver: GovernedPostgresSaver, config: Any) -> dict[str, str]:
    """Return what is seen of the thread, by each way to read it."""
    history = list(saver.list(config))
    latest = saver.get_tuple(config)
    return {
        "state": str(latest),
        "history": str(history),
        "pending writes": str([each.pending_writes for each in history]),
        "delta": str(saver.get_delta_channel_history(config=history[0].config, channels=["messages"])),
        "export": str(saver.export(config)),
        "a listing of all": str([t for t in saver.list(None) if t.config["configurable"]["thread_id"] in str(config)]),
    }


def test_it_is_shown_to_whom_the_catalog_shows_it(
    lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None
) -> None:
    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        for way, seen in ways(saver, config).items():
            assert SECRET in seen, way
        why = saver.why(config["configurable"]["thread_id"])
        assert [label.verdict for message in why for label in message.labels] == ["held"]
    assert elsewhere.asked.count(("alice", TABLE)) == 1  # once for all, as an answer counts for a minute


@pytest.mark.parametrize(
    "now", [None, "uc:other", f"{PRINT}:filtered~", "", TimeoutError("no answer"), RuntimeError("?")], ids=str
)
def test_whatever_else_the_catalog_says_withholds_it(
    lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None, now: str | Exception | None
) -> None:
    elsewhere.tables.pop(("alice", TABLE))
    if now is not None:
        elsewhere.tables["alice", TABLE] = now
    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        for way, seen in ways(saver, config).items():
            assert SECRET not in seen, way
            assert "no answer" not in seen
        assert f"derived from {TABLE}" in str(saver.get_tuple(config))
        why = saver.why(config["configurable"]["thread_id"])
        assert [label.verdict for message in why for label in message.labels] == ["elsewhere"]
    elsewhere.tables["alice", TABLE] = PRINT
    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        assert SECRET in str(saver.get_tuple(config))


def test_nobody_to_ask_withholds_it_also_after_somebody_was_asked(
    lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None
) -> None:
    with saver_on(lakehouse) as saver:
        with acting_as(elsewhere.principal("alice")):
            assert SECRET in str(saver.get_tuple(config))
        with acting_as(Principal("alice")):
            for way, seen in ways(saver, config).items():
                assert SECRET not in seen, way
        with acting_as(elsewhere.principal("alice")):
            assert SECRET in str(saver.get_tuple(config))


def test_an_answer_is_of_one_person(lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None) -> None:
    thread_id = config["configurable"]["thread_id"]
    shared: Any = {"configurable": {"thread_id": thread_id, "thread_owner": "alice"}}
    with saver_on(lakehouse) as saver:
        with acting_as(elsewhere.principal("alice")):
            saver.share(thread_id, "bob")
            assert SECRET in str(saver.get_tuple(config))
        elsewhere.tables.pop(("bob", TABLE))
        with acting_as(elsewhere.principal("bob")):
            assert SECRET not in str(saver.get_tuple(shared))
            assert "It was" not in str(list(saver.list(shared)))
        assert ("bob", TABLE) in elsewhere.asked
        with acting_as(elsewhere.principal("alice")):
            assert SECRET in str(saver.get_tuple(config))


def test_an_answer_counts_for_its_time(
    lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkpointer.answers._SECONDS", 0.3)
    monkeypatch.setattr("checkpointer.answers._SECONDS_OF_SILENCE", 0.3)
    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        assert SECRET in str(saver.get_tuple(config))
        elsewhere.tables["alice", TABLE] = TimeoutError()
        time.sleep(0.4)
        assert SECRET not in str(saver.get_tuple(config))
        elsewhere.tables["alice", TABLE] = PRINT
        time.sleep(0.4)
        assert SECRET in str(saver.get_tuple(config))


def test_only_members_of_the_runtime_role_are_believed_about_answers(
    lakehouse: Database, config: Any, told: None, admin: psycopg.Connection[Any]
) -> None:
    everything = list(range(1, 1 + admin.execute("select max(id) from mooring.labels").fetchall()[0][0]))
    thread_id = config["configurable"]["thread_id"]
    with psycopg.connect(lakehouse.login("alice"), autocommit=True) as own:
        for answers in (None, everything):
            parts = own.execute(
                "select * from mooring.get_parts('alice', '{}', %s::int[], 'alice', %s, '', null, null, '{}')",
                [answers, thread_id],
            ).fetchall()
            assert {part[0] for part in parts} >= {"c", "x"}
            assert SECRET not in str(parts)
        own.execute("select set_config('mooring.answers', %s, false)", [str(everything).translate({91: 123, 93: 125})])
        rows = own.execute("select * from mooring.messages where thread_id = %s", [thread_id]).fetchall()
        assert len(rows) == 2
        assert SECRET not in str(rows)
        assert SECRET not in str(own.execute("select * from mooring.contents").fetchall())


def test_a_label_that_ran_out_is_not_asked_about(
    lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None, admin: psycopg.Connection[Any]
) -> None:
    expire = "update mooring.labels set expires_at = now() - interval '1 minute' where source = %s returning id"
    labels = [label for (label,) in admin.execute(expire, [TABLE])]
    try:
        with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
            assert SECRET not in str(saver.get_tuple(config))
            why = saver.why(config["configurable"]["thread_id"])
            assert [label.verdict for message in why for label in message.labels] == ["ran out"]
        assert ("alice", TABLE) not in elsewhere.asked
    finally:
        admin.execute("update mooring.labels set expires_at = null where id = any(%s)", [labels])


def test_the_audit_tells_what_was_withheld_and_not_what_was_asked(
    lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None
) -> None:
    def lines(saver: GovernedPostgresSaver) -> list[str]:
        return [line.act for line in saver.audit(thread_id=config["configurable"]["thread_id"])]

    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        assert SECRET in str(saver.get_tuple(config))
        list(saver.list(config))
        assert "withheld" not in lines(saver)
        saver.export(config)
        assert lines(saver).count("exported") == 1
    elsewhere.tables.clear()
    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        assert SECRET not in str(saver.get_tuple(config))
        assert lines(saver).count("withheld") == 1


def test_no_connection_is_held_while_the_catalog_thinks(lakehouse: Database, config: Any, told: None) -> None:
    with saver_on(lakehouse, max_size=1, timeout=2) as saver:

        def sees(source: str) -> str | None:
            with acting_as(Principal("alice")):
                assert saver.sessions(limit=1)
            return PRINT

        with acting_as(Principal("alice", sees=sees)):
            assert SECRET in str(saver.get_tuple(config))
            assert SECRET in str(list(saver.list(config)))


async def test_the_event_loop_goes_on_while_the_catalog_thinks(lakehouse: Database, config: Any, told: None) -> None:
    def sees(source: str) -> str | None:
        time.sleep(0.5)
        return PRINT

    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    async with saver_on(lakehouse) as saver:
        with acting_as(Principal("alice", sees=sees)):
            task = asyncio.create_task(others())
            found = await saver.aget_tuple(config)
            task.cancel()
            assert SECRET in str(found)
            assert turns > 20
            assert SECRET in str([t async for t in saver.alist(config)])


def test_a_thread_goes_on_with_what_is_withheld_and_gets_it_back(
    lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None
) -> None:
    elsewhere.tables.clear()
    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        graph_of(saver).invoke({"messages": [HumanMessage("and now?", id="r")]}, config, durability="sync")
    elsewhere.tables["alice", TABLE] = PRINT
    with saver_on(lakehouse) as saver, acting_as(elsewhere.principal("alice")):
        messages = saver.get_tuple(config).checkpoint["channel_values"]["messages"]  # type: ignore[union-attr]
        assert [m.type for m in messages] == ["human", "ai", "human", "ai"]
        assert all(SECRET in m.text for m in messages if m.type == "ai")


def test_an_error_says_nothing_of_it(lakehouse: Database, config: Any, elsewhere: Elsewhere, told: None) -> None:
    with saver_on(lakehouse) as saver:
        with acting_as(elsewhere.principal("bob")), pytest.raises(CheckpointerError) as failed:
            saver.why(config["configurable"]["thread_id"])
        assert TABLE not in str(failed.value)
    assert elsewhere.asked == []
