"""Step through a generator on a thread of its own, so that whoever waits for a step can give up waiting.

LangGraph lets no exception out, a Ctrl-C included, before its worker threads are done: interrupted inside a step it
would answer when the running query ends. Here the caller's thread only waits for the step, and what the step itself
waits for is cancelled.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Self

T = TypeVar("T")


class StoppedError(Exception):
    """There are no more steps: somebody has stopped them."""


# A cancellation between two statements hits nothing, so it is sent until the step has ended.
_AGAIN_SECONDS = 0.05
# A chat model cannot be cancelled; its step is left alone, what comes of it belongs to a checkpoint that is over.
_PATIENCE_SECONDS = 1.0


class Steps(Generic[T]):
    """The values of a generator, each made when it is asked for, in a copy of the context that this was made in.

    Args:
        generator: What to step through; nobody else may.
        cancel: Ends what a step waits for. It is called from the thread that stops, any number of times.
        seconds: How long all of it may take, None for as long as it takes.
    """

    def __init__(
        self, generator: Generator[T, None, None], cancel: Callable[[], None], seconds: float | None = None
    ) -> None:
        self._generator = generator
        self._cancel = cancel
        self._end = None if seconds is None else time.monotonic() + seconds
        self._context = copy_context()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mooring-steps")
        self._closing: Future[None] | None = None
        self._stopped: Future[None] = Future()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if self._closing is not None:
            raise StoppedError
        left = None if self._end is None else max(0.0, self._end - time.monotonic())
        step: Future[T] = self._thread.submit(self._context.run, next, self._generator)
        wait([cast("Future[None]", step), self._stopped], left, FIRST_COMPLETED)
        if not step.done() and self._stopped.done():
            # What cannot be cancelled is left alone.
            raise StoppedError
        try:
            # TimeoutError, when it is over.
            return step.result(0)
        except Exception:
            # Whatever a step that was cancelled ended with.
            if self._closing is not None:
                raise StoppedError from None
            raise

    def stop(self) -> None:
        """Close the generator after the step that it is in, whose work is cancelled. Again it does nothing."""
        if self._closing is not None:
            return
        self._closing = self._thread.submit(self._context.run, self._generator.close)
        self._thread.shutdown(wait=False)
        end = time.monotonic() + _PATIENCE_SECONDS
        try:
            while not wait([self._closing], _AGAIN_SECONDS).done and time.monotonic() < end:
                self._cancel()
        finally:
            self._stopped.set_result(None)
