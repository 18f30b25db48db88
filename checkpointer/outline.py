"""What a thread is made of, without any content: its checkpoints and the envelopes of its pending writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from checkpointer.operations import Operation, Statement

# Namespace and checkpoint id.
Place = tuple[str, str]


class Envelope(NamedTuple):
    """A pending write without its value; sorts as LangGraph applies writes (`writes_sort_key`)."""

    task_path: str
    task_id: str
    idx: int
    channel: str


@dataclass(frozen=True, slots=True)
class Outline:
    """The checkpoints of a thread with their parents' ids, oldest first, and what is pending at each."""

    checkpoints: dict[Place, str | None]
    writes: dict[Place, list[Envelope]]

    def covers(self, other: Outline) -> bool:
        """Tell whether everything of the other is here as well."""
        return all(place in self.checkpoints for place in other.checkpoints) and all(
            set(self.writes.get(place, ())).issuperset(found) for place, found in other.writes.items()
        )

    def latest(self) -> list[Place]:
        """Return the latest checkpoint of every namespace."""
        return list({ns: (ns, checkpoint_id) for ns, checkpoint_id in self.checkpoints}.values())


def outline(owner: str, thread_id: str) -> Operation[Outline]:
    """Return the outline of a thread in our own tables; an unknown one is empty."""
    params = {"owner": owner, "thread_id": thread_id}
    checkpoints, writes = yield [Statement("outline_checkpoints", params), Statement("outline_writes", params)]
    pending: dict[Place, list[Envelope]] = {}
    for ns, checkpoint_id, *envelope in writes:
        pending.setdefault((ns, checkpoint_id), []).append(Envelope(*envelope))
    return Outline({(ns, checkpoint_id): parent for ns, checkpoint_id, parent in checkpoints}, pending)
