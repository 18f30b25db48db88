"""Every way to call our saver: sync or async methods, entered with `with` or `async with`.

The two savers share nothing but the database, as two processes do, so that what one remembers of a thread is out of
date whenever the other has written.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args
from uuid import uuid4

from checkpointer import Principal, acting_as
from tests.logins import saver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from checkpointer import GovernedPostgresSaver

Way = Literal["sync", "async", "sync on a loop's saver", "async on a loop's saver"]
WAYS: tuple[Way, ...] = get_args(Way)


@dataclass(frozen=True)
class Ours:
    """Our saver, twice, for whom, and the loop that the second lives on."""

    who: Principal
    threads: GovernedPostgresSaver
    looped: GovernedPostgresSaver
    loop: asyncio.AbstractEventLoop

    def call(self, way: Way, name: str, *args: Any, **options: Any) -> Any:
        """Call a method of the contract."""
        saver = self.looped if way.endswith("saver") else self.threads
        with acting_as(self.who):
            if way.startswith("sync"):
                answer = getattr(saver, name)(*args, **options)
                return list(answer) if name == "list" else answer
            coroutine = _awaited(saver, name, args, options)
            if saver is self.threads:
                return asyncio.run(coroutine)
            return asyncio.run_coroutine_threadsafe(_bound(self.who, coroutine), self.loop).result()


async def _awaited(saver: GovernedPostgresSaver, name: str, args: Any, options: Any) -> Any:
    if name == "list":
        return [found async for found in saver.alist(*args, **options)]
    return await getattr(saver, f"a{name}")(*args, **options)


async def _bound(who: Principal, coroutine: Any) -> Any:
    with acting_as(who):
        return await coroutine


@contextmanager
def our_savers(lakehouse: Database, **options: Any) -> Iterator[Ours]:
    """Open both savers, with options as for the class, and the loop's thread."""
    with ExitStack() as stack:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        stack.callback(loop.close)
        stack.callback(thread.join)
        stack.callback(loop.call_soon_threadsafe, loop.stop)
        who = Principal(f"differential-{uuid4()}")
        threads = stack.enter_context(saver_of(lakehouse, who, max_size=2, **options))
        looped = saver_of(lakehouse, who, max_size=2, **options)
        asyncio.run_coroutine_threadsafe(looped.__aenter__(), loop).result()
        stack.callback(lambda: asyncio.run_coroutine_threadsafe(looped.__aexit__(None, None, None), loop).result())
        yield Ours(who, threads, looped, loop)
