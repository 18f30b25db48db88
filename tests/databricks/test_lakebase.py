"""GovernedPostgresSaver.from_lakebase: where it connects, as whom, with which token, and what it never shows."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from checkpointer import DatabaseUnavailableError, GovernedPostgresSaver, Principal, acting_as
from checkpointer.lakebase import LakebaseError
from checkpointer.lakebase import lakebase as source_of
from tests.databricks.lakebase import ENDPOINT, INSTANCE

if TYPE_CHECKING:
    from tests.databricks.lakebase import Lakebase
    from tests.databricks.stand_in import StandIn

NAMED: dict[str, Any] = {"endpoint": ENDPOINT, "database": "lakehouse"}
OTHERS: list[dict[str, Any]] = [
    {"project": "harbour", "database": "lakehouse"},
    {"project": "projects/harbour", "branch": "production", "database": "lakehouse"},
    {"instance": INSTANCE, "database": "lakehouse"},
]


def config() -> Any:
    return {"configurable": {"thread_id": uuid4().hex, "checkpoint_ns": ""}}


def kept(saver: GovernedPostgresSaver, where: Any) -> bool:
    """Store a checkpoint and read it back."""
    checkpoint = empty_checkpoint()
    saver.put(where, checkpoint, {}, {})
    found = saver.get_tuple(where)
    return found is not None and found.checkpoint["id"] == checkpoint["id"]


@pytest.mark.parametrize("named", [NAMED, *OTHERS])
def test_a_broker_connects_with_its_minted_tokens(stand_in: StandIn, lakebase: Lakebase, named: dict[str, Any]) -> None:
    client = stand_in.client("service")
    where = config()
    with (
        GovernedPostgresSaver.from_lakebase(**named, workspace_client=client, port=lakebase.port) as saver,
        acting_as(Principal("alice")),
    ):
        assert kept(saver, where)
    assert {(login.user, login.encrypted, login.accepted) for login in lakebase.logins} == {("service", True, True)}
    assert {login.token for login in lakebase.logins} == set(lakebase.minted)
    assert stand_in.workspace.users() == {"service"}


async def test_async_callers_connect_too(stand_in: StandIn, lakebase: Lakebase) -> None:
    client = stand_in.client("service")
    opened = GovernedPostgresSaver.from_lakebase(**NAMED, workspace_client=client, port=lakebase.port)
    async with opened as saver:
        with acting_as(Principal("alice")):
            where = config()
            await saver.aput(where, empty_checkpoint(), {}, {})
            assert await saver.aget_tuple(where) is not None


def test_the_environment_names_the_compute_as_apps_do(
    stand_in: StandIn, lakebase: Lakebase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", stand_in.workspace.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", stand_in.workspace.token("service"))
    for name, value in {"PGHOST": "127.0.0.1", "PGPORT": str(lakebase.port), "PGDATABASE": "lakehouse"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGUSER", "service")
    monkeypatch.setenv("PGSSLMODE", "disable")
    for named in (
        {"LAKEBASE_ENDPOINT": ENDPOINT},
        {"LAKEBASE_AUTOSCALING_PROJECT": "harbour", "LAKEBASE_AUTOSCALING_BRANCH": "production"},
        {"LAKEBASE_INSTANCE_NAME": INSTANCE},
    ):
        with monkeypatch.context() as patched:
            for name, value in named.items():
                patched.setenv(name, value)
            with GovernedPostgresSaver.from_lakebase() as saver, acting_as(Principal("alice")):
                assert kept(saver, config())
    assert {(login.user, login.encrypted) for login in lakebase.logins} == {("service", True)}


@pytest.mark.parametrize(
    "named", [{}, {"endpoint": ENDPOINT, "instance": INSTANCE}, {"project": "harbour", "instance": INSTANCE}]
)
def test_one_compute_is_named(stand_in: StandIn, named: dict[str, Any]) -> None:
    with pytest.raises(LakebaseError, match="Name one"):
        GovernedPostgresSaver.from_lakebase(**named, workspace_client=stand_in.client("service"))


@pytest.mark.parametrize(
    ("named", "environment", "said"),
    [
        ({"endpoint": ENDPOINT, "branch": "dev"}, {}, "The branch 'dev' is named beside"),
        ({"branch": "dev"}, {"LAKEBASE_ENDPOINT": ENDPOINT}, "The branch 'dev' is named beside"),
        ({"branch": "dev"}, {"LAKEBASE_INSTANCE_NAME": INSTANCE}, "The branch 'dev' is named beside"),
        ({"project": "harbour", "branch": "projects/quay/branches/dev"}, {}, "not one of the project 'harbour'"),
        ({"endpoint": ENDPOINT}, {"PGPORT": "abc"}, None),
        ({}, {"LAKEBASE_ENDPOINT": ENDPOINT, "PGPORT": "abc"}, "PGPORT is not"),
        ({"endpoint": ENDPOINT, "identity": "Login"}, {}, "'Login' is none of login and broker"),
    ],
)
def test_names_that_contradict_each_other_open_nothing(
    stand_in: StandIn, lakebase: Lakebase, named: dict[str, Any], environment: dict[str, str], said: str | None
) -> None:
    with nullcontext() if said is None else pytest.raises(LakebaseError, match=said):
        source_of(**named, workspace_client=stand_in.client("service"), environment=environment)


def test_a_branch_that_is_named_is_not_looked_for_at_the_host_of_another(stand_in: StandIn, lakebase: Lakebase) -> None:
    environment = {"LAKEBASE_AUTOSCALING_PROJECT": "harbour", "PGHOST": "elsewhere.example.com", "PGUSER": "service"}
    client = stand_in.client("service")
    assert "host=elsewhere.example.com" in source_of(workspace_client=client, environment=environment)()
    source = source_of(branch="production", workspace_client=client, environment=environment)
    assert "host=127.0.0.1" in source()


def test_a_server_without_tls_gets_no_token(stand_in: StandIn, lakebase: Lakebase) -> None:
    lakebase.encrypts = False
    client = stand_in.client("service")
    saver = GovernedPostgresSaver.from_lakebase(**NAMED, workspace_client=client, port=lakebase.port, timeout=1)
    with pytest.raises(DatabaseUnavailableError):
        saver.__enter__()
    assert not any(login.token for login in lakebase.logins)


def test_a_certificate_is_verified_where_that_is_asked(stand_in: StandIn, lakebase: Lakebase) -> None:
    options: dict[str, Any] = {**NAMED, "workspace_client": stand_in.client("service"), "port": lakebase.port}
    with GovernedPostgresSaver.from_lakebase(**options, sslrootcert=str(lakebase.certificate)) as saver:
        saver.setup()
    before = len(lakebase.logins)
    saver = GovernedPostgresSaver.from_lakebase(**options, sslrootcert="/etc/ssl/certs/ca-certificates.crt", timeout=1)
    with pytest.raises(DatabaseUnavailableError):
        saver.__enter__()
    assert len(lakebase.logins) == before


def test_a_token_serves_new_connections_until_shortly_before_it_expires(stand_in: StandIn, lakebase: Lakebase) -> None:
    def connected() -> int:
        source()
        return len(lakebase.minted)

    lakebase.life = 3600
    clock = time.time()
    later = 0.0
    source = source_of(**NAMED, workspace_client=stand_in.client("service"), now=lambda: clock + later)
    assert [connected(), connected()] == [1, 1]
    lakebase.skew = later = 3290
    assert connected() == 1
    lakebase.skew = later = 3310
    assert [connected(), connected()] == [2, 2]


def test_short_lived_tokens_are_renewed_in_their_last_fifth(stand_in: StandIn, lakebase: Lakebase) -> None:
    lakebase.life = 100
    clock = time.time()
    later = 0.0
    source = source_of(**NAMED, workspace_client=stand_in.client("service"), now=lambda: clock + later)
    later = 75
    source()
    assert len(lakebase.minted) == 1
    later = 85
    source()
    assert len(lakebase.minted) == 2


def test_a_workspace_that_is_away_is_bridged_until_the_token_expires(stand_in: StandIn, lakebase: Lakebase) -> None:
    clock = time.time()
    later = 0.0
    source = source_of(**NAMED, workspace_client=stand_in.client("service"), now=lambda: clock + later)
    first = source()
    stand_in.workspace.fail("/credentials$", 500, "INTERNAL_ERROR", times=2)
    later = 3500
    assert source() == first
    later = 3601
    with pytest.raises(LakebaseError, match="InternalError"):
        source()
    assert source() != first


def test_a_token_expires_and_the_compute_suspends_and_nobody_notices(stand_in: StandIn, lakebase: Lakebase) -> None:
    lakebase.life = 1.5
    client = stand_in.client("service")
    with (
        GovernedPostgresSaver.from_lakebase(**NAMED, workspace_client=client, port=lakebase.port) as saver,
        acting_as(Principal("alice")),
    ):
        where = config()
        assert kept(saver, where)
        minted = len(lakebase.minted)
        lakebase.suspend()
        assert saver.get_tuple(where) is not None
        end = max(token.expires_at for token in lakebase.minted.values())
        lakebase.skew = max(0.0, end - time.time())
        time.sleep(max(0.0, end - time.time()))
        lakebase.suspend()
        assert kept(saver, where)
        assert len(lakebase.minted) > minted
    assert all(login.accepted for login in lakebase.logins)


@pytest.mark.parametrize("awaited", [False, True])
async def test_a_login_that_is_over_is_told_when_a_connection_needs_it(
    stand_in: StandIn, lakebase: Lakebase, awaited: bool
) -> None:
    lakebase.life = 0.5
    options: dict[str, Any] = {**NAMED, "identity": "login", "port": lakebase.port, "timeout": 2}
    opened = GovernedPostgresSaver.from_lakebase(**options, workspace_client=stand_in.client("alice"))
    async with AsyncExitStack() as stack:
        saver = await stack.enter_async_context(opened) if awaited else stack.enter_context(opened)
        await asyncio.sleep(0.5)
        stand_in.workspace.revoke_all()
        lakebase.suspend()
        with pytest.raises(DatabaseUnavailableError, match=r"does not accept the login to Databricks.*Log in again"):
            await saver.asessions() if awaited else saver.sessions()


def test_many_at_once_mint_one_token(stand_in: StandIn, lakebase: Lakebase) -> None:
    source = source_of(**NAMED, workspace_client=stand_in.client("service"))
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: source(), range(64)))) == 1
    assert len(lakebase.minted) == 1


@pytest.mark.parametrize(("units", "most"), [(0.25, 5), (0.5, 10), (1, 20), (4, 32), (0.1, 4)])
def test_a_brokers_pool_is_a_share_of_the_computes_connections(
    stand_in: StandIn, lakebase: Lakebase, units: float, most: int
) -> None:
    lakebase.units = units
    source = source_of(**NAMED, workspace_client=stand_in.client("service"))
    assert (source.pool_size("broker"), source.pool_size("login")) == (most, 2)


@pytest.mark.parametrize(
    ("path", "status", "message", "said"),
    [
        ("/credentials", 403, "Provided OAuth token does not have required scopes: postgres", "the scope postgres,"),
        ("/credentials", 403, "secret", "CAN USE"),
        ("/endpoints/", 404, "secret", "no such Lakebase compute"),
        ("/endpoints/", 500, "secret", r"cannot be asked for Lakebase \(InternalError\)"),
        ("/Me", 401, "secret", "Log in again"),
    ],
)
def test_what_the_workspace_refuses_is_told(
    stand_in: StandIn, lakebase: Lakebase, path: str, status: int, message: str, said: str
) -> None:
    stand_in.workspace.fail(path, status, "CODE", message)
    with pytest.raises(LakebaseError, match=said) as told:
        GovernedPostgresSaver.from_lakebase(**NAMED, workspace_client=stand_in.client("service"))
    assert "secret" not in str(told.value)
    assert "127.0.0.1" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_missing_scope_is_named(stand_in: StandIn, lakebase: Lakebase) -> None:
    with pytest.raises(LakebaseError, match="the scope postgres,"):
        GovernedPostgresSaver.from_lakebase(
            **NAMED, identity="login", workspace_client=stand_in.client("alice", {"sql"})
        )


def test_nobody_is_logged_in(stand_in: StandIn) -> None:
    for named in ({"endpoint": ENDPOINT}, {"project": "harbour"}):
        with pytest.raises(LakebaseError, match="databricks auth login"):
            GovernedPostgresSaver.from_lakebase(**named)  # type: ignore[arg-type]


def test_no_token_is_logged_or_shown(stand_in: StandIn, lakebase: Lakebase, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = stand_in.client("service")
    saver = GovernedPostgresSaver.from_lakebase(**NAMED, workspace_client=client, port=lakebase.port, timeout=1)
    with saver, acting_as(Principal("alice")):
        assert kept(saver, config())
        shown = repr(vars(saver)) + repr([vars(each) for each in saver._runners])
        lakebase.minted = {token: minted.__class__("nobody", 0.0) for token, minted in lakebase.minted.items()}
        lakebase.cut()
        with pytest.raises(DatabaseUnavailableError) as refused:
            kept(saver, config())
    assert "/api/2.0/postgres/credentials" in caplog.text
    assert "error connecting" in caplog.text
    shown += caplog.text + repr(refused.value) + repr(refused.value.__cause__)
    for token in lakebase.minted:
        secret = token.rpartition("-")[2]
        assert not any(secret[i : i + 8] in shown for i in range(0, len(secret), 8))
