"""Walk through checkpoints page by page, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import get_checkpoint_id

from checkpointer.addresses import memo_key
from checkpointer.operations import Context, Operation, Statement, filter_text, policy_of
from checkpointer.reading import read_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointTuple

    from checkpointer.addresses import Address

_PAGE = 50


class Listing:
    """The state of one listing between its pages. `where` is None for all threads of the reader."""

    def __init__(
        self,
        ctx: Context,
        reader: str,
        where: Address | None,
        *,
        wanted: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> None:
        self._ctx = ctx
        self._reader = reader
        self._owner = owner = where.owner if where else reader
        self._wanted = dict(wanted or {})
        self._left = limit
        self._params: dict[str, Any] = {
            "owner": owner,
            "thread_id": where.thread_id if where else None,
            "ns": where.ns if where else None,
            "checkpoint_id": where.checkpoint_id if where else None,
            "before": get_checkpoint_id(before) if before else None,
            "filter": filter_text(wanted),
            "after_thread": None,
            "after_seq": None,
        }
        self.done = limit is not None and limit <= 0

    def page(self) -> Operation[list[CheckpointTuple]]:
        """Return the next checkpoints that match; sets `done` after the last."""
        size = _PAGE if self._left is None else min(_PAGE, self._left)
        held = self._ctx.memory.held(memo_key(self._reader, self._owner, self._params["thread_id"] or ""))
        statements = [Statement("page", {**self._params, **held.params, "limit": size}, held=len(held.items))]
        if self._params["thread_id"] is not None and self._params["after_thread"] is None:
            statements += self._touch()
        if self._owner != self._reader and self._params["after_thread"] is None:
            statements.append(Statement("opened", {"owner": self._owner, "thread_id": self._params["thread_id"]}))
        rows, *_ = yield statements
        page = read_page(self._ctx.serde, self._ctx.memory, self._reader, self._owner, held, rows)
        if page.last is not None:
            self._params["after_thread"], self._params["after_seq"] = page.last
        found = [t for t in page.tuples if all(t.metadata.get(k) == v for k, v in self._wanted.items())]
        if self._left is not None:
            self._left -= len(found)
        self.done = len(page.tuples) < size or self._left == 0
        return found

    def _touch(self) -> list[Statement]:
        """Return what makes the listing of a thread a use of it; a saver without a policy only reads."""
        if self._ctx.retention is None:
            return []
        params = {"owner": self._owner, "thread_id": self._params["thread_id"]}
        return [Statement("touch", {**params, **policy_of(self._ctx.retention)})]
