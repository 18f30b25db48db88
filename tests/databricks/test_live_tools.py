"""What a true workspace offers beyond tables, where environment variables name it; docs/databricks.md says which."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.databricks.calling import call
from tools import CatalogError
from tools.unity import UnityCatalog
from tools.workspace import Access, function_tools, genie_tools, index_tools, seen_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.tools import BaseTool

    from agent.workspace import WorkspaceCaller


@pytest.fixture
def own(caller: WorkspaceCaller, setting: Callable[[str], str]) -> Access:
    statements = UnityCatalog(caller.client, setting("DATABRICKS_WAREHOUSE_ID")).statements
    return Access(caller.client, caller.principal.name, statements)


def told(own: Access, tool: BaseTool, **arguments: Any) -> dict[str, Any]:
    """Call a tool; what it says is labelled, and its caller sees each label as it was given, now."""
    said = call(tool, **arguments)
    assert said.status == "success", said.content
    labels = said.response_metadata["mooring"]["labels"]
    assert labels
    for source, fingerprint in labels:
        assert seen_by(own.client, lambda: own.user, source) == fingerprint
    content: dict[str, Any] = json.loads(str(said.content))
    return content


def test_a_function_is_called(own: Access, setting: Callable[[str], str]) -> None:
    [tool] = function_tools(own, setting("MOORING_LIVE_FUNCTION"))
    content = told(own, tool, **json.loads(setting("MOORING_LIVE_FUNCTION_ARGUMENTS")))
    assert content["columns"]
    assert content["row_count"] >= 1


def test_an_index_is_searched(own: Access, setting: Callable[[str], str]) -> None:
    [tool] = index_tools(own, setting("MOORING_LIVE_INDEX"))
    passages = told(own, tool, text="What is this about?")["passages"]
    assert passages
    assert all(isinstance(passage["score"], float) for passage in passages)


def test_a_genie_space_is_asked(own: Access, setting: Callable[[str], str]) -> None:
    [tool] = genie_tools(own, setting("MOORING_LIVE_GENIE_SPACE"))
    content = told(own, tool, question=setting("MOORING_LIVE_GENIE_QUESTION"))
    assert content["sql"]
    assert content["rows"]


def test_a_server_is_asked(own: Access, setting: Callable[[str], str]) -> None:
    from tools.workspace.servers import server_tools  # nothing else needs its package

    first = server_tools(own, setting("MOORING_LIVE_MCP_SERVER"))[0]
    assert told(own, first, **json.loads(setting("MOORING_LIVE_MCP_ARGUMENTS")))["text"]


def test_what_is_not_there_is_no_tool(own: Access, setting: Callable[[str], str]) -> None:
    from tools.workspace.servers import server_tools  # nothing else needs its package

    nothing = uuid4().hex
    schema = setting("MOORING_LIVE_TABLE").rpartition(".")[0]
    for makes, name in (
        (function_tools, f"{schema}.{nothing}"),
        (index_tools, f"{schema}.{nothing}"),
        (genie_tools, nothing),
        (server_tools, f"external/{nothing}"),
    ):
        with pytest.raises(CatalogError):
            makes(own, name)
