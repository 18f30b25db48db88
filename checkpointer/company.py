"""Stores of one run that go together: what its tasks wrote, with one another and with the checkpoint after them.

LangGraph saves what a task wrote on a worker as soon as it is known, and the checkpoint after it a moment later. So a
task's writes wait a moment for company, and whoever is stored next at the same checkpoint takes along all that wait, in
one statement. No call returns before its own part is stored; what failed in company is stored by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkpointer.errors import DatabaseUnavailableError
from checkpointer.operations import Context, Operation
from checkpointer.storing import Made, Written, store

if TYPE_CHECKING:
    from checkpointer.addresses import Address

# About as long as LangGraph takes from a task's end to the checkpoint.
MOMENT = 0.001


@dataclass(eq=False, slots=True)
class Waiting:
    """What a task wrote, which waits for company."""

    written: Written
    tell: Callable[[], object]
    """Called, on any thread, when it was taken along."""
    stored: bool = False


class Company:
    """Who waits, by run and checkpoint. Threads and tasks may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, list[Waiting]] = {}

    def join(self, where: Address, waiting: Waiting) -> None:
        """Wait to be taken along."""
        with self._lock:
            self._waiting.setdefault(_place(where), []).append(waiting)

    def take(self, where: Address) -> list[Waiting]:
        """Take along all that wait there."""
        with self._lock:
            return self._waiting.pop(_place(where), [])

    def leave(self, where: Address, waiting: Waiting) -> None:
        """Wait no longer."""
        with self._lock:
            left = [each for each in self._waiting.pop(_place(where), []) if each is not waiting]
            if left:
                self._waiting[_place(where)] = left


def goes_along(written: Written, where: Address) -> bool:
    """Tell whether something may be stored with others: in a run, and where it leaves what is there."""
    return where.incarnation is not None and not written.special and not written.quotes


def store_together(ctx: Context, where: Address, company: Company, own: Waiting | Made) -> Operation[None]:
    """Store a checkpoint, or what a task wrote if nobody took it along, with all that waits there."""
    if isinstance(own, Waiting) and own.stored:
        return
    made = own if isinstance(own, Made) else None
    alone = (own.written,) if isinstance(own, Waiting) else ()
    others = [each for each in company.take(where) if each is not own]
    try:
        yield from store(ctx, where, [*(each.written for each in others), *alone], made)
        for each in others:
            each.stored = True
    except Exception as error:
        if not others or isinstance(error, DatabaseUnavailableError):
            raise
        yield from store(ctx, where, alone, made)  # it may have been the others' fault
    finally:
        for each in others:
            each.tell()


def _place(where: Address) -> Hashable:
    return where.reader, where.thread, where.ns, where.checkpoint_id, where.lease, id(where.incarnation)
