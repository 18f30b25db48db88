"""Whose run it is, its lease and its thread, for the calls that LangGraph makes outside of the run's context.

A task's writes are saved by a callback on the worker thread that finished it, after the task's context was left, so no
context variable reaches it. Every run starts by reading the latest checkpoint, on its caller's thread; the runtime
object in its config, one per run and made by LangGraph, connects the two. It is known by its address: a later run that
gets the same address starts by reading as well, and so takes the entry over. Subgraphs have a runtime of their own, and
share the run's control with it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from checkpointer.addresses import OWNER, Incarnation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.runnables import RunnableConfig

    from checkpointer.addresses import Lease
    from checkpointer.principal import Principal

_RUNTIME = "__pregel_runtime"
_TASK = "__pregel_task_id"  # in the configs of a run inside of a run
_MOST = 20_000

Key = tuple[int, str, str, str]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a run was started with."""

    principal: Principal
    lease: Lease | None
    incarnation: Incarnation


class Runs:
    """What the latest runs were started with. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bound: OrderedDict[Key, Bound] = OrderedDict()

    def started(self, config: RunnableConfig, principal: Principal, lease: Lease | None) -> Incarnation | None:
        """Remember whose run it is, and its lease; return what it knows of its thread."""
        key = _key(config)
        if key is None:
            return None
        # Somebody else's thread of that name, which a node may act on, is another thread.
        whole = _whole(config, principal)
        with self._lock:
            outer = self._bound.get(whole) if _TASK in config["configurable"] else None
            bound = Bound(principal, lease, outer.incarnation if outer else Incarnation())
            for each in (key,) if outer else (key, whole):
                self._bound[each] = bound
                self._bound.move_to_end(each)
            while len(self._bound) > _MOST:
                self._bound.popitem(last=False)
        return bound.incarnation

    def of(self, config: RunnableConfig) -> Bound | None:
        """Return whose run it is, if it is one that started here."""
        key = _key(config)
        if key is None:
            return None
        with self._lock:
            return self._bound.get(key)


def _key(config: RunnableConfig) -> Key | None:
    """Return the key of a graph that runs."""
    configurable = config.get("configurable") or {}
    runtime = configurable.get(_RUNTIME)
    return None if runtime is None else (id(runtime), *_thread(configurable), "")


def _whole(config: RunnableConfig, principal: Principal) -> Key:
    """Return the key of a run, that of the subgraphs inside of it as well."""
    runtime = config["configurable"][_RUNTIME]
    control = getattr(runtime, "control", None) or runtime
    return id(control), *_thread(config["configurable"]), principal.name


def _thread(configurable: Mapping[str, Any]) -> tuple[str, str]:
    return str(configurable.get("thread_id")), str(configurable.get(OWNER) or "")
