"""Renew the leases of runs that are going, three times in their length."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from checkpointer.operations import Operation, Statement

if TYPE_CHECKING:
    from checkpointer.addresses import Lease
    from checkpointer.principal import Principal


class Driver(Protocol):
    """Runs operations, as the saver does."""

    def drive(self, operation: Operation[Any], who: Principal) -> Any:
        """Run an operation."""
        ...

    async def adrive(self, operation: Operation[Any], who: Principal) -> Any:
        """Run an operation on the event loop."""
        ...


def renew(owner: str, lease: Lease, seconds: float) -> Operation[bool]:
    """Prolong a lease; False when it is no longer ours."""
    params = {"owner": owner, "id": lease.thread, "fence": lease.number, "seconds": seconds}
    [rows] = yield [Statement("renew_lease", params)]
    return bool(rows)


@dataclass(slots=True)
class _Renewed:
    driver: Driver
    who: Principal
    owner: str
    seconds: float
    due: float
    lost: Callable[[], None]


class Renewals:
    """Renews the leases of a saver, on one thread that lives while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._leases: dict[Lease, _Renewed] = {}
        self._thread: threading.Thread | None = None

    def add(
        self,
        driver: Driver,
        who: Principal,
        owner: str,
        lease: Lease,
        seconds: float,
        lost: Callable[[], None],
    ) -> None:
        """Renew a lease from now on, three times in its length; `lost` is called when it is another's."""
        with self._lock:
            self._leases[lease] = _Renewed(driver, who, owner, seconds, time.monotonic() + seconds / 3, lost)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mooring-leases", daemon=True)
                self._thread.start()
            self._lock.notify()

    def remove(self, lease: Lease) -> None:
        """Renew a lease no longer."""
        with self._lock:
            self._leases.pop(lease, None)
            self._lock.notify()

    def _work(self) -> None:
        while (due := self._next()) is not None:
            lease, renewed = due
            try:
                ours = renewed.driver.drive(renew(renewed.owner, lease, renewed.seconds), renewed.who)
            except Exception:  # noqa: BLE001 - whatever it was, the next try is soon; a write tells what is lost
                ours = True
            with self._lock:
                if not ours:
                    lost = self._leases.pop(lease, None)
                    if lost is not None:
                        threading.Thread(target=lost.lost, name="mooring-lost", daemon=True).start()
                elif lease in self._leases:
                    renewed.due = time.monotonic() + renewed.seconds / 3

    def _next(self) -> tuple[Lease, _Renewed] | None:
        """Wait for the lease that is due next; None when there is none left for a while."""
        with self._lock:
            while True:
                if not self._leases and not self._lock.wait(1.0) and not self._leases:
                    self._thread = None
                    return None
                if not self._leases:
                    continue
                lease, renewed = min(self._leases.items(), key=lambda each: each[1].due)
                left = renewed.due - time.monotonic()
                if left <= 0:
                    return lease, renewed
                self._lock.wait(left)
