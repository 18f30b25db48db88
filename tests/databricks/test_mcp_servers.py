"""Managed MCP servers as tools: asked as the caller at every request, and what they say is the caller's own."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.databricks.calling import access, call
from tests.databricks.servers import EXTERNAL, FUNCTIONS
from tools import (
    AccessDeniedError,
    CatalogError,
    CatalogUnavailableError,
    Limits,
    QueryRefusedError,
    TableNotFoundError,
)
from tools.workspace import Access
from tools.workspace.servers import server_tools

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from tests.databricks.stand_in import StandIn

WHOSE = "mcp_functions_lakehouse_bakehouse_lakehouse__bakehouse__whose"


def tools_of(own: Access, server: str = FUNCTIONS) -> dict[str, BaseTool]:
    return {tool.name.removeprefix("mcp_functions_lakehouse_bakehouse_"): tool for tool in server_tools(own, server)}


def test_all_pages_of_its_tools_are_tools(stand_in: StandIn) -> None:
    first, *rest = server_tools(access(stand_in, "alice"), FUNCTIONS)
    assert (first.name, first.description) == (WHOSE, "Says who asks")
    assert first.args_schema == stand_in.servers.tools[0]["inputSchema"]
    assert [tool.name.rpartition("_")[2] for tool in rest] == ["broken", "slow"]


def test_every_request_carries_the_callers_token(stand_in: StandIn) -> None:
    said = call(tools_of(access(stand_in, "alice"))["lakehouse__bakehouse__whose"], text="hello")
    assert json.loads(str(said.content)) == {"text": "hello, alice", "truncated": False}
    assert len(stand_in.workspace.sent("/api/2.0/mcp/")) > 4
    assert {request.user for request in stand_in.workspace.sent("/api/2.0/mcp/")} == {"alice"}


def test_two_at_once_never_swap(stand_in: StandIn) -> None:
    both = threading.Barrier(2)

    def answered(user: str) -> set[str]:
        tool = tools_of(access(stand_in, user))["lakehouse__bakehouse__whose"]
        both.wait(30)
        return {json.loads(str(call(tool, text="hi").content))["text"] for _ in range(4)}

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(answered, ("alice", "bob"))) == [{"hi, alice"}, {"hi, bob"}]


@pytest.mark.parametrize("server", [FUNCTIONS, EXTERNAL])
def test_what_it_says_is_the_readers_own_while_they_may_use_it(stand_in: StandIn, server: str) -> None:
    tool = server_tools(access(stand_in, "alice"), server)[0]
    said = call(tool, text="hello")
    assert said.response_metadata["sources"] == [f"mcp {server}"]
    [(source, fingerprint)] = said.response_metadata["mooring"]["labels"]
    assert fingerprint.endswith("~")
    assert stand_in.seen_by("alice", source) == fingerprint
    assert stand_in.seen_by("bob", source) not in (None, fingerprint)
    stand_in.servers.refused.add("alice")
    assert stand_in.seen_by("alice", source) is None


def test_what_it_says_of_a_failure_is_labelled_as_well(stand_in: StandIn) -> None:
    said = call(tools_of(access(stand_in, "alice"))["broken"], text="xyzzy")
    assert (said.status, str(said.content)) == ("error", "The tool did not succeed: xyzzy, alice")
    assert said.response_metadata["mooring"]["labels"]


def test_long_answers_are_cut(stand_in: StandIn) -> None:
    own = access(stand_in, "alice")
    tool = tools_of(Access(own.client, own.user, own.statements, Limits(bytes=8)))["lakehouse__bakehouse__whose"]
    assert json.loads(str(call(tool, text="hello hello").content)) == {"text": "hello he", "truncated": True}


def test_a_call_can_be_cancelled(stand_in: StandIn) -> None:
    own = access(stand_in, "alice")
    tool = tools_of(own)["slow"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, tool, text="hello")
        assert stand_in.servers.slow.wait(10)
        own.statements.cancel()
        said = waiting.result(10)
        stand_in.servers.over.set()
    assert str(said.content) == f"The call of the server {FUNCTIONS} was cancelled."


@pytest.mark.parametrize(
    ("user", "server", "kind", "why"),
    [
        ("carol", FUNCTIONS, AccessDeniedError, "does not have USE"),
        ("alice", "functions/lakehouse/nothing", CatalogUnavailableError, "There is no MCP server"),
        ("alice", "https://elsewhere.example.com/mcp", TableNotFoundError, "is not a managed MCP server"),
        ("alice", "functions/../../x", TableNotFoundError, "is not a managed MCP server"),
        ("alice", "sql", TableNotFoundError, "is not a managed MCP server"),
    ],
)
def test_what_cannot_be_had(stand_in: StandIn, user: str, server: str, kind: type[CatalogError], why: str) -> None:
    with pytest.raises(kind, match=why):
        server_tools(access(stand_in, user), server)


def test_a_parameter_that_cannot_be_given(stand_in: StandIn) -> None:
    stand_in.servers.tools[0]["inputSchema"] = {"type": "object", "properties": {"config": {"type": "string"}}}
    with pytest.raises(QueryRefusedError, match="its parameter config"):
        server_tools(access(stand_in, "alice"), FUNCTIONS)


@pytest.mark.parametrize(
    ("status", "message", "why"),
    [
        (401, "", "does not accept your login"),
        (403, "Provided OAuth token does not have required scopes: mcp.functions", "scope mcp.functions, which"),
        (429, "", r"not available \(HTTP 429\)"),
        (503, "", r"not available \(HTTP 503\)"),
    ],
)
def test_a_refusal_is_told_at_once(stand_in: StandIn, status: int, message: str, why: str) -> None:
    stand_in.workspace.fail("/api/2.0/mcp/", status, "CODE", message, times=9)
    with pytest.raises(CatalogError, match=why):
        server_tools(access(stand_in, "alice"), FUNCTIONS)


def test_a_missing_scope_is_named(stand_in: StandIn) -> None:
    with pytest.raises(AccessDeniedError, match=r"was not given the scope mcp\.functions, which"):
        server_tools(access(stand_in, "alice", {"sql", "unity-catalog"}), FUNCTIONS)


def test_a_redirect_takes_the_token_nowhere(stand_in: StandIn) -> None:
    stand_in.workspace.fail("/api/2.0/mcp/", 302, "MOVED", location="http://127.0.0.1:1/mcp")
    with pytest.raises(CatalogUnavailableError):
        server_tools(access(stand_in, "alice"), FUNCTIONS)


def test_no_token_and_no_answer_is_logged(stand_in: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    own = access(stand_in, "alice")
    call(tools_of(own)["lakehouse__bakehouse__whose"], text="xyzzy")
    [request, *_] = stand_in.workspace.sent("/api/2.0/mcp/")
    secret = request.headers["Authorization"].rpartition("-")[2]
    for shown in (caplog.text, repr(own)):
        assert secret[:8] not in shown
        assert "xyzzy" not in shown
