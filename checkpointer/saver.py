"""The checkpoint saver: LangGraph's contract, sync and async, over operations that are written once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from checkpointer import audit as auditing
from checkpointer import delta, migrations, operations, pruning, reasons, sessions, sharing
from checkpointer import retention as retaining
from checkpointer.addresses import Address, address, valid_owner, valid_thread_id
from checkpointer.errors import NotOpenError
from checkpointer.labels import hook
from checkpointer.leases import OnBusy, Renewals, Run, current_lease
from checkpointer.listing import Listing
from checkpointer.memo import Memory
from checkpointer.principal import Principal, PrincipalSource, current_principal
from checkpointer.retention import FOREVER, Expired, Expiry, Retention
from checkpointer.runner import AsyncRunner, Conninfo, SyncRunner
from checkpointer.runs import Runs
from checkpointer.serializer import strict_serializer

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType

    from databricks.sdk import WorkspaceClient
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.audit import AuditLine
    from checkpointer.lakebase import Identity
    from checkpointer.operations import Context, Operation
    from checkpointer.reasons import MessageReasons
    from checkpointer.sessions import Session
    from checkpointer.sharing import Share, ShareRole

T = TypeVar("T")


class GovernedPostgresSaver(BaseCheckpointSaver[int]):
    """A LangGraph checkpointer that the database itself guards: every call is made for one principal.

        GovernedPostgresSaver.migrate(admin_dsn, runtime_role="mooring_service")  # once, as the schema's owner
        with GovernedPostgresSaver.from_conn_string(runtime_dsn) as saver:        # or `async with`
            graph = builder.compile(checkpointer=saver)
            with acting_as(Principal("alice@example.com")):
                graph.invoke(question, {"configurable": {"thread_id": "t1"}})

    Entered with `with`, its async methods run on worker threads; entered with `async with`, its sync methods may be
    called from any thread but the event loop's. Each operation is one network round trip.

    Args:
        conninfo: How to connect as the runtime role; a libpq connection string or URL, or a function that returns one
            for each new connection.
        schema: Where `migrate` put the tables.
        principal: Used where none is bound; for scripts of one user. Or a function that is asked at every call, for
            a server that knows who calls: it gets the call's config, and returns None for nobody.
        serde: A serializer of your own, for instance LangGraph's `EncryptedSerializer`.
        retention: The policy for threads that have none of their own; it takes effect with `expire`. Only a saver with
            a policy, be it `Retention()`, makes reads count as use where a policy asks for that.
        sources_of: Names the tables, as `catalog.schema.table`, that a value of the state was derived from, besides
            what it carries itself (see `checkpointer.labels`). It is asked about every element of a list and entry of a
            dict, and its answer hangs on the value alone. Who may not read one of them now is not shown the value.
        allowed_types: Classes of your graph's state that may be rebuilt from the database, besides LangGraph's and
            LangChain's own.
        cache_size: Bytes of content kept in this process, at most, so that it is not fetched at every read; the
            database decides at every read all the same what of it the principal may see.
        min_size: Connections kept open.
        max_size: Connections at most.
        timeout: Seconds to wait for a connection.
        stall_timeout: Seconds after which a connection whose server does not answer is given up as lost. An operation
            that waits for a lock or sends much is given up as well.

    Raises:
        SchemaError, UnsafeRoleError: On entering, when the schema or the role is not fit for use.
        NoPrincipalError: From every call, when no principal is bound.
    """

    def __init__(
        self,
        conninfo: Conninfo,
        *,
        schema: str = "mooring",
        principal: Principal | PrincipalSource | None = None,
        serde: SerializerProtocol | None = None,
        retention: Retention | None = None,
        sources_of: Callable[[Any], Iterable[str]] | None = None,
        allowed_types: Iterable[type | tuple[str, str]] = (),
        cache_size: int = 64_000_000,
        min_size: int = 1,
        max_size: int = 8,
        timeout: float = 30.0,
        stall_timeout: float = 60.0,
    ) -> None:
        super().__init__(serde=serde or strict_serializer(allowed_types))
        self._conninfo = conninfo
        self._schema = schema
        self._principal = principal
        self._retention = retention
        self._labels_of = hook(sources_of)
        self._pool = (min_size, max_size, timeout, stall_timeout)
        self._memory = Memory(cache_size)
        self._runs = Runs()
        self._renewals = Renewals()
        # Clones made by `with_allowlist` share it, so they are open when the original is.
        self._runners: list[SyncRunner | AsyncRunner] = []

    @classmethod
    def from_conn_string(cls, conn_string: str, **options: Any) -> Self:
        """Return a saver to be entered with `with` or `async with`; options as for the class."""
        return cls(conn_string, **options)

    @classmethod
    def from_lakebase(
        cls,
        *,
        endpoint: str | None = None,
        project: str | None = None,
        branch: str | None = None,
        instance: str | None = None,
        database: str | None = None,
        identity: Identity = "broker",
        workspace_client: WorkspaceClient | None = None,
        port: int | None = None,
        sslrootcert: str | None = None,
        **options: Any,
    ) -> Self:
        """Return a saver on Databricks Lakebase, which connects over TLS with tokens that are minted as needed.

        The workspace is asked at once where the compute is and for a first token. Needs the package databricks-sdk.

        Args:
            endpoint: A compute, as `projects/.../branches/.../endpoints/...` (LAKEBASE_ENDPOINT).
            project: A project, whose `branch` (else production) has one compute that takes writes
                (LAKEBASE_AUTOSCALING_PROJECT).
            branch: A branch of the project (LAKEBASE_AUTOSCALING_BRANCH).
            instance: A provisioned instance (LAKEBASE_INSTANCE_NAME).
            database: The database (PGDATABASE); databricks_postgres if nothing says another.
            identity: `broker` for the runtime role, which is believed about the principal of each call, with a pool
                sized by the compute; `login` for one caller's own login, who is the principal, with a small pool.
            workspace_client: Who connects; for `login` the caller's own client. The SDK's default when none is given.
            port: The port (PGPORT).
            sslrootcert: Whom the server's certificate must be signed by, a file or `system` (PGSSLROOTCERT).
            options: As for the class.

        Raises:
            LakebaseError: No compute is named, or the workspace refuses; the message names what is missing.
        """
        from checkpointer.lakebase import lakebase  # its package is optional

        source = lakebase(
            endpoint=endpoint,
            project=project,
            branch=branch,
            instance=instance,
            database=database,
            port=port,
            sslrootcert=sslrootcert,
            identity=identity,
            workspace_client=workspace_client,
        )
        if identity == "login":
            options["principal"] = Principal(source.user)
        return cls(source, **{"max_size": source.pool_size(identity), **options})

    # --- the schema -------------------------------------------------------------------------------------------

    @staticmethod
    def migrate(
        admin_dsn: str,
        *,
        runtime_role: str,
        login_role: str | None = None,
        auditor_role: str | None = None,
        schema: str = "mooring",
        chat_schema: str | None = None,
    ) -> list[str]:
        """Create or update the schema as its owner; return the names of the migrations applied.

        Args:
            admin_dsn: How to connect as the schema's owner, who is not the runtime role.
            runtime_role: The role that savers connect as. Its members are believed about the principal they bind.
            login_role: A group of people who log in by themselves; each may read their own sessions with SQL.
            auditor_role: A group of people who read the whole audit, and any session after saying why.
            schema: Where to put the tables.
            chat_schema: Where to put views of sessions that a page of Databricks AppKit reads; none if not given.

        Raises:
            SchemaError: The runtime role or the auditors' does not exist, those views' places are taken, or the role
                that connects may not migrate.
            DatabaseUnavailableError: It cannot connect.
        """
        return migrations.migrate(admin_dsn, schema, runtime_role, login_role, auditor_role, chat_schema)

    @staticmethod
    async def amigrate(
        admin_dsn: str,
        *,
        runtime_role: str,
        login_role: str | None = None,
        auditor_role: str | None = None,
        schema: str = "mooring",
        chat_schema: str | None = None,
    ) -> list[str]:
        """Async version of `migrate`."""
        return await asyncio.to_thread(
            migrations.migrate, admin_dsn, schema, runtime_role, login_role, auditor_role, chat_schema
        )

    @staticmethod
    def migration_sql(
        *,
        runtime_role: str,
        login_role: str | None = None,
        auditor_role: str | None = None,
        schema: str = "mooring",
        chat_schema: str | None = None,
    ) -> str:
        """Return the SQL that `migrate` runs on an empty database, for somebody else to review and run."""
        return migrations.migration_sql(schema, runtime_role, login_role, auditor_role, chat_schema)

    def setup(self) -> None:
        """Verify that the schema is there and current and that policies bind this role. Changes nothing.

        Raises:
            SchemaError, UnsafeRoleError: With the command that mends it.
        """
        self._run(migrations.verify(self._schema), None)

    async def asetup(self) -> None:
        """Async version of `setup`."""
        await self._arun(migrations.verify(self._schema), None)

    # --- opening and closing ----------------------------------------------------------------------------------

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

    # --- reading ----------------------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the config's checkpoint, without an id the latest committed one, or None."""
        who, where = self._where(config, starts=True)
        where = replace(where, incarnation=self._runs.started(config, who, where.lease))
        return self._run(operations.get_tuple(self._context, where), who)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Async version of `get_tuple`."""
        who, where = self._where(config, starts=True)
        where = replace(where, incarnation=self._runs.started(config, who, where.lease))
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
        return self._run(operations.put(self._context, where, config, checkpoint, metadata, new_versions), who, where)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Async version of `put`."""
        who, where = self._where(config)
        return await self._arun(
            operations.put(self._context, where, config, checkpoint, metadata, new_versions), who, where
        )

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote, for the checkpoint that the config names. Storing it again changes nothing.

        Raises:
            BlockedTypeError, UnserializableError, ThreadDeletedError: As `put` says.
        """
        who, where = self._where(config)
        self._run(operations.put_writes(self._context, where, writes, task_id, task_path), who, where)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Async version of `put_writes`."""
        who, where = self._where(config)
        await self._arun(operations.put_writes(self._context, where, writes, task_id, task_path), who, where)

    def get_next_version(self, current: Any, channel: None) -> Any:
        """Return the version after `current`; a thread that came from LangGraph's Postgres saver keeps its texts."""
        if isinstance(current, str):
            return f"{int(current.split('.')[0]) + 1:032}"
        return super().get_next_version(current, channel)

    # --- runs --------------------------------------------------------------------------------------------------

    def run(
        self,
        config: RunnableConfig,
        *,
        on_busy: OnBusy = "reject",
        wait_seconds: float | None = 30.0,
        lease_seconds: float = 10.0,
    ) -> Run:
        """Return the exclusive right to run the config's thread, to be entered with `with` or `async with`.

            with acting_as(principal), saver.run(config):
                graph.invoke(question, config)

        Every write inside carries the lease's number, and one that is no longer the latest is refused. Runs without a
        lease are not held up by it.

        Args:
            config: Names the thread; every namespace of it is meant.
            on_busy: Whether a thread that another run holds raises ThreadBusyError, or is waited for.
            wait_seconds: How long to wait for it; None for as long as it takes.
            lease_seconds: How long the lease lasts when the process dies. It is renewed three times as often.

        Raises:
            ThreadBusyError, StaleLeaseError: As `Run` says.
        """
        who, where = self._where(config)
        return Run(
            self,
            self._renewals,
            who,
            where,
            on_busy=on_busy,
            wait_seconds=wait_seconds,
            lease_seconds=lease_seconds,
        )

    def drive(self, operation: Operation[T], who: Principal) -> T:
        """Run an operation of this package for a principal."""
        return self._run(operation, who)

    async def adrive(self, operation: Operation[T], who: Principal) -> T:
        """Async version of `drive`."""
        return await self._arun(operation, who)

    # --- whole threads ----------------------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread of the principal with everything in it, in every namespace.

        A run that is still going in it gets ThreadDeletedError from its next write. A new run begins anew.
        """
        who = current_principal(self._principal)
        self._run(operations.delete_thread(self._context, who.name, [valid_thread_id(thread_id)]), who)

    async def adelete_thread(self, thread_id: str) -> None:
        """Async version of `delete_thread`."""
        who = current_principal(self._principal)
        await self._arun(operations.delete_thread(self._context, who.name, [valid_thread_id(thread_id)]), who)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints and writes that these runs stored in threads of the principal."""
        who = current_principal(self._principal)
        self._run(operations.delete_for_runs(self._context, who.name, run_ids), who)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Async version of `delete_for_runs`."""
        who = current_principal(self._principal)
        await self._arun(operations.delete_for_runs(self._context, who.name, run_ids), who)

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
        self._run(pruning.prune(self._context, who.name, list(map(valid_thread_id, thread_ids)), strategy), who)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Async version of `prune`."""
        who = current_principal(self._principal)
        ids = list(map(valid_thread_id, thread_ids))
        await self._arun(pruning.prune(self._context, who.name, ids, strategy), who)

    # --- retention --------------------------------------------------------------------------------------------

    def set_retention(self, thread_id: str, retention: Retention | None) -> None:
        """Give a thread a policy of its own, which goes before every other; None takes it away.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
            ValueError: Reads are to count as use, and this saver was opened without a policy.
        """
        who = current_principal(self._principal)
        self._run(self._set_retention(who, thread_id, retention), who)

    async def aset_retention(self, thread_id: str, retention: Retention | None) -> None:
        """Async version of `set_retention`."""
        who = current_principal(self._principal)
        await self._arun(self._set_retention(who, thread_id, retention), who)

    def get_retention(self, thread_id: str) -> Retention | None:
        """Return a thread's own policy, None where it has none.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
        """
        who = current_principal(self._principal)
        return self._run(retaining.get_retention(who.name, valid_thread_id(thread_id)), who)

    async def aget_retention(self, thread_id: str) -> Retention | None:
        """Async version of `get_retention`."""
        who = current_principal(self._principal)
        return await self._arun(retaining.get_retention(who.name, valid_thread_id(thread_id)), who)

    def expire(
        self,
        thread_ids: Sequence[str] | None = None,
        *,
        retention: Retention | None = None,
        dry_run: bool = False,
    ) -> Sequence[Expired]:
        """Delete what the policies say of the principal's threads, and return what went and what was blocked.

        Whole threads go a `ttl` after their last use; of the others, older checkpoints beyond `keep_last`, with what
        only they refer to. A thread under legal hold and one with a run going stay, and are named.

        Args:
            thread_ids: Only these; without, all of the principal's.
            retention: The policy for threads that have none of their own, instead of the saver's.
            dry_run: Only say what would go.
        """
        who, expiry = self._expiry(thread_ids, retention, dry_run)
        found: list[Expired] = []
        while not expiry.done:
            found += self._run(expiry.page(self._memory), who)
        return found

    async def aexpire(
        self,
        thread_ids: Sequence[str] | None = None,
        *,
        retention: Retention | None = None,
        dry_run: bool = False,
    ) -> Sequence[Expired]:
        """Async version of `expire`."""
        who, expiry = self._expiry(thread_ids, retention, dry_run)
        found: list[Expired] = []
        while not expiry.done:
            found += await self._arun(expiry.page(self._memory), who)
        return found

    # --- sessions ---------------------------------------------------------------------------------------------

    def sessions(
        self, *, thread_id: str | None = None, owner: str | None = None, limit: int = 1000
    ) -> Sequence[Session]:
        """Return the principal's sessions, the one used last first; with an owner, those that they share with them."""
        who = current_principal(self._principal)
        return self._run(sessions.list_sessions(valid_owner(owner) or who.name, thread_id, limit), who)

    async def asessions(
        self, *, thread_id: str | None = None, owner: str | None = None, limit: int = 1000
    ) -> Sequence[Session]:
        """Async version of `sessions`."""
        who = current_principal(self._principal)
        return await self._arun(sessions.list_sessions(valid_owner(owner) or who.name, thread_id, limit), who)

    def rename(self, thread_id: str, title: str | None) -> None:
        """Give a session a title; its thread id stays.

        Raises:
            ThreadNotFoundError: The principal has no such session.
        """
        who = current_principal(self._principal)
        self._run(sessions.rename(who.name, valid_thread_id(thread_id), title), who)

    async def arename(self, thread_id: str, title: str | None) -> None:
        """Async version of `rename`."""
        who = current_principal(self._principal)
        await self._arun(sessions.rename(who.name, valid_thread_id(thread_id), title), who)

    def why(self, thread_id: str) -> Sequence[MessageReasons]:
        """Explain, for each message of a session, from which tables it was derived and whether it may be read now.

        Raises:
            ThreadNotFoundError: The principal has no such session.
        """
        who = current_principal(self._principal)
        return self._run(reasons.why(who.name, valid_thread_id(thread_id)), who)

    async def awhy(self, thread_id: str) -> Sequence[MessageReasons]:
        """Async version of `why`."""
        who = current_principal(self._principal)
        return await self._arun(reasons.why(who.name, valid_thread_id(thread_id)), who)

    # --- sharing ----------------------------------------------------------------------------------------------

    def share(self, thread_id: str, with_: str, role: ShareRole = "viewer") -> None:
        """Share a thread of the principal's, which others address by `configurable["thread_owner"]`.

        A viewer reads it, an editor goes on with it, each as themselves: what was derived from tables is shown to those
        who may read them in the same way.

        Args:
            thread_id: One's own thread.
            with_: A principal's name, or `group:` and the name of a group.
            role: What they may do; who has the thread already gets this role.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
            ValueError: The name cannot be one, is the principal's own, or the role is neither.
        """
        who = current_principal(self._principal)
        self._run(sharing.share(who.name, valid_thread_id(thread_id), with_, role), who)

    async def ashare(self, thread_id: str, with_: str, role: ShareRole = "viewer") -> None:
        """Async version of `share`."""
        who = current_principal(self._principal)
        await self._arun(sharing.share(who.name, valid_thread_id(thread_id), with_, role), who)

    def unshare(self, thread_id: str, with_: str) -> None:
        """Share a thread of the principal's no longer; it is as if it had never been, also for a run that is going.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
            NotSharedError: It is not shared with them.
        """
        who = current_principal(self._principal)
        self._run(sharing.unshare(who.name, valid_thread_id(thread_id), with_), who)

    async def aunshare(self, thread_id: str, with_: str) -> None:
        """Async version of `unshare`."""
        who = current_principal(self._principal)
        await self._arun(sharing.unshare(who.name, valid_thread_id(thread_id), with_), who)

    def shares(self, thread_id: str | None = None) -> Sequence[Share]:
        """Return whom a thread of the principal's is shared with.

        Without one, all shares of theirs, and then the threads of others that are shared with them.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
        """
        who = current_principal(self._principal)
        named = None if thread_id is None else valid_thread_id(thread_id)
        return self._run(sharing.list_shares(who.name, named), who)

    async def ashares(self, thread_id: str | None = None) -> Sequence[Share]:
        """Async version of `shares`."""
        who = current_principal(self._principal)
        named = None if thread_id is None else valid_thread_id(thread_id)
        return await self._arun(sharing.list_shares(who.name, named), who)

    def transfer(self, thread_id: str, to: str) -> None:
        """Give a thread of the principal's away, with everything in it and its shares. Labels stay what they are.

        Where the other has a thread of that id, which is not told, it gets something behind it.

        Raises:
            ThreadNotFoundError: The principal has no such thread.
            ThreadBusyError, ThreadHeldError: A run is going in it, or it is under legal hold.
            ValueError: The name cannot be a person's, or is the principal's own.
        """
        who = current_principal(self._principal)
        self._run(self._transfer(who, thread_id, to), who)

    async def atransfer(self, thread_id: str, to: str) -> None:
        """Async version of `transfer`."""
        who = current_principal(self._principal)
        await self._arun(self._transfer(who, thread_id, to), who)

    # --- audit ------------------------------------------------------------------------------------------------

    def audit(
        self,
        *,
        thread_id: str | None = None,
        user: str | None = None,
        table: str | None = None,
        since: timedelta | None = None,
        limit: int = 1000,
    ) -> Sequence[AuditLine]:
        """Return what the audit tells of the principal's threads and acts, and an auditor of everything, newest first.

        Args:
            thread_id: Only of threads of this id.
            user: Only what this person did, or what was done with them.
            table: Only what was read from this table, or withheld because of it: `catalog.schema.table` or its end.
            since: Only the latest, so far back.
            limit: At most so many lines.
        """
        who = current_principal(self._principal)
        return self._run(auditing.lines(thread_id, user, table, since, limit), who)

    async def aaudit(
        self,
        *,
        thread_id: str | None = None,
        user: str | None = None,
        table: str | None = None,
        since: timedelta | None = None,
        limit: int = 1000,
    ) -> Sequence[AuditLine]:
        """Async version of `audit`."""
        who = current_principal(self._principal)
        return await self._arun(auditing.lines(thread_id, user, table, since, limit), who)

    def export(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a thread's latest checkpoint as `get_tuple` does; the audit tells that it was taken out."""
        who, where = self._where(config, starts=True)
        return self._run(operations.export(self._context, where), who)

    async def aexport(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Async version of `export`."""
        who, where = self._where(config, starts=True)
        return await self._arun(operations.export(self._context, where), who)

    def break_glass(self, owner: str, thread_id: str, *, reason: str) -> Session:
        """Let the principal, an auditor, read anybody's thread for a minute, whole and labels aside.

        What it says is in the audit before anything can be read, by `configurable["thread_owner"]`.

        Raises:
            NotAuditorError: The principal is not a member of the auditors' role.
            ThreadNotFoundError: There is no such thread. The audit tells of the attempt.
            ValueError: There is no reason.
        """
        who = current_principal(self._principal)
        return self._run(auditing.break_glass(valid_owner(owner) or who.name, valid_thread_id(thread_id), reason), who)

    async def abreak_glass(self, owner: str, thread_id: str, *, reason: str) -> Session:
        """Async version of `break_glass`."""
        who = current_principal(self._principal)
        named = valid_owner(owner) or who.name
        return await self._arun(auditing.break_glass(named, valid_thread_id(thread_id), reason), who)

    # --- inside -----------------------------------------------------------------------------------------------

    @property
    def _context(self) -> Context:
        return operations.Context(self.serde, self._memory, self._labels_of, self._retention)

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
        lease = current_lease(where.thread) or (run.lease if run else None)
        return who, replace(where, lease=lease, incarnation=run.incarnation if run else None)

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
            self._runs.started(config, who, current_lease(where.thread))
        return who, Listing(self._context, who.name, where, wanted=wanted, before=before, limit=limit)

    def _set_retention(self, who: Principal, thread_id: str, retention: Retention | None) -> Operation[None]:
        if retention is not None and retention.refresh_on_read and self._retention is None:
            msg = (
                "This saver's reads would not count as use. Open it, and every other one, with `retention=Retention()`."
            )
            raise ValueError(msg)
        return retaining.set_retention(who.name, valid_thread_id(thread_id), retention)

    def _transfer(self, who: Principal, thread_id: str, to: str) -> Operation[None]:
        named = valid_thread_id(thread_id)
        yield from sharing.transfer(who.name, named, to)
        self._memory.forget((who.name, named))

    def _expiry(
        self, thread_ids: Sequence[str] | None, retention: Retention | None, dry_run: bool
    ) -> tuple[Principal, Expiry]:
        who = current_principal(self._principal)
        named = None if thread_ids is None else list(map(valid_thread_id, thread_ids))
        return who, Expiry(who.name, retention or self._retention or FOREVER, thread_ids=named, dry_run=dry_run)

    def _pages(self, listing: Listing, who: Principal) -> Iterator[CheckpointTuple]:
        while not listing.done:
            yield from self._run(listing.page(), who)

    async def _apages(self, listing: Listing, who: Principal) -> AsyncIterator[CheckpointTuple]:
        while not listing.done:
            for found in await self._arun(listing.page(), who):
                yield found

    def _run(self, operation: Operation[T], who: Principal | None, where: Address | None = None) -> T:
        operation = operations.explained(operation)
        runner, thread = self._runner(), where.thread if where else None
        if isinstance(runner, SyncRunner):
            return runner.run(operation, who, thread)
        loop = runner.other_loop()
        return asyncio.run_coroutine_threadsafe(runner.run(operation, who, thread), loop).result()

    async def _arun(self, operation: Operation[T], who: Principal | None, where: Address | None = None) -> T:
        operation = operations.explained(operation)
        runner, thread = self._runner(), where.thread if where else None
        if isinstance(runner, AsyncRunner):
            return await runner.run(operation, who, thread)
        return await asyncio.to_thread(runner.run, operation, who, thread)

    def _runner(self) -> SyncRunner | AsyncRunner:
        if not self._runners:
            raise NotOpenError
        return self._runners[-1]
