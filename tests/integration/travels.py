"""A graph with what a thread can hold: messages, parallel tasks, a subgraph, an interrupt, a failure, a fork."""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send, interrupt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

BROKEN = {"harbour": False}


class Travels(MessagesState):
    visits: Annotated[list[str], add]
    approved: str


class Stop(MessagesState):
    place: str


@dataclass
class Ticket:
    """A type that nobody may rebuild unasked."""

    seat: int


def book(state: Travels) -> dict[str, Any]:
    return {"messages": [AIMessage(f"booked: {state['messages'][-1].text}", id=f"b{len(state['messages'])}")]}


def places(state: Travels) -> list[Send]:
    return [Send("visit", {"place": place, "messages": []}) for place in ("pier", "harbour", "quay")]


def visit(state: Stop) -> dict[str, Any]:
    if state["place"] == "harbour" and BROKEN["harbour"]:
        raise RuntimeError("the harbour is closed")
    return {"visits": [state["place"]]}


def ask(state: Travels) -> dict[str, Any]:
    if "ask" not in state["messages"][-2].text:
        return {"approved": "unasked"}
    return {"approved": interrupt({"question": "really?", "visits": state["visits"]})}


def travels(saver: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    approval = StateGraph(Travels).add_node("ask", ask).add_edge(START, "ask").compile()
    builder = StateGraph(Travels).add_node("book", book).add_node("visit", visit).add_node("approval", approval)
    builder.add_edge(START, "book").add_conditional_edges("book", places, ["visit"]).add_edge("visit", "approval")
    return builder.compile(checkpointer=saver)


def joined(logged: list[str], more: Sequence[list[str]]) -> list[str]:
    return [*logged, *(entry for entries in more for entry in entries)]


class Log(MessagesState):
    log: Annotated[list[str], DeltaChannel(joined, list, snapshot_frequency=3)]


def logger(saver: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph whose log is kept by its changes."""

    def note(state: Log) -> dict[str, Any]:
        return {"log": [f"saw {state['messages'][-1].text} after {len(state['log'])}"]}

    return StateGraph(Log).add_node("note", note).add_edge(START, "note").compile(checkpointer=saver)


def said(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text, id=f"h-{text}")]}
