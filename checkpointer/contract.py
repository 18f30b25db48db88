"""LangGraph's contract for checkpoint savers, sync and async, over operations that are written once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from checkpointer import delta, operations, pruning
from checkpointer.addresses import address, valid_thread_id
from checkpointer.company import MOMENT, Waiting, goes_along, store_together
from checkpointer.driven import Driven
from checkpointer.listing import Listing
from checkpointer.principal import Principal, current_principal
from checkpointer.runner import AsyncRunner, SyncRunner
from checkpointer.storing import Made, Written, store

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from checkpointer.addresses import Address


class Contract(Driven):
    """The methods that LangGraph calls."""

    # --- reading ----------------------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the config's checkpoint, without an id the latest committed one, or None."""
        who, where = self._where(config, starts=True)
        where = where.within(where.lease, self._runs.started(config, who, where.lease))
        return self._run(operations.get_tuple(self._context, where), who)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Async version of `get_tuple`."""
        who, where = self._where(config, starts=True)
        where = where.within(where.lease, self._runs.started(config, who, where.lease))
        return await self._arun(operations.get_tuple(self._context, where), who)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the contract's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield checkpoints, newest first; without a config those of all threads of the principal.

        Pages are read as they are needed, and no connection is held between them.
        """
        who, listing = self._listing(config, filter, before, limit)
        return self._pages(listing, who)

    def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the contract's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Async version of `list`."""
        who, listing = self._listing(config, filter, before, limit)
        return self._apages(listing, who)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what each DeltaChannel's value at the config's checkpoint is rebuilt from, along its own branch."""
        who, where = self._where(config)
        return self._run(delta.history(self._context, where, channels), who)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Async version of `get_delta_channel_history`."""
        who, where = self._where(config)
        return await self._arun(delta.history(self._context, where, channels), who)

    # --- writing ----------------------------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and return its config; the given config's checkpoint id is its parent.

        Raises:
            BlockedTypeError: A value's type is not on the allow-list. Nothing is stored.
            UnserializableError: A value cannot be stored. Nothing is stored.
            ThreadDeletedError: The thread was deleted since the run began, or the parent is not there.
        """
        who, where = self._where(config)
        made = Made(config, checkpoint, metadata, new_versions)
        self._run(store_together(self._context, where, self._company, made), who, where)
        return where.config(checkpoint["id"])

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Async version of `put`."""
        who, where = self._where(config)
        made = Made(config, checkpoint, metadata, new_versions)
        await self._arun(store_together(self._context, where, self._company, made), who, where)
        return where.config(checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote, for the checkpoint that the config names. Storing it again changes nothing.

        Raises:
            BlockedTypeError, UnserializableError, ThreadDeletedError: As `put` says.
        """
        who, where = self._where(config)
        if writes:
            self._store_writes(Written(writes, task_id, task_path), who, where)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Async version of `put_writes`."""
        who, where = self._where(config)
        if writes:
            await self._astore_writes(Written(writes, task_id, task_path), who, where)

    def get_next_version(self, current: Any, channel: None) -> Any:
        """Return the version after `current`; a thread that came from LangGraph's Postgres saver keeps its texts."""
        if isinstance(current, str):
            return f"{int(current.split('.')[0]) + 1:032}"
        return super().get_next_version(current, channel)

    # --- whole threads ----------------------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread of the principal with everything in it, in every namespace.

        A run that is still going in it gets ThreadDeletedError from its next write. A new run begins anew.
        """
        who = current_principal(self._principal)
        deleting = operations.delete_thread(self._context, who.name, [valid_thread_id(thread_id)])
        self._run(self._fenced(deleting, who, [thread_id]), who)

    async def adelete_thread(self, thread_id: str) -> None:
        """Async version of `delete_thread`."""
        who = current_principal(self._principal)
        deleting = operations.delete_thread(self._context, who.name, [valid_thread_id(thread_id)])
        await self._arun(self._fenced(deleting, who, [thread_id]), who)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints and writes that these runs stored in threads of the principal."""
        who = current_principal(self._principal)
        self._run(self._fenced(operations.delete_for_runs(self._context, who.name, run_ids), who), who)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Async version of `delete_for_runs`."""
        who = current_principal(self._principal)
        await self._arun(self._fenced(operations.delete_for_runs(self._context, who.name, run_ids), who), who)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a whole thread of the principal. An unknown source copies nothing.

        Raises:
            ThreadExistsError: The target is there already.
        """
        who = current_principal(self._principal)
        source, target = valid_thread_id(source_thread_id), valid_thread_id(target_thread_id)
        self._run(operations.copy_thread(who.name, source, target), who)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Async version of `copy_thread`."""
        who = current_principal(self._principal)
        source, target = valid_thread_id(source_thread_id), valid_thread_id(target_thread_id)
        await self._arun(operations.copy_thread(who.name, source, target), who)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep only the latest checkpoint of every namespace ("keep_latest"), or nothing ("delete").

        A DeltaChannel's older checkpoints are kept back to the snapshot that its latest value is built on.

        Raises:
            ValueError: The strategy is neither.
        """
        who = current_principal(self._principal)
        ids = list(map(valid_thread_id, thread_ids))
        self._run(self._fenced(pruning.prune(self._context, who.name, ids, strategy), who, ids), who)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Async version of `prune`."""
        who = current_principal(self._principal)
        ids = list(map(valid_thread_id, thread_ids))
        await self._arun(self._fenced(pruning.prune(self._context, who.name, ids, strategy), who, ids), who)

    # --- inside -----------------------------------------------------------------------------------------------

    def _listing(
        self,
        config: RunnableConfig | None,
        wanted: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> tuple[Principal, Listing]:
        who = current_principal(self._principal, config)
        where = address(config, who.name) if config is not None else None
        if config is not None and where is not None and before is not None and limit == 1:
            # So begins a subgraph of a run that goes back in time.
            self._runs.started(config, who, self._lease(where))
        return who, Listing(self._context, who.name, where, wanted=wanted, before=before, limit=limit)

    def _pages(self, listing: Listing, who: Principal) -> Iterator[CheckpointTuple]:
        while not listing.done:
            yield from self._run(listing.page(), who)

    async def _apages(self, listing: Listing, who: Principal) -> AsyncIterator[CheckpointTuple]:
        while not listing.done:
            for found in await self._arun(listing.page(), who):
                yield found

    def _store_writes(self, written: Written, who: Principal, where: Address) -> None:
        runner = self._runner()
        if isinstance(runner, AsyncRunner):
            self._on(runner, self._astore_writes(written, who, where))
        elif not goes_along(written, where):
            self._run(store(self._context, where, (written,)), who, where)
        else:
            told = threading.Event()
            own = Waiting(written, told.set)
            self._company.join(where, own)
            try:
                told.wait(MOMENT)
                if not own.stored:
                    self._run(store_together(self._context, where, self._company, own), who, where)
            finally:
                self._company.leave(where, own)

    async def _astore_writes(self, written: Written, who: Principal, where: Address) -> None:
        if isinstance(self._runner(), SyncRunner):
            await asyncio.to_thread(self._store_writes, written, who, where)
        elif not goes_along(written, where):
            await self._arun(store(self._context, where, (written,)), who, where)
        else:
            told = asyncio.Event()
            own = Waiting(written, partial(asyncio.get_running_loop().call_soon_threadsafe, told.set))
            self._company.join(where, own)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(MOMENT):
                        await told.wait()
                if not own.stored:
                    await self._arun(store_together(self._context, where, self._company, own), who, where)
            finally:
                self._company.leave(where, own)
