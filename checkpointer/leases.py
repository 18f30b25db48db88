"""Leases: one run at a time on a thread, and nothing written by a run that lost it.

A lease is a number that the thread's row counts up. Whoever holds the latest may write; a write under an older one is
refused by the very statement that would have stored it. A lease ends with its run, or when it is not renewed in time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar
from uuid import uuid4

from psycopg import DatabaseError

from checkpointer.addresses import Lease
from checkpointer.errors import CheckpointerError, StaleLeaseError, ThreadBusyError
from checkpointer.holders import holder, is_dead
from checkpointer.operations import STALE_LEASE, Operation, Row, Statement, through

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from checkpointer.addresses import Address
    from checkpointer.principal import Principal
    from checkpointer.renewals import Driver, Renewals

OnBusy = Literal["reject", "wait", "take"]
T = TypeVar("T")

# Between looks at a thread that is held by another run.
_FIRST_LOOK, _LAST_LOOK = 0.05, 0.5
# Seconds a lease may last: enough to renew it in, and few enough to wait for one that nobody gives back.
_SHORTEST, _LONGEST = 0.1, 3600.0

# By database, owner and thread id.
_bound: ContextVar[Mapping[tuple[str, str, str], Lease]] = ContextVar("mooring_leases", default={})  # noqa: B039 - never changed


# An event loop forgets tasks that nobody holds.
_giving_back: set[asyncio.Future[None]] = set()


def current_lease(thread: tuple[str, str, str]) -> Lease | None:
    """Return the lease of a thread, by database, owner and thread id, that the calling context runs under."""
    return _bound.get().get(thread)


def fenced(operation: Operation[T], place: str, owner: str, thread_ids: Sequence[str] | None = None) -> Operation[T]:
    """Run an operation that changes threads under the leases that the calling context has of them, or of all.

    Raises:
        StaleLeaseError: Another run has taken over one of them since; nothing was changed.
    """
    leases = {
        thread_id: lease
        for (where, whose, thread_id), lease in _bound.get().items()
        if (where, whose) == (place, owner) and (thread_ids is None or thread_id in thread_ids)
    }
    if not leases:
        return operation
    held = leases.values()
    params = {"owner": owner, "names": list(leases), "ids": [lease.thread for lease in held]}
    required = Statement("require_leases", {**params, "fences": [lease.number for lease in held]})

    def exchange(statements: list[Statement]) -> Operation[list[list[Row]]]:
        try:
            _, *results = yield [required, *statements]
        except DatabaseError as error:
            if error.sqlstate != STALE_LEASE:
                raise
            raise StaleLeaseError(", ".join(sorted(leases))) from error
        return results

    return through(operation, exchange)


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to a try: the lease, or who holds it for how many seconds at most."""

    lease: Lease | None
    holder: str = ""
    seconds: float = 0.0
    fence: int = 0


def take(where: Address, seconds: float, dead: int | None) -> Operation[Taken]:
    """Try to take a thread's lease. `dead` is the number of a lease whose holder is known to be gone."""
    params = {
        "owner": where.owner,
        "thread_id": where.thread_id,
        "seconds": seconds,
        # Its own name for each try: a try whose answer is lost has taken the lease from itself when it is made again.
        "holder": f"{holder()} {uuid4()}",
        "dead": dead,
    }
    taken, held = yield [Statement("take_lease", params), Statement("look_at_lease", params)]
    if taken:
        return Taken(Lease(*taken[0]))
    name, left, fence = held[0] if held else ("", 0.0, 0)
    return Taken(None, name or "", float(left or 0.0), fence)


def is_running(where: Address) -> Operation[bool]:
    """Tell whether a run holds the lease of a thread that the principal sees, as far as is known."""
    [rows] = yield [Statement("look_at_lease", {"owner": where.owner, "thread_id": where.thread_id})]
    return any((left or 0.0) > 0 and not is_dead(name or "") for name, left, _ in rows)


def release(owner: str, lease: Lease) -> Operation[None]:
    """End a lease; a thread in which nothing was stored goes with it."""
    params = {"owner": owner, "id": lease.thread, "fence": lease.number}
    yield [Statement("release_lease", params), Statement("delete_unused_thread", params)]


class Run:
    """The exclusive right to run a thread, for the time of a `with` or `async with` block.

    It is renewed while the block runs. A generator, whose context is its caller's, takes it with `acquire`, gives it
    back with `release`, and enters `bound` around what writes.

    Raises:
        ThreadBusyError: On entering, when another run holds the thread.
        StaleLeaseError: From a write inside, when another run has taken over since.
    """

    def __init__(
        self,
        driver: Driver,
        renewals: Renewals,
        who: Principal,
        where: Address,
        place: str,
        *,
        on_busy: OnBusy,
        wait_seconds: float | None,
        lease_seconds: float,
    ) -> None:
        if on_busy not in ("reject", "wait", "take"):
            msg = f"on_busy is 'reject', 'wait' or 'take', not {on_busy!r}."
            raise ValueError(msg)
        if wait_seconds is not None and not (type(wait_seconds) in (int, float) and wait_seconds >= 0):  # no NaN is
            msg = f"wait_seconds is None or a number from 0 up, not {wait_seconds!r:.80}."
            raise ValueError(msg)
        if type(lease_seconds) not in (int, float) or not _SHORTEST <= lease_seconds <= _LONGEST:  # no NaN is
            msg = f"lease_seconds is a number from {_SHORTEST} to {_LONGEST:.0f}, not {lease_seconds!r:.80}."
            raise ValueError(msg)
        self._driver = driver
        self._renewals = renewals
        self._who = who
        self._where = where
        self._thread = (place, *where.thread)
        self._takes = on_busy == "take"
        self._patience = 0.0 if on_busy == "reject" else wait_seconds
        self._seconds = lease_seconds
        self._lease: Lease | None = None
        self._inherited = False
        self._token: Any = None
        self.lost = False
        """Whether another run was found to hold the lease, so that nothing can be stored any more."""
        self.when_lost: Callable[[], None] | None = None
        """Is called then, from a thread of its own: to end what works for nothing."""

    @property
    def number(self) -> int:
        """The fencing number."""
        if self._lease is None:
            raise StaleLeaseError(self._where.thread_id)
        return self._lease.number

    def acquire(self) -> None:
        """Take the lease."""
        if self._inherit():
            return
        for pause, dead in self._tries():
            if pause:
                time.sleep(pause)
            taken: Taken = self._driver.drive(take(self._where, self._seconds, dead), self._who)
            self._tried(taken)
            if taken.lease is not None:
                return

    async def aacquire(self) -> None:
        """Async version of `acquire`."""
        if self._inherit():
            return
        for pause, dead in self._tries():
            if pause:
                await asyncio.sleep(pause)
            taken = await self._atry(dead)
            self._tried(taken)
            if taken.lease is not None:
                return

    async def _atry(self, dead: int | None) -> Taken:
        """Try to take the lease; one that comes after its taker was cancelled is given back."""
        trying = asyncio.ensure_future(self._driver.adrive(take(self._where, self._seconds, dead), self._who))
        try:
            taken: Taken = await asyncio.shield(trying)
        except asyncio.CancelledError:
            giving = asyncio.ensure_future(self._give_back(trying))
            _giving_back.add(giving)
            giving.add_done_callback(_giving_back.discard)
            raise
        return taken

    async def _give_back(self, trying: asyncio.Future[Taken]) -> None:
        with suppress(CheckpointerError):
            taken = await trying
            if taken.lease is not None:
                await self._driver.adrive(release(self._where.owner, taken.lease), self._who)

    def release(self) -> None:
        """Give the lease back. A database that cannot be reached lets it run out."""
        lease = self._given_up()
        if lease is not None:
            with suppress(CheckpointerError):
                self._driver.drive(release(self._where.owner, lease), self._who)

    async def arelease(self) -> None:
        """Async version of `release`."""
        lease = self._given_up()
        if lease is not None:
            with suppress(CheckpointerError):
                await asyncio.shield(self._driver.adrive(release(self._where.owner, lease), self._who))

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Make the writes inside carry the lease's number."""
        token = self._bind()
        try:
            yield
        finally:
            _bound.reset(token)

    def __enter__(self) -> Self:
        self.acquire()
        self._token = self._bind()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _bound.reset(self._token)
        self.release()

    async def __aenter__(self) -> Self:
        await self.aacquire()
        self._token = self._bind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _bound.reset(self._token)
        await self.arelease()

    def _bind(self) -> Any:
        assert self._lease is not None
        return _bound.set({**_bound.get(), self._thread: self._lease})

    def _inherit(self) -> bool:
        """A run inside of a run on the same thread is the same run."""
        self._lease = current_lease(self._thread)
        self._inherited = self._lease is not None
        return self._inherited

    def _tries(self) -> Iterator[tuple[float, int | None]]:
        """Yield the pause before each try, and the number of a lease that a dead process left."""
        self._last: Taken = Taken(None)
        yield 0.0, None
        end = None if self._patience is None else time.monotonic() + self._patience
        pause = _FIRST_LOOK
        while True:
            if self._last.holder and (self._takes or is_dead(self._last.holder)):
                yield 0.0, self._last.fence
            left = pause if end is None else end - time.monotonic()
            # One that was released since it was refused is taken at the next try.
            if left <= 0 < self._last.seconds:
                raise ThreadBusyError(self._where.thread_id, self._last.seconds)
            yield max(0.0, min(pause, left)), None
            pause = min(2 * pause, _LAST_LOOK)

    def _tried(self, taken: Taken) -> None:
        self._last = taken
        if taken.lease is not None:
            self._lease = taken.lease
            self._renewals.add(self._driver, self._who, self._where.owner, taken.lease, self._seconds, self._lose)

    def _lose(self) -> None:
        self.lost = True
        if self.when_lost is not None:
            self.when_lost()

    def _given_up(self) -> Lease | None:
        lease, self._lease = self._lease, None
        if lease is None or self._inherited:
            return None
        self._renewals.remove(lease)
        return lease
