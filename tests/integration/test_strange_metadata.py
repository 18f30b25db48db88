"""Metadata that LangGraph would not write keeps its own checkpoints, and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from checkpointer import GovernedPostgresSaver, Keyring, Principal, Retention, acting_as, administration
from tests.integration.keeping import graph_of, name_of, schema, talk, went
from tests.logins import saver_of

if TYPE_CHECKING:
    import psycopg

    from agent.database import Database

__all__ = ["schema"]

UNREADABLE = [0, 5, "", "abc", True, None, ["abc"], {"x": 5}, {"x": "abc"}, {"x": []}, {"x": [1]}, {"x": [1, "abc"]}]
UNREADABLE += [
    {"x": [1, 1.5]},
    {"x": [1, 1e30]},
    {"x": [1, 2**31]},
    {"x": [1, -1]},
    {"x": [1, None]},
    {"x": [1, "5"]},
    {"x": ["1", 0]},
    {"x": [1, 0, 0]},
    {"y": [1, 0], "x": 0},
]


def strange(saver: GovernedPostgresSaver, counters: object, parents: object = None, note: str = "") -> Any:
    """Three checkpoints, with metadata that LangGraph would not write."""
    at: Any = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    for n in range(3):
        checkpoint: Any = {**empty_checkpoint(), "channel_values": {"a": n}, "channel_versions": {"a": n}}
        metadata: Any = {"counters_since_delta_snapshot": counters, "parents": parents, "note": note}
        at = saver.put(at, checkpoint, metadata, {"a": n})
    return {"configurable": {"thread_id": name_of(at), "checkpoint_ns": ""}}


@pytest.mark.parametrize("note", ["", "\ud800"], ids=["read by the database", "opaque to it"])
@pytest.mark.parametrize("counters", UNREADABLE, ids=repr)
def test_counters_that_cannot_be_read_keep_all_ancestors(
    saver: GovernedPostgresSaver, counters: object, note: str
) -> None:
    config, other = strange(saver, counters, "abc", note), talk(saver)

    assert went(saver.expire(retention=Retention(keep_last=1))) == {name_of(other): (False, 8, None)}
    saver.prune([name_of(config), name_of(other)])
    assert len(list(saver.list(config))) == 3
    history = saver.get_delta_channel_history(config=config, channels=["x"])
    assert history == {"x": {"writes": []}}


@pytest.mark.parametrize("counters", [5, {"x": [1, "abc"]}], ids=repr)
def test_the_same_of_what_is_encrypted(lakehouse: Database, person: Principal, counters: object) -> None:
    with saver_of(lakehouse, person, encryption=Keyring({"k": bytes(32)})) as saver:
        config = strange(saver, counters)
        assert saver.expire(retention=Retention(keep_last=1)) == []
        saver.prune([name_of(config)])
        assert len(list(saver.list(config))) == 3


@pytest.mark.parametrize("steps", [2, 999_999_999, "all"])
def test_parents_in_a_circle_end(saver: GovernedPostgresSaver, admin: psycopg.Connection[Any], steps: object) -> None:
    config = strange(saver, {"x": [1, steps]})
    circle = "update mooring.checkpoints c set parent_id = checkpoint_id from mooring.threads t"
    admin.execute(f"{circle} where t.id = c.thread and t.thread_id = %s".encode(), [name_of(config)])

    assert went(saver.expire(retention=Retention(keep_last=1))) == {name_of(config): (False, 2, None)}
    saver.prune([name_of(config)])
    assert len(list(saver.list(config))) == 1


@pytest.mark.parametrize("counters", ["", 0, 5, "abc", True], ids=repr)
def test_everybody_else_is_pruned(lakehouse: Database, schema: str, counters: object) -> None:
    assert lakehouse.admin is not None
    with (
        GovernedPostgresSaver.from_conn_string(lakehouse.runtime, schema=schema) as saver,
        administration.connect(lakehouse.admin, schema=schema) as administrator,
    ):
        with acting_as(Principal("ben")):
            config: Any = {"configurable": {"thread_id": str(uuid4())}}
            config["metadata"] = {"counters_since_delta_snapshot": counters}
            graph_of(saver).invoke({"said": ["q"]}, config, durability="sync")
        with acting_as(Principal("cleo")):
            talk(saver)

        pruned = list(administrator.prune(Retention(keep_last=1)))
        assert [(each.owner, each.checkpoints) for each in pruned] == [("cleo", 8)]


def test_metadata_that_is_no_json_keeps_all_ancestors(
    saver: GovernedPostgresSaver, admin: psycopg.Connection[Any]
) -> None:
    config = strange(saver, {"x": [1, 0]})
    spoilt = "update mooring.checkpoints c set metadata = metadata || '}' from mooring.threads t"
    admin.execute(f"{spoilt} where t.id = c.thread and t.thread_id = %s".encode(), [name_of(config)])

    assert saver.expire(retention=Retention(keep_last=1)) == []
    saver.prune([name_of(config)])
    assert admin.execute(
        "select count(*) from mooring.checkpoints c join mooring.threads t on t.id = c.thread where thread_id = %s",
        [name_of(config)],
    ).fetchone() == (3,)
