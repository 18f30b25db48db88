"""Connections to Lakebase: where a compute is, who connects, and a token for each new connection.

A token is a password for about an hour, looked at when a connection is made and never again. So each new connection
asks for one, and gets that of the last until shortly before it expires; connections that are there go on. psycopg's
pools take such a source in place of a connection string.

The SDK is an optional package, so nothing but `GovernedPostgresSaver.from_lakebase` imports this.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, get_args

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound, PermissionDenied, Unauthenticated
from databricks.sdk.service.postgres import EndpointType
from psycopg.conninfo import make_conninfo

from checkpointer.errors import CheckpointerError

Identity = Literal["login", "broker"]

_DATABASE = "databricks_postgres"
_BRANCH = "production"
# Seconds before its end that a token is not used for a new connection any more; at most a fifth of its life.
_EARLY = 300.0
# A compute of 1 CU takes 209 connections, of 4 CU 839, and others need some of them.
_PER_UNIT, _SHARE, _FEWEST, _MOST = 209, 0.1, 4, 32
_PER_LOGIN = 2
_SCOPES = re.compile(r"required scopes?:?\s*([\w-]+(?:(?:[.:]|\s*,\s*)[\w-]+)*)", re.IGNORECASE)


class LakebaseError(CheckpointerError):
    """Lakebase, or the workspace that it belongs to, cannot be asked."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a compute is."""

    host: str
    units: float | None
    """Its size in compute units when it is smallest, if that is told."""


class Compute(Protocol):
    """A compute of Lakebase, as the workspace's API knows it. Each method sends requests."""

    def place(self, client: WorkspaceClient) -> Place:
        """Return where it is."""
        ...

    def mint(self, client: WorkspaceClient) -> tuple[str, float]:
        """Return a token for the client's identity, and when it expires, in seconds since 1970."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A compute of a project, by its resource name `projects/.../branches/.../endpoints/...`."""

    name: str

    def place(self, client: WorkspaceClient) -> Place:
        """Return where it is."""
        status = client.postgres.get_endpoint(self.name).status
        if status is None or status.hosts is None or not status.hosts.host:
            raise LakebaseError(f"Lakebase does not tell where {self.name!r} is. Is it being made? Try again later.")
        return Place(status.hosts.host, status.autoscaling_limit_min_cu)

    def mint(self, client: WorkspaceClient) -> tuple[str, float]:
        """Return a token for the client's identity, and when it expires."""
        found = client.postgres.generate_database_credential(self.name)
        return found.token or "", float(found.expire_time.seconds) if found.expire_time else 0.0


@dataclass(frozen=True, slots=True)
class Instance:
    """A provisioned instance, by its name."""

    name: str

    def place(self, client: WorkspaceClient) -> Place:
        """Return where it is."""
        found = client.database.get_database_instance(self.name)
        if not found.read_write_dns:
            raise LakebaseError(f"Lakebase does not tell where {self.name!r} is. Is it being made? Try again later.")
        units = re.fullmatch(r"CU_(\d+)", found.capacity or "")
        return Place(found.read_write_dns, float(units[1]) if units else None)

    def mint(self, client: WorkspaceClient) -> tuple[str, float]:
        """Return a token for the client's identity, and when it expires."""
        found = client.database.generate_database_credential(instance_names=[self.name])
        expires = datetime.fromisoformat(found.expiration_time).timestamp() if found.expiration_time else 0.0
        return found.token or "", expires


class Lakebase:
    """A source of connection strings, each with a token that is good now. Threads may share it.

    Args:
        client: Whose tokens; the SDK's default credentials when none is given.
        compute: What to connect to.
        user: The Postgres role; the client's own identity when none is named.
        place: Where the compute is; the workspace is asked when it is not known.
        port: Its port.
        database: Name of the database.
        sslrootcert: Whom the server's certificate must be signed by, as libpq says it (a file, or `system`). Without
            it the connection is encrypted, and the certificate is not looked at.
        now: Seconds since 1970.

    Raises:
        LakebaseError: The workspace refuses, or cannot be reached. The message names what is missing.
    """

    def __init__(
        self,
        client: WorkspaceClient | None,
        compute: Compute,
        *,
        user: str | None = None,
        place: Place | None = None,
        port: int = 5432,
        database: str = _DATABASE,
        sslrootcert: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        _hide_credentials()
        self._compute = compute
        self._now = now
        self._lock = threading.Lock()
        self._token, self._renew_at, self._expires_at = "", 0.0, 0.0
        try:
            self._client = client or WorkspaceClient()
            place = place or compute.place(self._client)
            self.user = user or self._client.current_user.me().user_name or ""
            self._proven = "" if user else _digest(self._client)
        except (DatabricksError, OSError, ValueError) as error:
            raise _explained(error) from None
        self.units = place.units
        self._conninfo = make_conninfo(
            host=place.host,
            port=port,
            dbname=database,
            user=self.user,
            sslmode="verify-full" if sslrootcert else "require",
            sslrootcert=sslrootcert,
            # A token is worth a login: it travels in TLS or not at all.
            gssencmode="disable",
        )
        self._password()

    def __repr__(self) -> str:
        return f"Lakebase({self._compute!r}, user={self.user!r})"

    def __call__(self) -> str:
        """Return the connection string for a new connection.

        Raises:
            LakebaseError: There is no token, and none can be had.
        """
        return make_conninfo(self._conninfo, password=self._password())

    def use(self, client: WorkspaceClient) -> None:
        """Mint tokens with another client of the same user's from now on. Who that is, is asked once for a login.

        Raises:
            LakebaseError: It is somebody else's, or the workspace refuses.
        """
        try:
            proven = _digest(client)
            is_theirs = proven == self._proven or client.current_user.me().user_name == self.user
        except (DatabricksError, OSError, ValueError) as error:
            raise _explained(error) from None
        if not is_theirs:
            raise LakebaseError(f"The client is not that of {self.user!r}.")
        with self._lock:
            self._client, self._proven = client, proven

    def pool_size(self, identity: Identity) -> int:
        """Return how many connections a process may keep: few for one login, of a broker a share of the compute's."""
        if identity == "login":
            return _PER_LOGIN
        return min(_MOST, max(_FEWEST, int((self.units or 0.5) * _PER_UNIT * _SHARE)))

    def _password(self) -> str:
        with self._lock:
            now = self._now()
            if now >= self._renew_at:
                try:
                    self._token, self._expires_at = self._compute.mint(self._client)
                except (DatabricksError, OSError, ValueError) as error:
                    # Until it expires the last one still opens connections.
                    if now >= self._expires_at:
                        raise _explained(error) from None
                else:
                    self._renew_at = self._expires_at - min(_EARLY, (self._expires_at - now) / 5)
            return self._token


def lakebase(
    *,
    endpoint: str | None = None,
    project: str | None = None,
    branch: str | None = None,
    instance: str | None = None,
    database: str | None = None,
    port: int | None = None,
    sslrootcert: str | None = None,
    identity: Identity = "broker",
    workspace_client: WorkspaceClient | None = None,
    now: Callable[[], float] = time.time,
    environment: Mapping[str, str] = os.environ,
) -> Lakebase:
    """Return the source for a compute that is named here, else by the environment.

    The environment is as Databricks Apps makes it: LAKEBASE_ENDPOINT, LAKEBASE_AUTOSCALING_PROJECT and _BRANCH or
    LAKEBASE_INSTANCE_NAME name the compute; PGHOST, PGPORT, PGDATABASE and PGUSER (of a broker) say the rest where they
    are set, and count only then.

    Raises:
        LakebaseError: No compute is named, or two are, or a branch of another one.
    """
    if identity not in get_args(Identity):
        raise LakebaseError(f"The identity {identity!r} is none of {' and '.join(get_args(Identity))}.")
    env: Mapping[str, str] = {}
    own_branch = branch
    if not (endpoint or project or instance):
        env = environment
        endpoint, instance = env.get("LAKEBASE_ENDPOINT"), env.get("LAKEBASE_INSTANCE_NAME")
        project, branch = env.get("LAKEBASE_AUTOSCALING_PROJECT"), branch or env.get("LAKEBASE_AUTOSCALING_BRANCH")
    named = [each for each in (endpoint, project, instance) if each]
    if len(named) != 1:
        what = "are named" if named else "is named"
        raise LakebaseError(
            f"{len(named) or 'No'} Lakebase compute{'s' * bool(named)} {what}. Name one: endpoint (LAKEBASE_ENDPOINT), "
            "project and branch (LAKEBASE_AUTOSCALING_PROJECT, _BRANCH) or instance (LAKEBASE_INSTANCE_NAME)."
        )
    if own_branch and not project:
        raise LakebaseError(
            f"The branch {own_branch!r} is named beside a compute that is not its project's. "
            "Name its project, or leave it out."
        )
    client = workspace_client
    compute: Compute
    if endpoint:
        compute = Endpoint(endpoint)
    elif project:
        client = client or _default_client()
        compute = _read_write(client, _branch(project, branch))
    else:
        compute = Instance(instance or "")
    return Lakebase(
        client,
        compute,
        user=env.get("PGUSER") if identity == "broker" else None,
        # Of the branch that the environment names, and not of another.
        place=Place(env["PGHOST"], None) if env.get("PGHOST") and not own_branch else None,
        port=port or _port(env.get("PGPORT") or "5432"),
        database=database or env.get("PGDATABASE") or _DATABASE,
        sslrootcert=sslrootcert or env.get("PGSSLROOTCERT"),
        now=now,
    )


def _digest(client: WorkspaceClient) -> str:
    """Return what tells a client's credentials from others, and is not them."""
    said = json.dumps([client.config.host, client.config.authenticate()], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _default_client() -> WorkspaceClient:
    try:
        return WorkspaceClient()
    except ValueError as error:
        raise _explained(error) from None


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise LakebaseError("PGPORT is not the number of a port.")
    return int(text)


def _branch(project: str, branch: str | None) -> str:
    parent = project if project.startswith("projects/") else f"projects/{project}"
    if not branch or not branch.startswith("projects/"):
        return f"{parent}/branches/{branch or _BRANCH}"
    if not branch.startswith(f"{parent}/branches/"):
        raise LakebaseError(f"The branch {branch!r} is not one of the project {project!r}. Name one of them.")
    return branch


def _read_write(client: WorkspaceClient, branch: str) -> Endpoint:
    try:
        for found in client.postgres.list_endpoints(branch):
            if found.name and found.status and found.status.endpoint_type is EndpointType.ENDPOINT_TYPE_READ_WRITE:
                return Endpoint(found.name)
    except (DatabricksError, OSError, ValueError) as error:
        raise _explained(error) from None
    raise LakebaseError(f"{branch!r} has no compute that takes writes. Add one, or name another branch.")


def _explained(error: Exception) -> LakebaseError:
    # What the SDK says names its configuration, so that only what kind of error it was is told.
    if found := _SCOPES.search(str(error)):
        return LakebaseError(
            f"The login to Databricks was not given the scope {found[1]}, which Lakebase needs. An administrator can "
            "add it to the user authorization of this app or endpoint; log in again after that."
        )
    if isinstance(error, Unauthenticated):
        return LakebaseError("The workspace does not accept the login to Databricks, or no longer does. Log in again.")
    if isinstance(error, PermissionDenied):
        return LakebaseError("The workspace refused: ask the owner of the Lakebase project for CAN USE.")
    if isinstance(error, NotFound):
        return LakebaseError(
            "The workspace knows no such Lakebase compute. Look at what LAKEBASE_... or the call name."
        )
    if isinstance(error, ValueError) and not isinstance(error, DatabricksError):
        return LakebaseError("No login to Databricks is configured. Run `databricks auth login`, or pass a client.")
    return LakebaseError(f"The workspace cannot be asked for Lakebase ({type(error).__name__}). Try again in a moment.")


class _WithoutCredentials(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        first = record.getMessage().partition("\n")[0]
        if first.endswith("/credentials"):
            record.msg, record.args = first, ()
        return True


_filter = _WithoutCredentials()


def _hide_credentials() -> None:
    """Keep tokens out of the SDK's debug log, which shows the answers to requests."""
    logging.getLogger("databricks.sdk").addFilter(_filter)
