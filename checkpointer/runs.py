"""Whose run it is and under which lease, for the calls that LangGraph makes outside of the run's context.

A task's writes are saved by a callback on the worker thread that finished it, after the task's context was left, so no
context variable reaches it. Every run starts by reading the latest checkpoint, on its caller's thread; the runtime
object in its config, one per run and made by LangGraph, connects the two. It is known by its address: a later run that
gets the same address starts by reading as well, and so takes the entry over.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from checkpointer.addresses import Lease
    from checkpointer.principal import Principal

_RUNTIME = "__pregel_runtime"
_MOST = 20_000

Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a run was started with."""

    principal: Principal
    lease: Lease | None


class Runs:
    """What the latest runs were started with. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bound: OrderedDict[Key, Bound] = OrderedDict()

    def started(self, config: RunnableConfig, principal: Principal, lease: Lease | None) -> None:
        """Remember whose run it is, and its lease."""
        key = _key(config)
        if key is None:
            return
        with self._lock:
            self._bound[key] = Bound(principal, lease)
            self._bound.move_to_end(key)
            if len(self._bound) > _MOST:
                self._bound.popitem(last=False)

    def of(self, config: RunnableConfig) -> Bound | None:
        """Return whose run it is, if it is one that started here."""
        key = _key(config)
        if key is None:
            return None
        with self._lock:
            return self._bound.get(key)


def _key(config: RunnableConfig) -> Key | None:
    configurable = config.get("configurable") or {}
    runtime = configurable.get(_RUNTIME)
    return None if runtime is None else (id(runtime), str(configurable.get("thread_id")))
