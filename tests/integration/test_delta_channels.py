"""Graphs whose channels are rebuilt from older checkpoints: pruning those would empty them without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import pytest
from langgraph.channels import DeltaChannel
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from checkpointer import DeltaChannelPruneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkpointer import GovernedPostgresSaver


def appended(words: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*words, *(word for write in writes for word in write)]


class Words(TypedDict):
    words: Annotated[list[str], DeltaChannel(appended, snapshot_frequency=100)]


def words_graph(saver: GovernedPostgresSaver) -> Any:
    builder: Any = StateGraph(Words).add_node("node", lambda _: {"words": ["answer"]}).add_edge(START, "node")
    return builder.compile(checkpointer=saver)


def test_older_checkpoints_of_a_delta_channel_are_not_pruned(saver: GovernedPostgresSaver) -> None:
    graph = words_graph(saver)
    config: Any = {"configurable": {"thread_id": str(uuid4())}}
    for question in ("one", "two"):
        graph.invoke({"words": [question]}, config, durability="sync")

    with pytest.raises(DeltaChannelPruneError, match="DeltaChannel"):
        saver.prune([config["configurable"]["thread_id"]])

    assert graph.get_state(config).values["words"] == ["one", "answer", "two", "answer"]
