"""Responses as their session tells of them, whichever process runs their turn, or has run it: found by their id."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from agent.responses import FailureError
from agent.responses.locator import locator_of
from agent.responses.stored import Stored, stored_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent.host import Host
    from agent.identity import Caller
    from agent.server.running import Event, Turn
    from agent.workspace import WorkspaceCaller

# Seconds between looks at a session while another process goes on with it.
_FIRST_LOOK, _LAST_LOOK = 0.2, 1.5
_UNKNOWN = "There is no such response: read its session, at /sessions/{id}/messages"


class Elsewhere:
    """One response of a caller's. Its methods block, but for `follow`.

    Raises:
        FailureError: `not_found`, where nothing says that it was ever asked for by them.
    """

    def __init__(self, host: Host, caller: Caller | WorkspaceCaller, response_id: str) -> None:
        where = locator_of(response_id)
        if where is None or not where.is_of(caller.principal.name):
            raise FailureError("not_found", _UNKNOWN)
        self._host, self._caller, self._id, self._where = host, caller, response_id, where

    def read(self) -> Stored:
        """Return what is known of it now."""
        stored = self._found()
        if stored is None:
            raise FailureError("not_found", _UNKNOWN)
        return stored

    def tells(self, turn: Turn) -> bool:
        """Tell whether what this process remembers of its turn may be told: its caller may read all of it now."""
        if not turn.has_items:
            return True
        stored = self._found()
        return stored is not None and stored.whole

    def stop(self) -> Stored:
        """Stop its turn, where it has not ended, and return what is known then."""
        if self.read().stoppable:
            with self._host.conversation(self._caller, self._where.session, self._where.owner) as conversation:
                conversation.stop(anywhere=True)
        return self.read()

    def _found(self) -> Stored | None:
        with self._host.memory(self._caller) as saver:
            return stored_response(saver, self._id, self._where, self._host.settings.model)

    async def follow(self, stored: Stored, number: int) -> AsyncIterator[Event]:
        """Yield what is known of it, and what comes to be known until it ends: whole items, from the first one on.

        Args:
            stored: What is known now.
            number: Of the first event; one that is greater than 0 means that its beginning is known.
        """
        told, pause = min(number, 1), _FIRST_LOOK
        while True:
            for event in stored.events[told:]:
                yield {**event, "sequence_number": number}
                number += 1
            told = max(told, len(stored.events))
            if stored.ended:
                return
            await asyncio.sleep(pause)
            pause = min(1.3 * pause, _LAST_LOOK)
            stored = await run_in_threadpool(self.read)
