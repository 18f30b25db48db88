"""What the tools of a workspace work with, and how they are made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import ToolRuntime

from tools.catalog import Limits
from tools.errors import QueryRefusedError, TableNotFoundError
from tools.messages import Said, message_of
from tools.unity.guard import table_name
from tools.unity.sources import is_possible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from databricks.sdk import WorkspaceClient

    from tools.unity.guard import Name
    from tools.unity.statements import Statements

# What every provider of models takes for a tool's name.
_LONGEST_NAME = 64
_LONGEST_DESCRIPTION = 1000
# What LangChain passes to every tool by these names.
_TAKEN = {"callbacks", "config", "run_manager", "runtime"}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Access:
    """One caller: the client with their credentials, their name as the workspace tells it, and what runs statements.

    Whatever a tool waits for ends with `statements.cancel()`.
    """

    client: WorkspaceClient = field(repr=False)
    user: str
    statements: Statements
    limits: Limits = field(default_factory=Limits)


def workspace_tool(
    name: str, description: str, schema: dict[str, Any], work: Callable[[dict[str, Any]], Said]
) -> BaseTool:
    """Return a tool whose arguments are of a JSON schema, and whose result is what the work says.

    The work may raise CatalogError, which is told in its sentence.

    Raises:
        QueryRefusedError: It has a parameter that cannot be given.
    """
    if taken := sorted(_TAKEN & set(schema.get("properties", {}))):
        raise QueryRefusedError(f"{name} cannot be a tool: its parameter {taken[0]} is called as one of every tool's.")

    def call(runtime: ToolRuntime[Any, Any], **arguments: Any) -> ToolMessage:
        return message_of(name, runtime.tool_call_id, lambda: work(arguments))

    told = description if len(description) <= _LONGEST_DESCRIPTION else f"{description[:_LONGEST_DESCRIPTION]}..."
    return StructuredTool(name=name, description=told, args_schema=schema, func=call)


def tool_name(kind: str, parts: Sequence[str]) -> str:
    """Return a tool's name: of what kind it is, and as much of the end of a thing's name as fits."""
    rest = _NOT_IN_NAMES.sub("_", "_".join(parts)).strip("_")
    return f"{kind}_{rest[-(_LONGEST_NAME - len(kind) - 1) :]}"


def full_name(text: str, what: str) -> Name:
    """Split the name of something in Unity Catalog.

    Raises:
        TableNotFoundError: It is none.
    """
    parts = table_name(text)
    if len(parts) != 3 or not all(map(is_possible, parts)):
        raise TableNotFoundError(f"{text!r} is not the name of {what}, as catalog.schema.name.")
    return parts[0], parts[1], parts[2]


def text_of(arguments: dict[str, Any], name: str) -> str:
    """Return an argument that is a text.

    Raises:
        QueryRefusedError: It is missing, or no text, or there are others.
    """
    value = arguments.get(name)
    if set(arguments) != {name} or not isinstance(value, str) or not value.strip():
        raise QueryRefusedError(f"Nothing was asked: the tool takes one argument, {name}, a text.")
    return value
