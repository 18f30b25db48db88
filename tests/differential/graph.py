"""A graph that does what its input says: work in parallel, call a subgraph, ask a person, fail, finish."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.pregel import _checkpoint
from langgraph.types import Send, interrupt
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from langgraph.checkpoint.base import BaseCheckpointSaver

Step = Literal["work", "sub", "ask", "fail"]
STEPS: tuple[Step, ...] = ("work", "sub", "ask", "fail")


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {**old, **new}


class State(TypedDict, total=False):
    plan: list[Step]
    messages: Annotated[list[AnyMessage], add_messages]
    files: Annotated[dict[str, Any], merged]
    doing: str | None


class Work(TypedDict):
    part: int
    of: int


def route(state: State) -> dict[str, Any]:
    plan = state.get("plan") or []
    return {"doing": plan[0] if plan else None, "plan": plan[1:]}


def chosen(state: State) -> Any:
    doing = state.get("doing")
    if doing == "work":
        said = len(state.get("messages") or [])
        return [Send("work", {"part": part, "of": said}) for part in range(3)]
    return doing or END


def work(given: Work) -> dict[str, Any]:
    name = f"a{given['of']}.{given['part']}"
    return {"messages": [AIMessage(f"part {given['part']}", id=name)], "files": {f"{given['part']}.txt": name * 9}}


def ask(state: State) -> dict[str, Any]:
    said = len(state.get("messages") or [])
    answer = interrupt({"question": f"sure, after {said}?"})
    return {"messages": [HumanMessage(str(answer), id=f"h{said}")]}


def fail(state: State) -> dict[str, Any]:
    msg = f"after {len(state.get('messages') or [])}"
    raise ValueError(msg)


def think(state: State) -> dict[str, Any]:
    return {"files": {"thoughts.txt": [len(state.get("messages") or []), "thought"]}}


def graph_of(saver: BaseCheckpointSaver[Any]) -> Any:
    """Compile it with a saver."""
    inner: Any = StateGraph(State)
    inner.add_node("think", think).add_node("ask", ask).add_edge(START, "think").add_edge("think", "ask")
    outer: Any = StateGraph(State)
    outer.add_node("route", route).add_edge(START, "route").add_conditional_edges("route", chosen, [*STEPS, END])
    outer.add_node("work", work).add_node("ask", ask).add_node("fail", fail).add_node("sub", inner.compile())
    for step in STEPS:
        outer.add_edge(step, "route")
    return outer.compile(checkpointer=saver)


@contextmanager
def numbered_ids(patch: pytest.MonkeyPatch, operation: int) -> Iterator[None]:
    """Number the checkpoints of an operation, so that two runs of it give the same ids to everything."""
    numbers = itertools.count(operation << 32)
    with patch.context() as patched:
        patched.setattr(_checkpoint, "uuid6", lambda **_: UUID(int=next(numbers)))
        yield
