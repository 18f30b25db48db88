"""Python's garbage collector, kept away from decoding.

Everything that is decoded is kept, and every so many new objects the collector looks through all there are: reading 600
checkpoints of 200 turns took 1.5 s with it and 0.3 s without. Many new objects are put among the old ones afterwards,
without being looked through: in one go that keeps every other thread waiting, 8 ms for 20,000 messages.
"""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANY = 10_000

_guard = threading.Lock()
_users = 0
_was_enabled = False


@contextmanager
def paused() -> Iterator[None]:
    """Pause the collector; any number of threads may, the last of them wakes it if the first had to stop it."""
    global _users, _was_enabled
    with _guard:
        if _users == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _users += 1
    try:
        yield
    finally:
        with _guard:
            _users -= 1
            if _users == 0 and _was_enabled:
                _settle()
                gc.enable()


def _settle() -> None:
    # What an application has frozen would be unfrozen.
    if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
