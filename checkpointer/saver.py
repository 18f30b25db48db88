"""The checkpoint saver: how it is made, how its schema is, and the runs that it gives a thread to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from checkpointer import migrations
from checkpointer.company import Company
from checkpointer.contract import Contract
from checkpointer.governance import Governance
from checkpointer.labels import hook
from checkpointer.leases import OnBusy, Run, is_running
from checkpointer.memo import Memory
from checkpointer.principal import Principal, PrincipalSource
from checkpointer.renewals import Renewals
from checkpointer.runs import Runs
from checkpointer.serializer import strict_serializer

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpointer.encryption import Keyring
    from checkpointer.lakebase import Identity
    from checkpointer.policy import Retention
    from checkpointer.runner import AsyncRunner, Conninfo, SyncRunner


class GovernedPostgresSaver(Contract, Governance):
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
        serde: A serializer of your own. `EncryptedSerializer` of LangGraph's is one, which leaves metadata, titles and
            small values in the clear; `encryption` does not.
        encryption: Keys that everything which a user gave is encrypted under, or what is asked for them at every call;
            what is stored in the clear is then refused.
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
        EncryptionError: From every call that meets something which is not encrypted as it has to be.
        NoPrincipalError: From every call, when no principal is bound.
    """

    def __init__(
        self,
        conninfo: Conninfo,
        *,
        schema: str = "mooring",
        principal: Principal | PrincipalSource | None = None,
        serde: SerializerProtocol | None = None,
        encryption: Keyring | Callable[[], Keyring] | None = None,
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
        self._encryption = encryption
        self._retention = retention
        self._labels_of = hook(sources_of)
        self._pool = (min_size, max_size, timeout, stall_timeout)
        self._memory = Memory(cache_size)
        self._runs = Runs()
        self._renewals = Renewals()
        self._company = Company()
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
            on_busy: Whether a thread that another run holds raises ThreadBusyError, is waited for, or taken from it:
                that run stores nothing more then.
            wait_seconds: How long to wait for it; None for as long as it takes.
            lease_seconds: How long the lease lasts when the process dies, 0.1 to 3600. It is renewed three times as
                often.

        Raises:
            ThreadBusyError, StaleLeaseError: As `Run` says.
            ValueError: `on_busy` or `lease_seconds` is none of these.
        """
        who, where = self._where(config)
        return Run(
            self,
            self._renewals,
            who,
            where,
            self._runner().place,
            on_busy=on_busy,
            wait_seconds=wait_seconds,
            lease_seconds=lease_seconds,
        )

    def is_running(self, config: RunnableConfig) -> bool:
        """Tell whether a run has the config's thread now, in any process; of a thread that the principal sees.

        One whose process was killed has it until its lease is over, where that process was of another machine.
        """
        who, where = self._where(config, starts=True)
        return self._run(is_running(where), who)

    async def ais_running(self, config: RunnableConfig) -> bool:
        """Async version of `is_running`."""
        who, where = self._where(config, starts=True)
        return await self._arun(is_running(where), who)
