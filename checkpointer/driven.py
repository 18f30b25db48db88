"""A saver that is open: its pool, and the runner that drives operations over it, sync or async."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver

from checkpointer import migrations, operations
from checkpointer.addresses import Address, address
from checkpointer.errors import NotOpenError
from checkpointer.leases import current_lease, fenced
from checkpointer.principal import Principal, current_principal
from checkpointer.runner import AsyncRunner, SyncRunner
from checkpointer.sealing import sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from types import TracebackType

    from langchain_core.runnables import RunnableConfig

    from checkpointer.addresses import Lease
    from checkpointer.company import Company
    from checkpointer.encryption import Keyring
    from checkpointer.labels import LabelsOf
    from checkpointer.memo import Memory
    from checkpointer.operations import Context, Operation
    from checkpointer.policy import Retention
    from checkpointer.principal import PrincipalSource
    from checkpointer.renewals import Renewals
    from checkpointer.runner import Conninfo
    from checkpointer.runs import Runs

T = TypeVar("T")


class Driven(BaseCheckpointSaver[int]):
    """What all methods of a saver stand on."""

    _conninfo: Conninfo
    _schema: str
    _principal: Principal | PrincipalSource | None
    _retention: Retention | None
    _labels_of: LabelsOf
    _encryption: Keyring | Callable[[], Keyring] | None
    _pool: tuple[int, int, float, float]
    _memory: Memory
    _runs: Runs
    _renewals: Renewals
    _company: Company
    _runners: list[SyncRunner | AsyncRunner]

    def setup(self) -> None:
        """Verify that the schema is there and current and that policies bind this role. Changes nothing.

        Raises:
            SchemaError, UnsafeRoleError: With the command that mends it.
        """
        self._runner().place = self._run(migrations.verify(self._schema), None)

    async def asetup(self) -> None:
        """Async version of `setup`."""
        self._runner().place = await self._arun(migrations.verify(self._schema), None)

    def __enter__(self) -> Self:
        runner = SyncRunner(self._conninfo, self._schema, *self._pool)
        self._runners.append(runner)
        try:
            runner.open()
            self.setup()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runner = self._runners.pop()
        assert isinstance(runner, SyncRunner)
        runner.pool.close()

    async def __aenter__(self) -> Self:
        runner = AsyncRunner(self._conninfo, self._schema, *self._pool)
        self._runners.append(runner)
        try:
            await runner.open()
            await self.asetup()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runner = self._runners.pop()
        assert isinstance(runner, AsyncRunner)
        await runner.pool.close()

    def drive(self, operation: Operation[T], who: Principal) -> T:
        """Run an operation of this package for a principal."""
        return self._run(operation, who)

    async def adrive(self, operation: Operation[T], who: Principal) -> T:
        """Async version of `drive`."""
        return await self._arun(operation, who)

    def _where(self, config: RunnableConfig, *, starts: bool = False) -> tuple[Principal, Address]:
        # What starts a run has its caller's context, and may have the address of a run of somebody else's that ended.
        run = None if starts else self._runs.of(config)
        default = self._principal
        if run is not None and (not callable(default) or default(config) is None):
            default = run.principal
        who = current_principal(default, config)
        if run is not None and run.principal.name != who.name:
            run = None  # somebody else's, which a node acts beside, or that had the same address
        where = address(config, who.name)
        lease = self._lease(where) or (run.lease if run else None)
        return who, where.within(lease, run.incarnation if run else None)

    def _lease(self, where: Address) -> Lease | None:
        """Return the lease that the calling context runs a thread of this database under."""
        return current_lease((self._runner().place, *where.thread))

    def _fenced(self, operation: Operation[T], who: Principal, thread_ids: Sequence[str] | None = None) -> Operation[T]:
        """Return an operation on the principal's threads, or on all of them, as a run may do it that holds some."""
        return fenced(operation, self._runner().place, who.name, thread_ids)

    @property
    def _context(self) -> Context:
        return operations.Context(self.serde, self._memory, self._labels_of, self._retention)

    def _told(self, operation: Operation[T]) -> Operation[T]:
        """Return an operation as the database sees it: encrypted where this saver encrypts."""
        operation, ring = operations.explained(operation), self._encryption
        if ring is None:
            return operation
        return sealed(operation, ring() if callable(ring) else ring, self.serde)

    def _run(self, operation: Operation[T], who: Principal | None, where: Address | None = None) -> T:
        operation = self._told(operation)
        runner, thread = self._runner(), where.thread if where else None
        if isinstance(runner, SyncRunner):
            return runner.run(operation, who, thread)
        return self._on(runner, runner.run(operation, who, thread))

    async def _arun(self, operation: Operation[T], who: Principal | None, where: Address | None = None) -> T:
        operation = self._told(operation)
        runner, thread = self._runner(), where.thread if where else None
        if isinstance(runner, AsyncRunner):
            return await runner.run(operation, who, thread)
        return await asyncio.to_thread(runner.run, operation, who, thread)

    def _on(self, runner: AsyncRunner, call: Coroutine[Any, Any, T]) -> T:
        """Run an async call from a thread that is not its loop's."""
        try:
            loop = runner.other_loop()
        except BaseException:
            call.close()
            raise
        return asyncio.run_coroutine_threadsafe(call, loop).result()

    def _runner(self) -> SyncRunner | AsyncRunner:
        if not self._runners:
            raise NotOpenError
        return self._runners[-1]
