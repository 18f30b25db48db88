"""Four graphs, each once with ordinary channels and once with a `DeltaChannel` for what grows.

A   one node and two messages of 1 kB a turn, as chatbots have them
B   a tool-calling agent: model, tools, model, with tool results of 20 kB
C   a dict of 50 files of 4 kB, of which each turn rewrites one
D   a fan-out of 50 parallel tasks, each of which adds 1 kB

Nodes are as good as free, so that what a turn takes is LangGraph's own work and the saver's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import _messages_delta_reducer
from langgraph.types import Send

from tests.benchmarks.words import text

SNAPSHOT_FREQUENCY = 100
FILES = 50
TASKS = 50


@dataclass(frozen=True)
class Workload:
    """A graph, what goes into its n-th turn, and how many turns its size is measured after."""

    name: str
    about: str
    turns: int
    build: Callable[[bool], StateGraph[Any, Any, Any, Any]]
    question: Callable[[int], Any]


def _files(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    return {**old, **new}


def _all_files(state: dict[str, str], writes: list[dict[str, str]]) -> dict[str, str]:
    merged = dict(state)
    for write in writes:
        merged.update(write)
    return merged


def _all_results(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*state, *(each for write in writes for each in write)]


class DeltaChat(TypedDict):
    messages: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer, snapshot_frequency=SNAPSHOT_FREQUENCY)]


class Folder(TypedDict):
    edit: int
    files: Annotated[dict[str, str], _files]


class DeltaFolder(TypedDict):
    edit: int
    files: Annotated[dict[str, str], DeltaChannel(_all_files, dict, snapshot_frequency=SNAPSHOT_FREQUENCY)]


class Crowd(TypedDict):
    round: int
    results: Annotated[list[str], operator.add]


class DeltaCrowd(TypedDict):
    round: int
    results: Annotated[list[str], DeltaChannel(_all_results, list, snapshot_frequency=SNAPSHOT_FREQUENCY)]


def _ask(turn: int) -> Any:
    return {"messages": [HumanMessage(text(f"question {turn}", 1000), id=f"question-{turn}")]}


def _chat(delta: bool) -> StateGraph[Any, Any, Any, Any]:
    def bot(state: Any) -> Any:
        said = len(state["messages"])
        return {"messages": [AIMessage(text(f"answer {said}", 1000), id=f"answer-{said}")]}

    builder: Any = StateGraph(DeltaChat if delta else MessagesState)
    return builder.add_node("bot", bot).add_edge(START, "bot").add_edge("bot", END)  # type: ignore[no-any-return]


def _agent(delta: bool) -> StateGraph[Any, Any, Any, Any]:
    def model(state: Any) -> Any:
        said = len(state["messages"])
        if isinstance(state["messages"][-1], ToolMessage):
            return {"messages": [AIMessage(text(f"answer {said}", 1000), id=f"answer-{said}")]}
        call = {"name": "query", "args": {"sql": text(f"sql {said}", 200)}, "id": f"call-{said}"}
        return {"messages": [AIMessage("", tool_calls=[call], id=f"thought-{said}")]}

    def tools(state: Any) -> Any:
        call = state["messages"][-1].tool_calls[0]["id"]
        return {"messages": [ToolMessage(text(call, 20_000), tool_call_id=call, id=f"result-of-{call}")]}

    def follows(state: Any) -> str:
        return "tools" if state["messages"][-1].tool_calls else END

    builder: Any = StateGraph(DeltaChat if delta else MessagesState)
    builder.add_node("model", model).add_node("tools", tools).add_edge(START, "model").add_edge("tools", "model")
    return builder.add_conditional_edges("model", follows, ["tools", END])  # type: ignore[no-any-return]


def _open_file(turn: int) -> Any:
    if turn == 0:
        return {"edit": 0, "files": {f"folder/file-{n}.md": text(f"file {n}", 4000) for n in range(FILES)}}
    return {"edit": turn}


def _editor(delta: bool) -> StateGraph[Any, Any, Any, Any]:
    def edit(state: Any) -> Any:
        number = state["edit"]
        return {"files": {f"folder/file-{number % FILES}.md": text(f"edit {number}", 4000)}}

    builder: Any = StateGraph(DeltaFolder if delta else Folder)
    return builder.add_node("edit", edit).add_edge(START, "edit").add_edge("edit", END)  # type: ignore[no-any-return]


def _crowd(delta: bool) -> StateGraph[Any, Any, Any, Any]:
    def work(job: Any) -> Any:
        return {"results": [text(f"result {job['round']} {job['number']}", 1000)]}

    def plan(state: Any) -> list[Send]:
        return [Send("work", {"round": state["round"], "number": number}) for number in range(TASKS)]

    builder: Any = StateGraph(DeltaCrowd if delta else Crowd)
    builder.add_node("work", work).add_conditional_edges(START, plan, ["work"])
    return builder.add_edge("work", END)  # type: ignore[no-any-return]


CHAT = Workload("A", "one node, two messages of 1 kB a turn", 200, _chat, _ask)
AGENT = Workload("B", "a tool-calling agent, tool results of 20 kB", 40, _agent, _ask)
EDITOR = Workload("C", "50 files of 4 kB, one edited a turn", 100, _editor, _open_file)
CROWD = Workload("D", "a fan-out of 50 parallel tasks", 10, _crowd, lambda turn: {"round": turn})
