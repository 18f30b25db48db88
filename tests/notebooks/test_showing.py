"""What a notebook shows: conversations, tables and graphs, whatever stands in them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from langgraph.graph import END, START, MessagesState, StateGraph

from agent.conversation import Answered
from agent.errors import MooringError
from agent.notebook import Listing, Picture, connect
from agent.notebook.showing import messages_html
from agent.schemas import Message, ToolUse, Withholding
from checkpointer import ThreadExistsError, ThreadNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from agent.notebook import Me, Session

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def me(lakehouse: Database) -> Iterator[Me]:
    """Alice, in a notebook."""
    opened = connect("alice")
    yield opened
    opened.close()


@pytest.fixture
def session(me: Me) -> Iterator[Session]:
    opened = me.session()
    opened.ask("how many reviews are there?")
    yield opened
    opened.delete()


def test_a_session_shows_itself(session: Session) -> None:
    html = session._repr_html_()
    assert "<b>how many reviews are there?</b>" in html
    assert "<summary><code>query</code> → 1 row</summary>" in html
    assert "<th>count</th>" in html
    assert "<td>240</td>" in html
    assert repr(session).splitlines()[-1] == "The number of reviews is 240."


def test_calls_work_in_a_running_loop(session: Session) -> None:
    async def talk() -> list[str]:
        first = await session.aask("and per rating?")
        second = session.ask("and in 2025?")
        events = [event async for event in session.astream("how many suppliers are there?")]
        assert isinstance(events[-1], Answered)
        return [first.answer.answer, second.answer.answer, events[-1].answer.answer]

    said = asyncio.run(talk())
    assert "| rating |" in said[0]
    assert "2025" in said[1]
    assert "27" in said[2]
    assert len([m for m in session.transcript().messages if m.role == "user"]) == 4


def test_a_stream_that_is_left_is_finished_by_whoever_comes_next(session: Session) -> None:
    async def leave() -> None:
        events = session.astream("revenue by country")
        async for _ in events:
            break
        await events.aclose()

    asyncio.run(leave())
    assert session.transcript().unfinished
    assert "The last turn was interrupted" in session._repr_html_()
    finished = session.finish()
    assert finished is not None
    assert "| Japan |" in finished.answer.answer
    assert session.finish() is None


def test_a_fork_begins_at_a_checkpoint_and_leaves_the_past(session: Session) -> None:
    before = repr(session)
    early = next(line["checkpoint"] for line in session.history() if line["messages"] == 2)
    assert repr(session.at(early)) == "> how many reviews are there?\n· list_tables"

    other = session.fork(early)
    other.ask("how many suppliers are there?")

    assert repr(session) == before
    asked = [m.content for m in other.transcript().messages if m.role == "user"]
    assert asked == ["how many reviews are there?", "how many suppliers are there?"]
    other.delete()


def test_what_cannot_be_forked_is_told(me: Me, session: Session) -> None:
    with pytest.raises(ThreadNotFoundError):
        me.session("nowhere").fork()
    with pytest.raises(MooringError, match="no checkpoint 'nonsense'"):
        session.fork("nonsense", "other")
    with pytest.raises(ThreadExistsError):
        session.fork(None, session.name)


def test_nothing_of_a_conversation_becomes_markup() -> None:
    image = "![x](https://elsewhere.example/?q=secret) [y](https://elsewhere.example)"
    table = f'{{"columns": ["{HOSTILE[:8]}"], "rows": [["<img src=x onerror=alert(1)>"]]}}'
    html = messages_html(
        [
            Message(id="1", role="user", content=HOSTILE),
            Message(
                id="2",
                role="assistant",
                content=f"{HOSTILE}\n\n{image}\n\n| a |\n| --- |\n| {HOSTILE} |",
                tool_calls=[ToolUse(id="c", name="query", args={"sql": HOSTILE}, rows=1)],
            ),
            Message(id="3", role="tool", content=table, tool_call_id="c"),
            Message(
                id="4", role="assistant", content=None, withheld=Withholding(sources=[], reason=f"withheld {HOSTILE}")
            ),
        ]
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html
    assert html.count("&lt;script&gt;alert") == 5
    assert "<td>&lt;img src=x onerror=alert(1)&gt;</td>" in html


def test_tables_are_escaped_and_cut() -> None:
    listing = Listing(("a", "<b>"), [(HOSTILE, None), ("x" * 500, 1)])
    assert "<script" not in listing._repr_html_()
    assert "<th>&lt;b&gt;</th>" in listing._repr_html_()
    assert len(repr(listing).splitlines()[2]) < 150
    assert list(listing)[1]["<b>"] == 1


def test_the_graph_is_a_picture(session: Session) -> None:
    drawn = ElementTree.fromstring(session.graph._repr_svg_())
    texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    paths = [each.attrib for each in drawn.iter("{http://www.w3.org/2000/svg}path")]
    assert texts == ["start", "model", "tools", "end"]
    assert len([each for each in paths if "marker-end" in each]) == 4
    assert len([each for each in paths if "stroke-dasharray" in each]) == 2


def test_any_graph_is_drawn() -> None:
    builder = StateGraph(MessagesState)
    for name in ("a", "b", "c", "<d>"):
        builder.add_node(name, lambda state: state)
    builder.add_edge(START, "a")
    builder.add_edge("a", "b")
    builder.add_edge("a", "c")
    builder.add_edge(["b", "c"], "<d>")
    builder.add_edge("a", "<d>")
    builder.add_conditional_edges("<d>", lambda state: "a", ["a", END])
    picture = Picture(builder.compile())
    drawn = ElementTree.fromstring(picture._repr_svg_())
    boxes = {(each.attrib["x"], each.attrib["y"]) for each in drawn.iter("{http://www.w3.org/2000/svg}rect")}
    assert len(boxes) == 6
    assert "a ---> b" in repr(picture)


def test_sql_is_run_as_oneself(me: Me, session: Session) -> None:
    found = me.sql(f"select role, content from mooring.messages where thread_id = '{session.name}' order by position")
    assert [line["role"] for line in found] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert [each["table"] for each in me.tables()] == [
        f"bakehouse.{name}" for name in ("franchises", "reviews", "suppliers", "transactions")
    ]
    assert session.name in [each["session"] for each in me.sessions()]
    assert repr(me) == "alice, with the model offline"
