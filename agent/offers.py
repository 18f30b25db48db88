"""What a workspace offers a caller beyond tables, as far as the settings name it: tools with their credentials.

What is named and cannot be had (a scope is missing, it is not there, it is refused) is told in a line, and the chat
goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.scopes import TABLES
from tools import CatalogError

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from agent.settings import Settings
    from agent.workspace import WorkspaceCaller
    from tools.unity import UnityCatalog
    from tools.workspace import Access


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that settings name."""

    setting: str
    scopes: tuple[str, ...]
    """What a caller's token has to be allowed for it."""

    def scopes_for(self, name: str) -> tuple[str, ...]:
        """Return what it has to be allowed for one of them."""
        return self.scopes + _SERVERS.get(name.strip("/").partition("/")[0], ())


# By the kind of MCP server: to use it, and to ask whether its caller still may.
_SERVERS = {
    "external": ("mcp.external", "catalog.connections"),
    "functions": ("mcp.functions", "unity-catalog"),
    "genie": ("mcp.genie", "dashboards.genie"),
    "vector-search": ("mcp.vectorsearch", "unity-catalog"),
}

KINDS = {
    "function": Kind("functions", TABLES),
    "Genie space": Kind("genie_spaces", ("dashboards.genie", *TABLES)),
    "MCP server": Kind("mcp_servers", ()),
    "index": Kind("vector_indexes", ("unity-catalog", "vectorsearch.vector-search-indexes")),
}

# So many are asked about at once, when a session is opened.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that a setting names: its tools, or why there are none."""

    kind: str
    name: str
    tools: tuple[BaseTool, ...] = ()
    missing: str | None = None


def offered(settings: Settings, caller: WorkspaceCaller, catalog: UnityCatalog) -> list[Offer]:
    """Ask the workspace, as the caller, about all that the settings name; without any, nothing is imported for it."""
    named = list(_named(settings))
    if not named:
        return []
    from tools.workspace import Access, function_tools, genie_tools, index_tools  # its packages are optional

    access = Access(caller.client, caller.principal.name, catalog.statements)
    makers: dict[str, Callable[[Access, str], list[BaseTool]]] = {
        "function": function_tools,
        "index": index_tools,
        "Genie space": genie_tools,
        "MCP server": _server_tools,
    }

    def ask(kind: str, name: str) -> Offer:
        try:
            return Offer(kind, name, tuple(makers[kind](access, name)))
        except ImportError:
            return Offer(kind, name, missing="Its package is not installed: pip install 'mooring[databricks]'.")
        except CatalogError as error:
            return Offer(kind, name, missing=str(error))

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="offers") as pool:
        return _distinct(list(pool.map(lambda each: ask(*each), named)))


def tools_of(offers: list[Offer]) -> list[BaseTool]:
    """Return the tools that there are."""
    return [tool for offer in offers for tool in offer.tools]


def missing_of(offers: list[Offer]) -> list[str]:
    """Return a line for each that cannot be had."""
    return [f"Without the {each.kind} {each.name}: {each.missing}" for each in offers if each.missing is not None]


def scopes_of(settings: Settings) -> list[str]:
    """Return what a caller's token has to be allowed for what the settings name."""
    return sorted({scope for kind, name in _named(settings) for scope in KINDS[kind].scopes_for(name)})


def _named(settings: Settings) -> Iterator[tuple[str, str]]:
    for kind, each in KINDS.items():
        names = getattr(settings, each.setting).split(",")
        yield from ((kind, name.strip()) for name in names if name.strip())


def _server_tools(access: Access, server: str) -> list[BaseTool]:
    from tools.workspace.servers import server_tools  # nothing else needs its package

    return server_tools(access, server)


def _distinct(offers: list[Offer]) -> list[Offer]:
    """Leave out tools whose names others have: a model could not tell them apart."""
    taken: set[str] = set()
    kept = []
    for offer in offers:
        names = {tool.name for tool in offer.tools}
        if len(names) < len(offer.tools) or names & taken:
            kept.append(Offer(offer.kind, offer.name, missing="Its tools are called as others are."))
            continue
        taken |= names
        kept.append(offer)
    return kept
