"""Sessions, messages and tool calls as SQL shows them: the same as the saver, whatever is stored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.graph import END, START, MessagesState, StateGraph
from psycopg.rows import dict_row

from checkpointer import GovernedPostgresSaver, Principal, UnserializableError, administration
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

Row = dict[str, Any]


class Reader:
    """The runtime role's connection, which reads the views as a principal."""

    def __init__(self, conn: psycopg.Connection[Row]) -> None:
        self._conn = conn

    def read(self, person: Principal, query: str, *params: object) -> list[Row]:
        """Run a query with the principal bound for its transaction."""
        with self._conn.transaction():
            self._conn.execute("select set_config('mooring.principal', %s, true)", [person.name])
            return self._conn.execute(query.encode(), params).fetchall()

    def messages(self, person: Principal, thread_id: str) -> list[Row]:
        """Read a thread's messages in order."""
        return self.read(person, "select * from mooring.messages where thread_id = %s order by position", thread_id)


@pytest.fixture
def reader(lakehouse: Database) -> Iterator[Reader]:
    with psycopg.connect(lakehouse.runtime, autocommit=True, row_factory=dict_row) as conn:
        yield Reader(conn)


def config_of(thread_id: str) -> Any:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}


def stored(saver: GovernedPostgresSaver, values: dict[str, Any], thread_id: str | None = None) -> str:
    """Store a checkpoint with these channels as a thread, and return its id."""
    thread_id = thread_id or str(uuid4())
    checkpoint: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, 1)}
    saver.put(config_of(thread_id), checkpoint, {}, dict.fromkeys(values, 1))
    return thread_id


def state(saver: GovernedPostgresSaver, thread_id: str) -> list[BaseMessage]:
    found = saver.get_tuple(config_of(thread_id))
    assert found is not None
    messages: list[BaseMessage] = found.checkpoint["channel_values"]["messages"]
    return messages


def plain(text: str | None) -> str | None:
    """What SQL can hold of a text."""
    if text is None:
        return None
    # UTF-16 joins a high and a low half that stand side by side, as JSON does.
    joined = text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return joined if len(joined) == len(text) else halves(text)


def shown(message: BaseMessage) -> str:
    """What SQL shows of a message's text: that of each of its blocks, whose halves do not meet."""
    blocks = message.content if isinstance(message.content, list) else [message.content]
    texts = [each if isinstance(each, str) else each.get("text") for each in blocks if _is_text(each)]
    assert "".join(map(str, texts)) == message.text
    return "".join(str(plain(str(text))) for text in texts)


def _is_text(block: str | dict[Any, Any]) -> bool:
    return isinstance(block, str) or (block.get("type") == "text" and isinstance(block.get("text"), str))


def halves(text: str) -> str:
    """The same, one U+FFFD for each half that stands alone."""
    out, at = "", 0
    while at < len(text):
        high, low = text[at], text[at + 1 : at + 2]
        if "\ud800" <= high <= "\udbff" and low and "\udc00" <= low <= "\udfff":
            out += (high + low).encode("utf-16", "surrogatepass").decode("utf-16")
            at += 2
            continue
        out += "\ufffd" if high == "\x00" or "\ud800" <= high <= "\udfff" else high
        at += 1
    return out


def chat() -> Any:
    """A graph that answers what it is told."""
    builder: Any = StateGraph(MessagesState)

    def answer(given: MessagesState) -> Any:
        return {"messages": [AIMessage(f"re: {given['messages'][-1].text}", id=str(uuid4()))]}

    return builder.add_node("answer", answer).add_edge(START, "answer").add_edge("answer", END)


def test_a_conversation_is_that_of_the_latest_checkpoint_in_its_order(
    saver: GovernedPostgresSaver, person: Principal, reader: Reader
) -> None:
    graph, thread_id = chat().compile(checkpointer=saver), str(uuid4())
    config = config_of(thread_id)

    def same() -> None:
        found = reader.messages(person, thread_id)
        messages = state(saver, thread_id)
        assert [row["position"] for row in found] == list(range(len(messages)))
        assert [(row["id"], row["content"]) for row in found] == [(m.id, m.text) for m in messages]

    for n in range(4):
        graph.invoke({"messages": [HumanMessage(f"question {n}", id=f"h{n}")]}, config)
        same()
    graph.update_state(config, {"messages": [HumanMessage("edited", id="h1"), RemoveMessage(id="h2")]})
    same()
    assert [row["role"] for row in reader.messages(person, thread_id)] == [
        "user", "assistant", "user", "assistant", "assistant", "user", "assistant",
    ]  # fmt: skip
    graph.invoke({"messages": [HumanMessage("after that", id="h9")]}, config)
    same()
    # A branch from an earlier checkpoint is the conversation from then on.
    fork = next(s for s in graph.get_state_history(config) if len(s.values["messages"]) == 2 and not s.next)
    graph.invoke({"messages": [HumanMessage("another way", id="b")]}, fork.config)
    same()
    assert [row["content"] for row in reader.messages(person, thread_id)][2:] == ["another way", "re: another way"]
    saver.copy_thread(thread_id, f"{thread_id} copy")
    copied = reader.messages(person, f"{thread_id} copy")
    assert [row["content"] for row in copied] == [row["content"] for row in reader.messages(person, thread_id)]
    saver.prune([thread_id])
    same()


def test_only_the_channel_messages_of_the_root_graph_is_a_conversation(
    saver: GovernedPostgresSaver, person: Principal, reader: Reader
) -> None:
    said = HumanMessage("said", id="1")
    others = {"before": [AIMessage("other", id="2")], "messages": [said], "after": {"x": [AIMessage("other", id="3")]}}
    thread_id = stored(saver, others)
    inner: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": "sub:1"}}
    values = {"messages": [AIMessage("inside", id="4")]}
    checkpoint: Any = {**empty_checkpoint(), "channel_values": values, "channel_versions": {"messages": 1}}
    saver.put(inner, checkpoint, {}, {"messages": 1})
    latest = saver.get_tuple(config_of(thread_id))
    assert latest is not None
    saver.put_writes(latest.config, [("messages", [AIMessage("pending", id="5")])], "task")

    assert [row["content"] for row in reader.messages(person, thread_id)] == ["said"]
    without: list[Any] = [[], "text", {"a": [said]}, said]
    for value in without:
        assert reader.messages(person, stored(saver, {"messages": value})) == []
    assert reader.messages(person, stored(saver, {"others": [said]})) == []


def test_messages_tell_who_said_what_and_by_which_model(
    saver: GovernedPostgresSaver, person: Principal, reader: Reader
) -> None:
    # LangChain's `.text` is not quite a text.
    sql = HumanMessage("select 1").text
    call: Any = {"name": "query", "args": {"sql": sql}, "id": "c", "type": "tool_call"}
    messages = [
        SystemMessage("be brief", id="s"),
        HumanMessage([{"type": "text", "text": "two "}, "parts", {"type": "image_url", "image_url": {"url": "x"}}]),
        AIMessage("", tool_calls=[call], response_metadata={"model_name": "gpt"}, id="a"),
        ToolMessage("1 row", tool_call_id="c", name="query", id="t"),
        AIMessageChunk(content="It is 1.", response_metadata={"model": "llama"}),
        ChatMessage(content="hm", role="critic"),
        ChatMessage(content="I see", role="assistant"),
    ]
    found = reader.messages(person, stored(saver, {"messages": messages}))

    told = [(row["id"], row["role"], row["content"], row["tool_name"], row["tool_call_id"]) for row in found]
    assert told == [
        ("s", "system", "be brief", None, None),
        (None, "user", "two parts", None, None),
        ("a", "assistant", "", None, None),
        ("t", "tool", "1 row", "query", "c"),
        (None, "assistant", "It is 1.", None, None),
        (None, "system", "hm", None, None),
        (None, "assistant", "I see", None, None),
    ]
    assert [row["arguments"] for row in found] == [None, None, None, {"sql": "select 1"}, None, None, None]
    assert [row["model"] for row in found] == [None, None, "gpt", None, "llama", None, None]
    assert {(row["owner"], row["withheld"], row["note"], tuple(row["sources"])) for row in found} == {
        (person.name, False, None, ())
    }
    [now] = reader.read(person, "select now() as now")
    assert all(0 <= (now["now"] - row["created_at"]).total_seconds() < 60 for row in found)


def asked(call_id: str | None, *numbers: int) -> AIMessage:
    return AIMessage(
        "", tool_calls=[{"name": "count", "args": {"n": n}, "id": call_id, "type": "tool_call"} for n in numbers]
    )


def test_tool_calls_have_the_results_that_came_of_them(
    saver: GovernedPostgresSaver, person: Principal, reader: Reader
) -> None:
    # given a model that numbers its calls anew in every turn
    messages = [
        asked("1", 10),
        ToolMessage("ten", tool_call_id="1"),
        asked("1", 20),
        asked("2", 30),
        ToolMessage("thirty", tool_call_id="2", status="error"),
        ToolMessage("twenty", tool_call_id="1"),
        ToolMessage("nobody asked", tool_call_id="3"),
        asked("1", 40),
        asked("9", 50, 60),
        ToolMessage("sixty", tool_call_id="9"),
        asked(None, 70),
    ]
    thread_id = stored(saver, {"messages": messages})
    found = reader.read(
        person, "select * from mooring.tool_calls where thread_id = %s order by position, arguments", thread_id
    )
    assert [(row["arguments"]["n"], row["result"], row["status"], row["position"]) for row in found] == [
        (10, "ten", "success", 0),
        (20, "twenty", "success", 2),
        (30, "thirty", "error", 3),
        (40, None, "pending", 7),
        (50, None, "pending", 8),
        (60, "sixty", "success", 8),
        (70, None, "pending", 10),
    ]
    results = [row["arguments"] for row in reader.messages(person, thread_id) if row["role"] == "tool"]
    assert results == [{"n": 10}, {"n": 30}, {"n": 20}, None, {"n": 60}]


def test_sessions_are_those_that_the_saver_lists(
    lakehouse: Database, saver: GovernedPostgresSaver, person: Principal, reader: Reader
) -> None:
    names = [stored(saver, {"messages": [HumanMessage("hello")]}) for _ in range(3)]
    saver.rename(names[0], "a title")
    assert lakehouse.admin is not None
    with administration.connect(lakehouse.admin) as administrator:
        administrator.hold(person.name, names[1], reason="a case")
        found = reader.read(person, "select * from mooring.sessions order by updated_at desc")
        administrator.release(person.name, names[1])
    held = [row.pop("held") for row in found]

    assert [row["thread_id"] for row, is_held in zip(found, held, strict=True) if is_held] == [names[1]]
    listed = [(s.thread_id, s.owner, s.title, s.created_at, s.updated_at, s.checkpoints) for s in saver.sessions()]
    columns = ("thread_id", "owner", "title", "created_at", "updated_at", "checkpoints")
    assert [tuple(row[name] for name in columns) for row in found] == listed


def test_the_queries_in_the_documentation_run(lakehouse: Database) -> None:
    text = (Path(__file__).parents[2] / "docs" / "transcripts.md").read_text("utf-8")
    queries = re.findall(r"^```sql\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)
    assert queries
    with psycopg.connect(lakehouse.login("alice"), autocommit=True) as alice:
        for query in queries:
            alice.execute(query.encode())
        for view, columns in re.findall(r"^\| `(mooring\.\w+)` \|.*?\| `(.+?)`", text, re.MULTILINE):
            described = alice.execute(f"select * from {view} limit 0".encode()).description
            assert described is not None
            assert [column.name for column in described] == columns.split(", ")


class Backwards:
    """A cipher, as far as SQL can tell."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Return the cipher's name and what it makes of a text."""
        return "backwards", plaintext[::-1]

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Return the text again."""
        return ciphertext[::-1]


def test_nothing_can_be_read_in_sql_under_an_encrypting_serializer(
    lakehouse: Database, person: Principal, reader: Reader
) -> None:
    serde = EncryptedSerializer(Backwards())
    with saver_of(lakehouse, person, serde=serde) as saver:
        thread_id = stored(saver, {"messages": [HumanMessage("secret", id="1"), AIMessage("so", id="2")]})
        assert [message.text for message in state(saver, thread_id)] == ["secret", "so"]
    found = reader.messages(person, thread_id)
    assert [(row["content"], row["withheld"], row["note"] is None) for row in found] == [(None, False, False)] * 2


ODD: list[BaseMessage] = [
    HumanMessage("nul \x00 inside", id="nul \x00 id"),
    HumanMessage("\\u0000 is written \\\\u0000, \\\x00 and \\\\\x00"),
    HumanMessage("\ud800 alone, \udc00 alone, \ud800\ud800\udc00\udc00 and \\ud800\udc00"),
    HumanMessage("\U0001f6f6 and \ud800"),
    HumanMessage(["\x00", {"type": "text", "text": "\udfff"}, {"type": "text", "text": 7}, {"type": "audio"}]),
    AIMessage("huge", additional_kwargs={"n": 10**4000, "m": -1e308, "k": {"\x00": "\x00"}}),
    AIMessage(
        "", tool_calls=[{"name": "q\x00", "args": {"a": "\x00", "\ud800": 1}, "id": "c\x00", "type": "tool_call"}]
    ),
    ToolMessage("result \x00", tool_call_id="c\x00", name="q\x00"),
]


def test_a_text_that_sql_cannot_hold_is_shown_without_it(
    saver: GovernedPostgresSaver, person: Principal, reader: Reader
) -> None:
    thread_id = stored(saver, {"messages": ODD})
    found = reader.messages(person, thread_id)
    assert [row["content"] for row in found] == [plain(m.text) for m in state(saver, thread_id)]
    assert [row["id"] for row in found][:1] == ["nul \ufffd id"]
    assert {row["note"] for row in found} == {None}
    [call] = reader.read(person, "select * from mooring.tool_calls where thread_id = %s", thread_id)
    assert (call["name"], call["result"]) == ("q\ufffd", "result \ufffd")
    assert call["arguments"] == {"a": "\ufffd", "\ufffd": 1}


def test_a_message_that_is_not_stored_as_text_is_noted(
    saver: GovernedPostgresSaver, person: Principal, reader: Reader
) -> None:
    inside = [AIMessage("tuple", additional_kwargs={"x": (1, 2)}), HumanMessage("after"), "a text", 7]
    found = reader.messages(person, stored(saver, {"messages": inside}))

    assert [row["content"] for row in found] == [None, "after", None]
    assert [row["role"] for row in found] == [None, "user", None]
    assert [row["note"] is None for row in found] == [False, True, False]


def test_a_text_that_is_no_json_fails_no_view(
    admin: psycopg.Connection, saver: GovernedPostgresSaver, person: Principal, reader: Reader
) -> None:
    thread_id = stored(saver, {"messages": [HumanMessage("one"), AIMessage("two"), HumanMessage("three")]})
    for position, text in enumerate(["not json", "[1, 2]", '"text"']):
        admin.execute(
            "update mooring.items set message = %s where owner = %s and position = %s",
            [text, person.name, (1 << 30) + position],
        )
    assert [row["content"] for row in reader.messages(person, thread_id)] == [None, None, None]
    assert reader.read(person, "select * from mooring.tool_calls") == []


@pytest.mark.parametrize(
    ("refs", "state"),
    [
        ("{2147483647,2147483647}", "\\x08000000010000000207"),
        ("{0,2147483647,null,5,-5,3,7}", "\\x08000000010000000707"),
        ("{0,1}", "\\x08ffffffff7fffffff07"),
        ("{0,1}", "\\x087fffffffffffffff07"),
        ("{}", "\\x08000000010000000207"),
        ("{0,1}", "\\x08"),
        ("{0,1}", "\\x"),
    ],
)
def test_references_that_lead_nowhere_fail_no_view(
    admin: psycopg.Connection, saver: GovernedPostgresSaver, person: Principal, reader: Reader, refs: str, state: str
) -> None:
    stored(saver, {"messages": [HumanMessage("one", id="1")]})
    admin.execute(
        "update mooring.checkpoints set refs = %s::int[], state = %s::bytea where owner = %s",
        [refs, state, person.name],
    )
    for view in ("messages", "tool_calls", "sessions"):
        assert len(reader.read(person, f"select * from mooring.{view}")) <= 1


TEXTS = st.text(st.characters(), max_size=40) | st.text(st.sampled_from("\\\x00\ud800\udc00u0\"'{x"), max_size=12)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXTS | st.just((1, 2)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CONTENTS = TEXTS | st.lists(
    TEXTS
    | st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS | st.integers()})
    | st.fixed_dictionaries({"type": st.sampled_from(["image", "\x00"]), "x": JSONS}),
    max_size=3,
)
IDS = st.none() | TEXTS
CALLS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXTS, "args": st.dictionaries(TEXTS, JSONS, max_size=2), "id": IDS, "type": st.just("tool_call")}
    ),
    max_size=2,
)
MESSAGES = (
    st.builds(HumanMessage, content=CONTENTS, id=IDS, additional_kwargs=st.dictionaries(TEXTS, JSONS, max_size=2))
    | st.builds(AIMessage, content=CONTENTS, id=IDS, tool_calls=CALLS)
    | st.builds(ToolMessage, content=CONTENTS, id=IDS, tool_call_id=TEXTS)
    | st.builds(ChatMessage, content=CONTENTS, role=TEXTS)
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(MESSAGES, max_size=5))
@example(messages=[HumanMessage(["\ud800", "\udc00"], id="1")])
def test_the_views_stand_every_message_and_show_the_text_of_the_state(
    saver: GovernedPostgresSaver, person: Principal, reader: Reader, messages: list[BaseMessage]
) -> None:
    try:
        thread_id = stored(saver, {"messages": messages})
    except UnserializableError:
        reject()
    found = reader.messages(person, thread_id)
    read = state(saver, thread_id)

    assert [(row["content"], row["id"]) for row in found if row["note"] is None] == [
        (shown(m), plain(m.id)) for m, row in zip(read, found, strict=True) if row["note"] is None
    ]
    calls = reader.read(person, "select * from mooring.tool_calls where thread_id = %s", thread_id)
    assert len(calls) == sum(
        len(m.tool_calls) for m, row in zip(read, found, strict=True) if isinstance(m, AIMessage) and not row["note"]
    )
