"""Tools of a workspace, called as the graph calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from tests.databricks.warehouse import WAREHOUSE
from tools.unity import UnityCatalog
from tools.workspace import Access

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from tests.databricks.stand_in import StandIn


def access(stand_in: StandIn, user: str, scopes: set[str] | None = None) -> Access:
    """What a user's tools work with, whose token has these scopes or all."""
    client = stand_in.client(user, scopes)
    return Access(client, user, UnityCatalog(client, WAREHOUSE).statements)


def call(tool: BaseTool, **arguments: Any) -> ToolMessage:
    """Call a tool in a graph."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([tool]))
    builder.add_edge(START, "tools")
    asked = AIMessage("", tool_calls=[{"id": "1", "name": tool.name, "args": arguments}])
    said = builder.compile().invoke({"messages": [asked]})["messages"][-1]
    assert isinstance(said, ToolMessage)
    assert (said.tool_call_id, said.name) == ("1", tool.name)
    return said
