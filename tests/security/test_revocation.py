"""What was read from a table is withheld from whoever may not read it any more, and comes back with the right."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.types import Send

from agent.conversation import ToolStarted
from checkpointer import GovernedPostgresSaver, acting_as
from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from agent.database import Database

TABLE = "select amount from {name}.sales"
VIEW = "select amount from {name}.seen"
POLICY = (
    "alter table {name}.sales enable row level security",
    "create policy filter on {name}.sales using (country = 'NL')",
)


@pytest.fixture
def scene(lakehouse: Database, admin: psycopg.Connection[Any]) -> Iterator[Scene]:
    with Scene(lakehouse, admin) as opened:
        yield opened


# Name, what is set up, what is asked, how the right is taken, and how it is given back.
CASES: list[tuple[str, tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "a grant",
        (),
        TABLE,
        ("revoke select on {name}.sales from {person}",),
        ("grant select on {name}.sales to {person}",),
    ),
    (
        "the schema",
        (),
        TABLE,
        ("revoke usage on schema {name} from {person}",),
        ("grant usage on schema {name} to {person}",),
    ),
    (
        "a group",
        (
            "revoke select on {name}.sales from {person}",
            "grant select on {name}.sales to {group}",
            "grant {group} to {person}",
        ),
        TABLE,
        ("revoke {group} from {person}",),
        ("grant {group} to {person}",),
    ),
    (
        "a column",
        ("revoke select on {name}.sales from {person}", "grant select (amount, country) on {name}.sales to {person}"),
        TABLE,
        ("revoke select (amount) on {name}.sales from {person}",),
        ("grant select (amount) on {name}.sales to {person}",),
    ),
    (
        "a policy that is changed",
        POLICY,
        TABLE,
        ("alter policy filter on {name}.sales using (country = 'DE')",),
        ("alter policy filter on {name}.sales using (country = 'NL')",),
    ),
    (
        "a policy that is added",
        (),
        TABLE,
        POLICY,
        ("drop policy filter on {name}.sales", "alter table {name}.sales disable row level security"),
    ),
    (
        "a policy for a group",
        (
            "alter table {name}.sales enable row level security",
            "create policy filter on {name}.sales to {group} using (true)",
            "grant {group} to {person}",
        ),
        TABLE,
        ("revoke {group} from {person}",),
        ("grant {group} to {person}",),
    ),
    (
        "a policy that looks at the person",
        (
            "alter table {name}.sales enable row level security",
            "create policy filter on {name}.sales using (seller = current_user)",
        ),
        TABLE,
        ("alter policy filter on {name}.sales using (country = 'DE' or seller = current_user)",),
        ("alter policy filter on {name}.sales using (seller = current_user)",),
    ),
    (
        "a view",
        (
            "revoke select on {name}.sales from {person}",
            "create view {name}.seen as select * from {name}.sales",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        ("revoke select on {name}.seen from {person}",),
        ("grant select on {name}.seen to {person}",),
    ),
    (
        "a view that shows something else",
        (
            "create view {name}.seen as select amount from {name}.sales",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        ("create or replace view {name}.seen as select amount from {name}.sales where country = 'DE'",),
        ("create or replace view {name}.seen as select amount from {name}.sales",),
    ),
    (
        "a table behind a view of the invoker's",
        (
            "create view {name}.seen with (security_invoker) as select * from {name}.sales",
            "grant select on {name}.seen to {person}",
        ),
        VIEW,
        ("revoke select on {name}.sales from {person}",),
        ("grant select on {name}.sales to {person}",),
    ),
    (
        "another table in its place",
        (),
        TABLE,
        (
            "alter table {name}.sales rename to old",
            "create table {name}.sales as select 1 as amount",
            "grant select on {name}.sales to {person}",
        ),
        ("drop table {name}.sales", "alter table {name}.old rename to sales"),
    ),
    (
        "a label that ran out",
        (
            "create table {name}.sellers as select '{person}' as login",
            "grant select on {name}.sellers to {person}",
            "alter table {name}.sales enable row level security",
            "create policy filter on {name}.sales using (exists (select from {name}.sellers s where s.login = seller))",
        ),
        TABLE,
        ("update mooring.labels set expires_at = expires_at - interval '2 days' where source like '%{name}.sales'",),
        ("update mooring.labels set expires_at = expires_at + interval '2 days' where source like '%{name}.sales'",),
    ),
]


@pytest.mark.parametrize(("setting", "question", "take", "give"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_may_not_be_read_any_more_is_withheld_until_it_may(
    scene: Scene, setting: tuple[str, ...], question: str, take: tuple[str, ...], give: tuple[str, ...]
) -> None:
    scene.run(*setting)
    assert FIGURE in scene.ask(question)
    before = scene.everything()
    assert all(FIGURE in str(seen) for seen in before.values())

    scene.run(*take)

    with GovernedPostgresSaver.from_conn_string(scene.lakehouse.runtime) as another:
        for saver in (scene.saver, another):
            for way, seen in scene.everything(saver).items():
                assert FIGURE not in str(seen), way
    scene.model.prompts.clear()
    assert FIGURE not in scene.ask("select 1")
    assert scene.model.prompts
    assert FIGURE not in str(scene.model.prompts)

    scene.run(*give)

    after = scene.everything()
    assert after["state"]["messages"][: len(before["state"]["messages"])] == before["state"]["messages"]
    assert after["history"][-len(before["history"]) :] == before["history"]
    assert set(before["sql"]) <= set(after["sql"])
    for view in ("messages", "tool calls"):
        assert after[view][: len(before[view])] == before[view]


def test_what_is_derived_from_a_label_that_runs_out_runs_out_with_it(scene: Scene) -> None:
    scene.run(
        "create table {name}.sellers as select '{person}' as login",
        "grant select on {name}.sellers to {person}",
        "alter table {name}.sales enable row level security",
        "create policy filter on {name}.sales using (exists (select from {name}.sellers s where s.login = seller))",
    )
    assert FIGURE in scene.ask(TABLE)
    place: Any = {"configurable": {"thread_id": scene.name, "checkpoint_ns": ""}}
    with acting_as(scene.principal):
        latest = scene.saver.get_tuple(place)
        assert latest is not None
        answer = latest.checkpoint["channel_values"]["messages"][-1]
        [[table, print_]] = [each for each in answer.response_metadata["mooring"]["labels"] if "sales" in each[0]]
        fingerprint, _, until = print_.partition("~")
        assert 24 * 3600 < int(until) - time.time() <= 25 * 3600

        def shown(deadline: int) -> str:
            marks = {"mooring": {"labels": [[table, f"{fingerprint}~{deadline}"]]}}
            message = AIMessage(FIGURE, id=str(deadline), response_metadata=marks)
            values: Any = {"channel_values": {"messages": [message]}, "channel_versions": {"messages": deadline}}
            stored = scene.saver.put(place, {**empty_checkpoint(), **values}, {}, {"messages": deadline})
            with GovernedPostgresSaver.from_conn_string(scene.lakehouse.runtime) as another:
                found = another.get_tuple(stored)
            assert found is not None
            return str(found.checkpoint["channel_values"]["messages"][0].content)

        # what is said later of what was read then has its end; one further away than any is not believed
        assert shown(int(until)) == FIGURE
        assert FIGURE not in shown(int(time.time()) - 1)
        assert shown(int(until) + 10**9) == FIGURE
    ends = scene.admin.execute("select distinct expires_at from mooring.labels where source = %s", [table]).fetchall()
    assert max(end for (end,) in ends).timestamp() == int(until)


def values(marks: dict[str, Any]) -> dict[str, Any]:
    """Return a state that holds the figure in every place that a state has, all of it labelled."""
    call: Any = {"name": "query", "args": {"amount": FIGURE}, "id": "1", "type": "tool_call"}
    return {
        "messages": [
            HumanMessage("how much?", id="1"),
            AIMessage(FIGURE, id="2", response_metadata=marks, tool_calls=[call]),
            ToolMessage(FIGURE, id="3", response_metadata=marks, tool_call_id="1", name="query"),
            AIMessage([{"type": "text", "text": FIGURE}], id="4", response_metadata=marks),
            AIMessage("x", id="5", response_metadata=marks, additional_kwargs={"no JSON": (FIGURE,)}),
        ],
        "files": {"a": "nothing", "b": {**marks, "text": FIGURE}, "c": ["nothing", {**marks, "text": FIGURE}]},
        "number": int(FIGURE),
        "short": FIGURE,
        "alone": AIMessage(FIGURE, id="6", response_metadata=marks),
        "sends": [Send("tools", [{**call, **marks}])],
        "marked": {**marks, "number": int(FIGURE), "rows": [[FIGURE], FIGURE], "text": FIGURE * 20},
        "queue": deque([{**marks, "text": FIGURE}]),
    }


# What a hook names the sources of is a list or a dict, and none of its parts.
WHOLE: list[dict[str, Any]] = [
    {"totals": {"amount": int(FIGURE)}},
    {"totals": {"by country": [int(FIGURE), "NL"]}},
    {"totals": [1, int(FIGURE)]},
    {"totals": [{"amount": int(FIGURE)}, "NL"]},
    {"totals": [HumanMessage(FIGURE, id="1")]},
]


@pytest.mark.parametrize("state", WHOLE, ids=str)
def test_what_a_hook_says_of_a_whole_list_or_dict_holds_for_its_parts(scene: Scene, state: dict[str, Any]) -> None:
    table = f"lakehouse.{scene.name}.sales"
    checkpoint: Any = {**empty_checkpoint(), "channel_values": state, "channel_versions": {"totals": 1}}
    place: Any = {"configurable": {"thread_id": scene.name, "checkpoint_ns": ""}}

    def sources_of(value: Any) -> list[str]:
        return [table] if value == state["totals"] else []

    with (
        GovernedPostgresSaver.from_conn_string(scene.lakehouse.runtime, sources_of=sources_of) as saver,
        acting_as(scene.principal),
    ):
        stored = saver.put(place, checkpoint, {}, {"totals": 1})
        saver.put_writes(stored, list(state.items()), "one")
    assert FIGURE in str(scene.everything())

    scene.run("revoke select on {name}.sales from {person}")

    assert FIGURE not in str(scene.everything())


@pytest.mark.parametrize("fresh", [False, True], ids=["the same process", "another process"])
def test_values_of_every_shape_are_withheld_stored_on_and_given_back(scene: Scene, fresh: bool) -> None:
    table = f"lakehouse.{scene.name}.sales"
    state = values({"mooring": {"labels": [[table, None]]}})
    versions: Any = dict.fromkeys(state, 1)
    checkpoint: Any = {**empty_checkpoint(), "channel_values": state, "channel_versions": versions}

    def sources_of(value: Any) -> list[str]:
        return [table] if type(value) in (int, str) and FIGURE in str(value) else []

    def opened() -> GovernedPostgresSaver:
        return GovernedPostgresSaver.from_conn_string(scene.lakehouse.runtime, sources_of=sources_of)

    place: Any = {"configurable": {"thread_id": scene.name, "checkpoint_ns": ""}}
    with opened() as saver, acting_as(scene.principal):
        stored = saver.put(place, checkpoint, {}, versions)
        saver.put_writes(stored, [("messages", state["messages"][1]), ("number", int(FIGURE))], "one")
        saver.put_writes(stored, [("__error__", ValueError(f"{FIGURE} is too much"))], "two")
    before = scene.everything()
    assert str(before).count(FIGURE) > 20

    scene.run("revoke select on {name}.sales from {person}")
    assert FIGURE not in str(scene.everything())

    with opened() as saver, acting_as(scene.principal):
        seen = saver.get_tuple(place)
        assert seen is not None
        shown = seen.checkpoint["channel_values"]
        assert [m.type for m in shown["messages"]] == [m.type for m in state["messages"]]
        assert shown["messages"][1].tool_calls == [{"name": "query", "args": {}, "id": "1", "type": "tool_call"}]
        assert shown["messages"][2].tool_call_id == "1"
        assert table in shown["messages"][3].text
        assert list(shown["files"]) == ["a", "b", "c"]
        again: Any = {**empty_checkpoint(), "channel_values": shown, "channel_versions": dict.fromkeys(state, 2)}
        if not fresh:
            saver.put(seen.config, again, {}, again["channel_versions"])
    if fresh:
        with opened() as saver, acting_as(scene.principal):
            saver.put(seen.config, again, {}, again["channel_versions"])
    assert FIGURE not in str(scene.everything())

    scene.run("grant select on {name}.sales to {person}")

    after = scene.everything()
    assert after["state"] == before["state"]
    assert after["history"][1] == before["history"][0]


def test_a_placeholder_cannot_be_forged_into_what_it_stands_for(scene: Scene) -> None:
    assert FIGURE in scene.ask(TABLE)
    scene.run("revoke select on {name}.sales from {person}")
    with acting_as(scene.principal):
        latest = scene.saver.get_tuple(scene.config)
        assert latest is not None
        held = [m for m in latest.checkpoint["channel_values"]["messages"] if "mooring" in m.response_metadata]
        withheld = [m for m in held if "withheld" in m.response_metadata["mooring"]]
        assert withheld
        for message in withheld:
            message.response_metadata["mooring"]["labels"] = []
        forged: Any = {
            **latest.checkpoint,
            "id": "forged",
            "channel_values": {
                "messages": [HumanMessage("mine", id="h", response_metadata=m.response_metadata) for m in withheld]
            },
        }
        scene.saver.put(latest.config, forged, {}, {"messages": 99})
        assert FIGURE not in str(scene.everything())


def test_a_turn_that_was_interrupted_goes_on_without_what_is_withheld(scene: Scene) -> None:
    scene.ask(TABLE)
    with scene.chat() as chat:
        # when the turn is given up after the model asked for a tool, whose call is stored and not yet run
        for event in chat.ask(f"select {FIGURE}"):
            if isinstance(event, ToolStarted):
                break
    scene.run("revoke select on {name}.sales from {person}")
    scene.model.prompts.clear()

    assert "2" in scene.ask("select 2")

    prompt = scene.model.prompts[-1]
    results = {m.tool_call_id for m in prompt if isinstance(m, ToolMessage)}
    assert {call["id"] for m in prompt if isinstance(m, AIMessage) for call in m.tool_calls} == results
