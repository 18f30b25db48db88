"""What rebuilds and forgets checkpoints by their metadata does so where that is encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from checkpointer import GovernedPostgresSaver, Keyring, Principal, Retention
from tests.integration.keeping import rows_of
from tests.integration.test_delta_channel import (
    Never,
    Often,
    graph_of,
    said,
    test_a_fork_holds_its_own_branch_only,
    test_a_graph_holds_what_it_holds_in_memory,
)
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from agent.database import Database

# These run here as well, with the saver of this file.
__all__ = ["test_a_fork_holds_its_own_branch_only", "test_a_graph_holds_what_it_holds_in_memory"]


@pytest.fixture
def saver(lakehouse: Database, person: Principal) -> Iterator[GovernedPostgresSaver]:
    ring = Keyring({"k": bytes(32)})
    with saver_of(lakehouse, person, encryption=ring) as opened:
        yield opened


@pytest.mark.parametrize("note", ["", "\ud800"], ids=["metadata that JSON holds", "that it does not"])
@pytest.mark.parametrize(("kind", "fewer"), [(Often, True), (Never, False)])
@pytest.mark.parametrize("way", ["expire", "prune"])
def test_what_a_delta_channel_is_rebuilt_from_stays_and_the_rest_goes(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], way: str, kind: type, fewer: bool, note: str
) -> None:
    graph = graph_of(kind, saver)
    config: Any = {"configurable": {"thread_id": str(uuid4())}, "metadata": {"note": note}}
    for turn in range(12):
        graph.invoke(said(f"question {turn}"), config, durability="sync")
    latest, before = graph.get_state(config).values, rows_of(admin, config)["checkpoints"]

    if way == "expire":
        saver.expire(retention=Retention(keep_last=1))
    else:
        saver.prune([config["configurable"]["thread_id"]])

    assert graph.get_state(config).values == latest
    assert (rows_of(admin, config)["checkpoints"] < before) is fewer
    graph.invoke(said("next"), config, durability="sync")
    assert graph.get_state(config).values["messages"][:-2] == latest["messages"]


@pytest.mark.parametrize("ring", [None, Keyring({"k": bytes(32)})], ids=["in the clear", "encrypted"])
def test_a_title_that_is_there_stays_where_one_is_given_to_what_has_none(
    lakehouse: Database, person: Principal, ring: Keyring | None
) -> None:
    name = str(uuid4())
    with GovernedPostgresSaver.from_conn_string(lakehouse.runtime, principal=person, encryption=ring) as saver:
        graph_of(Never, saver).invoke(said("question"), {"configurable": {"thread_id": name}}, durability="sync")
        for given, if_untitled, expected in (("a", True, "a"), ("b", True, "a"), ("c", False, "c"), ("d", True, "c")):
            saver.rename(name, given, if_untitled=if_untitled)
            assert [each.title for each in saver.sessions(thread_id=name)] == [expected]
