"""People of a true workspace and their sessions, where variables name them; docs/databricks.md says which."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from typer.testing import CliRunner

from agent.cli.app import app
from checkpointer import GovernedPostgresSaver, acting_as
from tests.databricks.asking import ask
from tools import CatalogError
from tools.unity import UnityCatalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.workspace import WorkspaceCaller


@pytest.fixture
def other(profile: Callable[[str], WorkspaceCaller]) -> WorkspaceCaller:
    """Somebody else."""
    return profile("MOORING_LIVE_OTHER_PROFILE")


@pytest.fixture
def thread() -> dict[str, Any]:
    return {"configurable": {"thread_id": f"live-{uuid4().hex}", "checkpoint_ns": ""}}


@pytest.fixture
def no_token_told(caller: WorkspaceCaller, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing of the callers' tokens is in what is logged meanwhile, at DEBUG."""
    caplog.set_level(logging.DEBUG)
    yield
    sent = caller.client.config.authenticate()["Authorization"].rpartition(" ")[2]
    assert len(sent) > 16
    for part in (sent[:16], sent[-16:]):
        assert part not in caplog.text


def test_each_is_told_who_they_are_at_once(caller: WorkspaceCaller, other: WorkspaceCaller) -> None:
    assert caller.principal.name != other.principal.name
    both = threading.Barrier(2)

    def asked(who: WorkspaceCaller) -> set[str | None]:
        both.wait(60)
        return {who.client.current_user.me().user_name for _ in range(8)}

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(asked, (caller, other))) == [{caller.principal.name}, {other.principal.name}]


def test_what_one_may_not_read_is_refused(
    other: WorkspaceCaller, caller: WorkspaceCaller, setting: Callable[[str], str]
) -> None:
    table, warehouse = setting("MOORING_LIVE_OWN_TABLE"), setting("DATABRICKS_WAREHOUSE_ID")
    mine, theirs = (UnityCatalog(each.client, warehouse) for each in (caller, other))
    assert mine.describe_table(table).columns
    with pytest.raises(CatalogError):
        theirs.describe_table(table)
    with pytest.raises(CatalogError):
        theirs.query(f"select 1 from {table}")
    assert theirs.fingerprint(table) is None


def test_under_a_row_filter_each_has_their_own_rows_and_label(
    other: WorkspaceCaller, caller: WorkspaceCaller, setting: Callable[[str], str]
) -> None:
    table, warehouse = setting("MOORING_LIVE_FILTERED_TABLE"), setting("DATABRICKS_WAREHOUSE_ID")
    found = [UnityCatalog(each.client, warehouse).query(f"select count(*) from {table}") for each in (caller, other)]
    assert found[0].rows != found[1].rows
    assert found[0].labels != found[1].labels


@pytest.mark.usefixtures("named_compute", "no_token_told")
def test_one_alone_stores_a_session(caller: WorkspaceCaller, thread: Any) -> None:
    with GovernedPostgresSaver.from_lakebase(identity="login", workspace_client=caller.client) as saver:
        saver.put(thread, empty_checkpoint(), {}, {})
        try:
            assert saver.get_tuple(thread) is not None
        finally:
            saver.delete_thread(thread["configurable"]["thread_id"])


@pytest.mark.usefixtures("named_compute", "no_token_told")
def test_a_session_is_its_owners_by_their_own_login(
    caller: WorkspaceCaller, other: WorkspaceCaller, thread: Any
) -> None:
    def saver_of(who: WorkspaceCaller) -> GovernedPostgresSaver:
        return GovernedPostgresSaver.from_lakebase(identity="login", workspace_client=who.client)

    with saver_of(caller) as mine, saver_of(other) as theirs:
        mine.put(thread, empty_checkpoint(), {}, {})
        try:
            assert mine.get_tuple(thread) is not None
            assert theirs.get_tuple(thread) is None
            assert thread["configurable"]["thread_id"] not in str(theirs.sessions())
        finally:
            mine.delete_thread(thread["configurable"]["thread_id"])


@pytest.mark.usefixtures("named_compute", "no_token_told")
def test_a_session_is_its_owners_through_the_service(
    profile: Callable[[str], WorkspaceCaller],
    caller: WorkspaceCaller,
    other: WorkspaceCaller,
    thread: Any,
) -> None:
    service = profile("MOORING_LIVE_SERVICE_PROFILE").client
    with GovernedPostgresSaver.from_lakebase(identity="broker", workspace_client=service) as saver:
        with acting_as(caller.principal):
            saver.put(thread, empty_checkpoint(), {}, {})
        try:
            with acting_as(other.principal):
                assert saver.get_tuple(thread) is None
            with acting_as(caller.principal):
                assert saver.get_tuple(thread) is not None
        finally:
            with acting_as(caller.principal):
                saver.delete_thread(thread["configurable"]["thread_id"])


@pytest.mark.usefixtures("named_compute", "no_token_told")
def test_both_chat_and_neither_sees_the_others_session(
    caller: WorkspaceCaller,
    other: WorkspaceCaller,
    setting: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = setting("MOORING_LIVE_TABLE")
    for name, value in {
        "DATABRICKS_WAREHOUSE_ID": setting("DATABRICKS_WAREHOUSE_ID"),
        "MOORING_MODEL": f"databricks:{setting('MOORING_LIVE_MODEL')}",
    }.items():
        monkeypatch.setenv(name, value)
    profiles = [setting(f"MOORING_LIVE_{which}PROFILE") for which in ("", "OTHER_")]
    question = f"Run this query with the tool query, and say its number: select count(*) as n from {table}"
    asked = {profile: ask(profile, question) for profile in profiles}
    try:
        for profile, answer in asked.items():
            assert answer["answer"]
            assert answer["sources"] == [table.lower()]
            listed = command(profile, "sessions", "list", "-o", "json")
            assert [each["session"] for each in asked.values() if each["session"] in listed] == [answer["session"]]
    finally:
        for profile, answer in asked.items():
            command(profile, "sessions", "delete", answer["session"])


def command(profile: str, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "-p", profile], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout
