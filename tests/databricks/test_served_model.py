"""The model as Model Serving runs it, on Lakebase: who asks is answered as themselves, whatever happens meanwhile."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from mlflow.types.responses import ResponsesAgentRequest

from agent.serving import MooringAgent
from tests.databricks.lakebase import ENDPOINT as COMPUTE
from tests.databricks.serving import ENDPOINT, tool_call
from tests.databricks.warehouse import WAREHOUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.database import Database
    from tests.databricks.lakebase import Lakebase
    from tests.databricks.stand_in import StandIn

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 13), reason="databricks-langchain is not for this Python")
REVIEWS = "select count(*) as n from lakehouse.bakehouse.reviews"
USERS = [f"user{i}@example.com" for i in range(8)]
_invoker: ContextVar[str | None] = ContextVar("invoker", default=None)


@pytest.fixture
def login(lakehouse: Database) -> Callable[[str], str]:
    """Every second user reads what alice reads, and the others what bob does."""
    return lambda user: lakehouse.login("alice" if user in USERS[::2] else "bob")


@pytest.fixture
def model(stand_in: StandIn, lakebase: Lakebase, monkeypatch: pytest.MonkeyPatch) -> Iterator[MooringAgent]:
    """The model in its container, with the service's own credentials and a server that knows who invokes it."""
    known = ModuleType("mlflowserving.scoring_server.agent_utils")
    known.__dict__["fetch_obo_token"] = _invoker.get
    for name in ("mlflowserving", "mlflowserving.scoring_server"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, known.__name__, known)
    for name, value in {
        "IS_IN_DB_MODEL_SERVING_ENV": "true",
        "DATABRICKS_MODEL_SERVING_HOST_URL": stand_in.workspace.url,
        "DATABRICKS_HOST": stand_in.workspace.url,
        "DATABRICKS_TOKEN": stand_in.workspace.token("service"),
        "DATABRICKS_WAREHOUSE_ID": WAREHOUSE,
        "MOORING_MODEL": f"databricks:{ENDPOINT}",
        "MOORING_CATALOGS": "lakehouse",
        "LAKEBASE_ENDPOINT": COMPUTE,
        "PGPORT": str(lakebase.port),
        "PGDATABASE": "lakehouse",
    }.items():
        monkeypatch.setenv(name, value)
    stand_in.serving.rule = counts
    opened = MooringAgent()
    yield opened
    opened.close()


def counts(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Count the reviews, and say the number."""
    if messages[-1]["role"] != "tool":
        return tool_call("query", sql=REVIEWS)
    [[number]] = json.loads(messages[-1]["content"])["rows"]
    return {"role": "assistant", "content": f"There are {number}."}


def asked(model: MooringAgent, user: str, token: str, session: str) -> str:
    """Ask as whoever a token is of, and return what the model says."""
    _invoker.set(token)
    content = f"I am {user}. How many reviews?"
    given = {"input": [{"role": "user", "content": content}], "custom_inputs": {"thread_id": session}}
    response = model.predict(ResponsesAgentRequest.model_validate(given)).model_dump()
    said: str = response["output"][-1]["content"][0]["text"]
    return said


@contextmanager
def process_wide_tokens(tokens: list[str]) -> Iterator[None]:
    """Where the SDK looks when nothing else tells it whose a request is, somebody else's token comes and goes."""
    over = threading.Event()

    def change() -> None:
        while not over.is_set():
            for token in tokens:
                vars(threading.main_thread())["invokers_token"] = token
            time.sleep(0.0005)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        yield
    finally:
        over.set()
        changing.join()
        del vars(threading.main_thread())["invokers_token"]


def test_64_requests_of_8_users_at_once_are_each_answered_as_who_asks(
    stand_in: StandIn, lakebase: Lakebase, model: MooringAgent, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = {user: stand_in.workspace.token(user) for user in USERS}
    session = f"all-{uuid4().hex}"  # one name, and eight sessions

    with process_wide_tokens([*tokens.values()]), ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda user: asked(model, user, tokens[user], session), USERS))
        said += pool.map(lambda user: asked(model, user, tokens[user], f"{session}-{uuid4().hex}"), USERS * 7)

    assert Counter(said) == {"There are 240.": 32, said[1]: 32}
    assert said == [said[i % 2] for i in range(64)]
    for sent in stand_in.workspace.sent("/serving-endpoints/"):
        [words] = [each["content"] for each in sent.body["messages"] if each["role"] == "user"]
        assert str(sent.user) in str(words)
    for sent in stand_in.workspace.sent("/sql/statements$"):
        assert {"key": "principal", "value": sent.user} in sent.body["query_tags"]
    own = [each for each in stand_in.workspace.requests if each.user == "service"]
    assert {re.sub(r"/endpoints/.*", "", each.path) for each in own} <= {
        "/api/2.0/preview/scim/v2/Me",
        "/api/2.0/postgres/credentials",
        "/api/2.0/postgres/projects/harbour/branches/production",
        "/.well-known/databricks-config",
        "/oidc/.well-known/oauth-authorization-server",
    }
    assert {(login.user, login.encrypted, login.accepted) for login in lakebase.logins} == {("service", True, True)}
    for token in (*tokens.values(), *lakebase.minted):
        assert token[-12:] not in caplog.text


def test_a_token_expires_and_the_compute_suspends_in_the_middle_of_a_turn(
    stand_in: StandIn, lakebase: Lakebase, model: MooringAgent
) -> None:
    token, session = stand_in.workspace.token(USERS[0]), f"middle-{uuid4().hex}"
    lakebase.life = 2.0

    def meanwhile(messages: list[dict[str, Any]]) -> dict[str, Any]:
        lakebase.suspend()
        time.sleep(max(0.0, max(each.expires_at for each in lakebase.minted.values()) - time.time()))
        return counts(messages)

    stand_in.serving.rule = meanwhile
    assert asked(model, USERS[0], token, session) == "There are 240."
    before = len(lakebase.minted)
    assert asked(model, USERS[0], token, session) == "There are 240."
    assert len(lakebase.minted) > before >= 2
    assert all(login.accepted for login in lakebase.logins)
    last = stand_in.workspace.sent("/serving-endpoints/")[-1]
    assert [each["role"] for each in last.body["messages"]].count("user") == 2
