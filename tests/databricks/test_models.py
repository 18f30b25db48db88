"""Models of serving endpoints through the real ChatDatabricks: called as the caller, patient, and clear in refusals."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from agent.errors import CallerError
from agent.models import ModelError, load_model
from tests.databricks.serving import ENDPOINT, tool_call
from tools import catalog_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.language_models import BaseChatModel

    from tests.databricks.stand_in import StandIn

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 13), reason="databricks-langchain is not for this Python")
NAME = f"databricks:{ENDPOINT}"
PATH = "/serving-endpoints/"


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """Models whose connections are closed after the test."""
    models: list[Any] = []
    yield models
    for model in models:
        model.client.close()


@pytest.fixture
def model_of(stand_in: StandIn, opened: list[Any]) -> Callable[..., BaseChatModel]:
    """Make a model that is called as a user, whose token has these scopes or all."""

    def make(user: str, scopes: set[str] | None = None, name: str = NAME) -> BaseChatModel:
        opened.append(load_model(name, stand_in.client(user, scopes)))
        return opened[-1]  # type: ignore[no-any-return]

    return make


def test_each_model_is_called_as_its_caller(
    stand_in: StandIn, model_of: Callable[..., BaseChatModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", stand_in.workspace.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", stand_in.workspace.token("service"))
    alice, bob = model_of("alice"), model_of("bob")
    assert [alice.invoke("hi").text, bob.invoke("hi").text, alice.invoke("hi").text] == [
        "Hello alice",
        "Hello bob",
        "Hello alice",
    ]
    assert [chunk.text for chunk in bob.stream("hi") if chunk.text] == ["Hello ", "bob"]
    assert stand_in.workspace.users() == {"alice", "bob"}


async def test_an_async_model_is_called_as_its_caller(
    model_of: Callable[..., BaseChatModel], opened: list[Any]
) -> None:
    alice = model_of("alice")
    assert (await alice.ainvoke("hi")).text == "Hello alice"
    assert "".join([chunk.text async for chunk in alice.astream("hi")]) == "Hello alice"
    await opened[-1].async_client.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called(stand_in: StandIn, model_of: Callable[..., BaseChatModel], streamed: bool) -> None:
    stand_in.serving.replies.append(tool_call("query", sql="select 1"))
    bound = model_of("alice").bind_tools(catalog_tools())
    if streamed:
        first, *rest = bound.stream([HumanMessage("how many?")])
        assert isinstance(first, AIMessageChunk)
        answer: Any = sum(rest, first)
    else:
        answer = bound.invoke([HumanMessage("how many?")])
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("query", {"sql": "select 1"})]
    [request] = stand_in.workspace.sent(PATH)
    assert [tool["function"]["name"] for tool in request.body["tools"]] == ["list_tables", "describe_table", "query"]


@pytest.mark.parametrize(("status", "code"), [(429, "REQUEST_LIMIT_EXCEEDED"), (503, "TEMPORARILY_UNAVAILABLE")])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_busy_endpoint_is_asked_again_when_it_says(
    stand_in: StandIn, model_of: Callable[..., BaseChatModel], status: int, code: str, streamed: bool
) -> None:
    stand_in.workspace.fail(PATH, status, code, "busy", retry_after=2)
    alice = model_of("alice")
    text = "".join(chunk.text for chunk in alice.stream("hi")) if streamed else alice.invoke("hi").text
    assert text == "Hello alice"
    first, second = stand_in.workspace.sent(PATH)
    assert 2 <= second.at - first.at < 4


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (400, "xyzzy", "The serving endpoint chat did not take the request: its model may lack tools"),
        (401, "xyzzy", "does not accept your login"),
        (403, "xyzzy", "may not be queried by you: ask its owner for CAN QUERY"),
        (403, "Provided OAuth token does not have required scopes: model-serving", "scope model-serving"),
        (404, "xyzzy", "does not exist"),
        (429, "xyzzy", "is busy: try again in a moment"),
        (502, "xyzzy", r"is not available \(HTTP 502\)"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal_says_what_to_do(
    stand_in: StandIn,
    model_of: Callable[..., BaseChatModel],
    status: int,
    message: str,
    said: str,
    streamed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)
    stand_in.workspace.fail(PATH, status, "CODE", message, times=9)
    alice = model_of("alice")
    with pytest.raises(ModelError, match=said) as told:
        list(alice.stream("hi")) if streamed else alice.invoke("hi")
    assert "xyzzy" not in str(told.value)


@pytest.mark.parametrize("breaks", [[], ['{"error": {"message": "xyzzy", "code": 500}}'], ["{xyzzy"]])
def test_an_answer_that_breaks_off_says_so_and_quotes_nothing(
    stand_in: StandIn, model_of: Callable[..., BaseChatModel], breaks: list[str]
) -> None:
    stand_in.serving.breaks = breaks
    said: list[str] = []
    with pytest.raises(ModelError, match="broke off in the middle of its answer: ask again") as told:
        said.extend(chunk.text for chunk in model_of("alice").stream("hi"))
    assert "".join(said) == "Hello "
    assert "xyzzy" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_missing_scope_is_named(stand_in: StandIn, model_of: Callable[..., BaseChatModel]) -> None:
    with pytest.raises(ModelError, match="was not given the scope model-serving, which"):
        model_of("alice", {"sql"}).invoke("hi")


def test_an_endpoint_that_is_not_there(stand_in: StandIn, model_of: Callable[..., BaseChatModel]) -> None:
    with pytest.raises(ModelError, match="elsewhere does not exist"):
        model_of("alice", name="databricks:elsewhere").invoke("hi")


def test_without_a_client_it_is_called_as_who_is_logged_in(
    stand_in: StandIn, opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CallerError, match="No login to Databricks"):
        load_model(NAME)
    monkeypatch.setenv("DATABRICKS_HOST", stand_in.workspace.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", stand_in.workspace.token("dora"))
    opened.append(load_model(NAME))
    assert opened[-1].invoke("hi").text == "Hello dora"
    monkeypatch.setenv("DATABRICKS_APP_NAME", "app")
    with pytest.raises(CallerError, match="the service's own"):
        load_model(NAME)


def test_prompts_and_tokens_are_not_logged(
    stand_in: StandIn, model_of: Callable[..., BaseChatModel], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model = model_of("alice")
    model.invoke("xyzzy")
    assert "/serving-endpoints/chat/completions" in caplog.text
    assert "xyzzy" not in caplog.text
    [request] = stand_in.workspace.sent(PATH)
    assert request.headers["Authorization"].rpartition("-")[2][:8] not in caplog.text + repr(model)
