"""Turns that run on threads of their own, whoever listens: a client that goes away or comes back changes nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from agent.responses import FailureError, events_of, failure_of

if TYPE_CHECKING:
    from agent.conversation import Conversation
    from agent.responses import Asked, Failure

Event = dict[str, Any]
Opening = Callable[[], AbstractContextManager["Conversation"]]

# How long a finished turn can be asked for by its id, and how many; its session has it for good.
_KEPT_SECONDS, _KEPT = 600.0, 1000
_ENDING = "The server is about to end: ask again, and another one answers"


class Turn:
    """One turn, from its request to its end."""

    def __init__(self, who: str, session: str, asked: Asked, model: str, *, tells_trace: bool) -> None:
        self.who = who
        """The name of the principal whose turn it is."""
        self.session = (asked.owner or who, session)
        """Whose session it is in, and its thread id."""
        self.id = ""
        """The response's, known with the first event."""
        self.failure: Failure | None = None
        """Why it did not even begin."""
        self.ended_at: float | None = None
        self.events: list[Event] = []
        self._asked = asked
        self._model = model
        self._tells_trace = tells_trace
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []
        self._conversation: Conversation | None = None
        self._leaving = False

    @property
    def has_items(self) -> bool:
        """Whether anything was said or done in it yet."""
        return any(event["type"].startswith("response.output_") for event in list(self.events))

    def run(self, opening: Opening) -> None:
        """Run it to its end."""
        try:
            if self._leaving:
                raise FailureError("busy", _ENDING)
            with opening() as conversation:
                self._conversation = conversation
                for event in events_of(conversation, self._asked, self._model, tells_trace=self._tells_trace):
                    self._add(event)
        except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
            self.failure = failure_of(error)
        finally:
            self._conversation = None
            self._add(None)

    def stop(self) -> None:
        """Stop it half-way; what it found is stored."""
        conversation = self._conversation
        if conversation is not None:
            conversation.stop()

    def stop_soon(self) -> None:
        """Have it stopped by a thread of its own."""
        threading.Thread(target=self.stop, name="mooring-stop", daemon=True).start()

    def leave(self) -> None:
        """Leave it where it is, to be finished when its owner next asks."""
        self._leaving = True
        conversation = self._conversation
        if conversation is not None:
            conversation.leave()

    async def follow(self, start: int = 0) -> AsyncIterator[Event]:
        """Yield its events from the `start`-th on, those to come as they come.

        Raises:
            FailureError: It did not begin.
        """
        loop, more = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(more.set)

        with self._lock:
            self._waiting.append(tell)
        try:
            while True:
                more.clear()
                ended = self.ended_at is not None
                events = self.events[start:]
                for event in events:
                    yield event
                start += len(events)
                if ended and not events:
                    break
                if not ended and not events:
                    await more.wait()
        finally:
            with self._lock:
                self._waiting.remove(tell)
        if self.failure is not None and not self.events:
            raise FailureError(self.failure.code, self.failure.message)

    def _add(self, event: Event | None) -> None:
        with self._lock:
            if event is None:
                self.ended_at = time.monotonic()
            else:
                self.events.append(event)
                self.id = self.id or event["response"]["id"]
            waiting = list(self._waiting)
        for tell in waiting:
            try:
                tell()
            except RuntimeError:
                continue  # its event loop is closed


class Turns:
    """The turns that this process runs."""

    def __init__(self, most: int) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="mooring-turn")
        self._lock = threading.Lock()
        self._turns: list[Turn] = []
        self._ending: threading.Thread | None = None

    def start(self, turn: Turn, opening: Opening) -> None:
        """Run a turn, as soon as there is a thread for it."""
        with self._lock:
            horizon = time.monotonic() - _KEPT_SECONDS
            ended = [each for each in self._turns if each.ended_at is not None and each.ended_at > horizon]
            self._turns = [*ended[-_KEPT:], *(each for each in self._turns if each.ended_at is None), turn]
        self._threads.submit(turn.run, opening)

    def find(self, who: str, response_id: str) -> Turn | None:
        """Return somebody's own turn of a response, if this process has it still."""
        with self._lock:
            return next((each for each in self._turns if each.id == response_id and each.who == who), None)

    def running(self, owner: str, session: str, who: str) -> Turn | None:
        """Return the turn that somebody runs here in a session."""
        return next((each for each in self.going() if (each.session, each.who) == ((owner, session), who)), None)

    def going(self) -> list[Turn]:
        """Return the turns that have not ended."""
        with self._lock:
            return [each for each in self._turns if each.ended_at is None]

    def close(self, seconds: float) -> None:
        """Wait for the turns that are running; those that take longer are finished when their owners next ask."""
        self.close_soon(seconds)
        assert self._ending is not None
        self._ending.join()
        self._threads.shutdown(wait=False)

    def close_soon(self, seconds: float) -> None:
        """Let a thread of its own begin with that. Again it does nothing."""
        if self._ending is None:
            self._ending = threading.Thread(target=self._end, args=(seconds,), name="mooring-ending", daemon=True)
            self._ending.start()

    def _end(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.going() and time.monotonic() < end:
            time.sleep(0.05)
        leaving = [threading.Thread(target=turn.leave, daemon=True) for turn in self.going()]
        for thread in leaving:
            thread.start()
        for thread in leaving:
            thread.join()
        # A moment for their clients to be told.
        end = time.monotonic() + 1
        while self.going() and time.monotonic() < end:
            time.sleep(0.02)
