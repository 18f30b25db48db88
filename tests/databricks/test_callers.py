"""Who is calling, on each surface: their own token decides, no other one is ever sent, and none is shown."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from agent.errors import CallerError
from agent.workspace import apps_caller, default_caller, model_serving_caller
from tests.databricks.warehouse import WAREHOUSE
from tools.unity import UnityCatalog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databricks.stand_in import StandIn

USERS = [f"user{i}@example.com" for i in range(8)]
_current: ContextVar[str | None] = ContextVar("current", default=None)


@pytest.fixture
def ambient(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> str:
    """The service's own credentials, as its container has them."""
    token = stand_in.workspace.token("service")
    monkeypatch.setenv("DATABRICKS_HOST", stand_in.workspace.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", token)
    return token


@pytest.fixture
def serving(stand_in: StandIn, ambient: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Model Serving's environment, of an image that keeps the token where every thread sees it."""
    monkeypatch.setenv("IS_IN_DB_MODEL_SERVING_ENV", "true")
    monkeypatch.setenv("DATABRICKS_MODEL_SERVING_HOST_URL", stand_in.workspace.url)
    yield
    vars(threading.main_thread()).pop("invokers_token", None)


@pytest.fixture
def scoring_server(serving: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module of newer images, which knows the token of each request."""
    module = ModuleType("mlflowserving.scoring_server.agent_utils")
    module.__dict__["fetch_obo_token"] = _current.get
    for name in ("mlflowserving", "mlflowserving.scoring_server"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)


def invoked_by(token: str) -> None:
    vars(threading.main_thread())["invokers_token"] = token


def test_model_serving_keeps_the_token_of_the_request(stand_in: StandIn, serving: None) -> None:
    invoked_by(stand_in.workspace.token("alice"))
    alice = model_serving_caller()
    invoked_by(stand_in.workspace.token("bob"))
    bob = model_serving_caller()
    assert (alice.principal.name, bob.principal.name) == ("alice", "bob")
    assert alice.principal.groups == {"crew", "friends of alice"}
    assert alice.client.current_user.me().user_name == "alice"
    assert stand_in.workspace.users() == {"alice", "bob"}


def test_64_requests_of_8_users_at_once_never_swap_their_tokens(stand_in: StandIn, scoring_server: None) -> None:
    tokens = {user: stand_in.workspace.token(user) for user in USERS}
    over = threading.Event()

    def others() -> None:
        while not over.is_set():
            for token in tokens.values():
                invoked_by(token)
            time.sleep(0.0005)

    def predict(user: str) -> list[str]:
        _current.set(tokens[user])
        caller = model_serving_caller()
        _current.set(tokens[USERS[0]])  # what comes next on this thread is not ours
        return [caller.principal.name, *(str(caller.client.current_user.me().user_name) for _ in range(2))]

    racing = threading.Thread(target=others)
    racing.start()
    try:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(predict, USERS * 8))
    finally:
        over.set()
        racing.join()
    assert answers == [[user] * 3 for user in USERS * 8]
    assert stand_in.workspace.users() == set(USERS)


async def test_requests_in_tasks_never_swap_their_tokens(stand_in: StandIn, scoring_server: None) -> None:
    tokens = {user: stand_in.workspace.token(user) for user in USERS}

    async def predict(user: str) -> list[str]:
        _current.set(tokens[user])
        caller = await asyncio.to_thread(model_serving_caller)
        await asyncio.sleep(0)
        me = await asyncio.to_thread(caller.client.current_user.me)
        return [caller.principal.name, str(me.user_name)]

    answers = await asyncio.gather(*(predict(user) for user in USERS * 4))
    assert answers == [[user] * 2 for user in USERS * 4]
    assert stand_in.workspace.users() == set(USERS)


def test_model_serving_without_a_users_token_answers_nobody(stand_in: StandIn, serving: None) -> None:
    with pytest.raises(CallerError, match="never answers as its own service principal"):
        model_serving_caller()
    assert not stand_in.workspace.requests


def test_a_request_without_a_token_is_not_answered_with_the_process_wide_one(
    stand_in: StandIn, scoring_server: None
) -> None:
    invoked_by(stand_in.workspace.token("alice"))
    with pytest.raises(CallerError):
        model_serving_caller()
    assert not stand_in.workspace.requests


def test_apps_believe_the_token_and_nothing_else(stand_in: StandIn, ambient: str) -> None:
    token = stand_in.workspace.token("alice")
    caller = apps_caller({"X-Forwarded-Access-Token": token, "X-Forwarded-Email": "Alice"})
    assert caller.principal.name == "alice"
    with pytest.raises(CallerError, match="two people"):
        apps_caller({"x-forwarded-access-token": token, "x-forwarded-email": "bob"})
    with pytest.raises(CallerError, match="user_api_scopes"):
        apps_caller({"x-forwarded-email": "alice", "x-forwarded-user": "alice"})
    assert stand_in.workspace.users() == {"alice"}


def test_apps_outside_a_workspace(stand_in: StandIn) -> None:
    with pytest.raises(CallerError, match="DATABRICKS_HOST"):
        apps_caller({"x-forwarded-access-token": stand_in.workspace.token("alice")})


def test_a_profile_is_who_logged_in_with_it(stand_in: StandIn, tmp_path: Path) -> None:
    entries = [
        f"[{name}]\nhost = {stand_in.workspace.url}\ntoken = {stand_in.workspace.token(name)}\n" for name in "ab"
    ]
    (tmp_path / "databrickscfg").write_text("\n".join(entries))
    assert default_caller("a").principal.name == "a"
    assert default_caller("b").principal.name == "b"
    with pytest.raises(CallerError, match="databricks auth login --profile c"):
        default_caller("c")


@pytest.mark.parametrize("variable", ["DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET", "DATABRICKS_PASSWORD"])
def test_a_profile_is_not_somebody_of_the_environment(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    entry = f"[alice]\nhost = {stand_in.workspace.url}\ntoken = {stand_in.workspace.token('alice')}\n"
    (tmp_path / "databrickscfg").write_text(entry)
    secret = stand_in.workspace.token("service")
    monkeypatch.setenv(variable, secret)
    with pytest.raises(
        CallerError, match=f"{variable} in the environment .* --profile alice: unset {variable}"
    ) as told:
        default_caller("alice")
    assert secret not in str(told.value)
    assert not stand_in.workspace.requests
    monkeypatch.delenv(variable)
    assert default_caller("alice").principal.name == "alice"


def test_the_default_credentials_are_those_of_a_notebook_or_job(stand_in: StandIn, ambient: str) -> None:
    assert default_caller().principal.name == "service"


def test_nobody_is_logged_in(stand_in: StandIn) -> None:
    with pytest.raises(CallerError, match="databricks auth login"):
        default_caller()


@pytest.mark.parametrize("variable", ["IS_IN_DB_MODEL_SERVING_ENV", "DATABRICKS_APP_NAME"])
def test_a_deployed_service_is_nobodys_default(
    stand_in: StandIn, ambient: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "true")
    with pytest.raises(CallerError, match="the service's own"):
        default_caller()
    assert not stand_in.workspace.requests


def test_a_token_that_is_over_a_missing_scope_and_a_workspace_that_breaks(stand_in: StandIn, ambient: str) -> None:
    def refused() -> str:
        with pytest.raises(CallerError) as told:
            apps_caller({"x-forwarded-access-token": token})
        assert token not in repr(told.value)
        assert told.value.__cause__ is None
        return str(told.value)

    token = "dapi-unknown"
    assert refused() == "The workspace does not accept your login, or no longer does: log in again"
    token = stand_in.workspace.token("alice")
    stand_in.workspace.fail("/Me", 403, "PERMISSION_DENIED", "Provided OAuth token does not have required scopes: iam")
    assert "was not given the scope iam" in refused()
    stand_in.workspace.fail("/Me", 500, "INTERNAL_ERROR", token)
    assert refused() == "The workspace did not say who you are (InternalError): try again in a moment"


def test_no_token_is_logged_or_shown(stand_in: StandIn, ambient: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = stand_in.workspace.token("alice")
    caller = apps_caller({"x-forwarded-access-token": token})
    catalog = UnityCatalog(caller.client, WAREHOUSE)
    catalog.query("select count(*) from lakehouse.bakehouse.reviews")
    assert "/api/2.0/sql/statements" in caplog.text
    secret = token.rpartition("-")[2]
    for shown in (caplog.text, repr(caller), repr(caller.client.config), repr(vars(catalog))):
        assert secret[:8] not in shown
