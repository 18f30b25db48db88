"""What a reader sees of a checkpoint, in a form that two savers can be compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage

if TYPE_CHECKING:
    from langgraph.checkpoint.base import CheckpointTuple


def shape(value: Any) -> Any:
    """The value with the types of all its parts: 1, 1.0 and True differ, and so does the order of a dict's keys."""
    if isinstance(value, BaseMessage):
        return type(value).__name__, shape(value.model_dump())
    if isinstance(value, dict):
        return "dict", [(key, shape(inner)) for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [shape(inner) for inner in value]
    return type(value).__name__, value


def seen(found: CheckpointTuple | None) -> Any:
    """Everything of a checkpoint that both savers promise.

    Upstream's versions are texts with a random tail, ours are numbers; how channels and metadata are ordered is
    nobody's promise.
    """
    if found is None:
        return None
    checkpoint: dict[str, Any] = {**found.checkpoint}
    return {
        **checkpoint,
        "config": found.config["configurable"],
        "parent": found.parent_config and found.parent_config["configurable"],
        "metadata": found.metadata,
        "pending_writes": [(task, channel, shape(value)) for task, channel, value in found.pending_writes or []],
        "channel_values": {name: shape(value) for name, value in checkpoint["channel_values"].items()},
        "channel_versions": {name: number(version) for name, version in checkpoint["channel_versions"].items()},
    }


def number(version: str | float) -> int:
    """The counter of a channel's version."""
    return int(str(version).split(".")[0])
