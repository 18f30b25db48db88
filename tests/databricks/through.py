"""Savers over Lakebase as the stand-in has it: TLS, minted tokens, and each of the two identities."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from psycopg import sql
from psycopg.conninfo import make_conninfo

from agent.database import Database
from agent.lakebase import Grants
from agent.local import lakehouse
from agent.local.bootstrap import DATABASE, MIGRATOR, PEOPLE, READERS, SERVICE
from checkpointer import GovernedPostgresSaver, Principal
from tests.databricks.harbour import OWNER, lakebase_server, new_database, url
from tests.databricks.lakebase import ENDPOINT, Lakebase
from tests.databricks.workspace import Workspace
from tests.integration.proxy import CountingProxy

if TYPE_CHECKING:
    from checkpointer.lakebase import Identity
    from tests.integration.foreign import Foreign


@dataclass(frozen=True)
class Through:
    """A database of Lakebase's, with the schema of sessions, and how it is reached."""

    identity: Identity
    server: Foreign
    name: str
    owner: str
    """The project's owner, of whom the schema is."""
    logins: str
    """The group of those who log in by themselves."""
    workspace: Workspace
    front: Lakebase
    admitted: set[str] = field(default_factory=set)

    def admit(self, *people: Principal) -> None:
        """Let people log in by themselves."""
        if new := {person.name for person in people} - self.admitted:
            Grants(SERVICE, sorted(new), self.logins).run(url(self.server, self.owner, self.name))
            self.admitted.update(new)

    @contextmanager
    def counting(self) -> Iterator[CountingProxy]:
        """Count round trips behind the front, in the clear; its port is the front's, for savers opened from now on."""
        with CountingProxy("127.0.0.1", self.server.port) as counting:
            self.front.login = partial(url, replace(self.server, port=counting.port), database=self.name)
            counting.port = self.front.port
            yield counting
        self.front.login = partial(url, self.server, database=self.name)

    def saver(self, person: Principal, port: int | None = None, **options: Any) -> GovernedPostgresSaver:
        """Return a saver for a person, to be entered: the broker's, or of their own login."""
        identity: dict[str, Any] = {"principal": person}
        if self.identity == "login":
            identity = {}
            self.admit(person)
        return GovernedPostgresSaver.from_lakebase(
            endpoint=ENDPOINT,
            database=self.name,
            port=port or self.front.port,
            identity=self.identity,
            workspace_client=self._client(SERVICE if self.identity == "broker" else person.name),
            **identity,
            **options,
        )

    def database(self) -> OnLakebase:
        """Return it as tests know a database: whoever connects by a string gets a token with it."""
        return OnLakebase(
            runtime=self._string(SERVICE),
            admin=url(self.server, self.owner, self.name),
            superuser=self.server.url("administrator", self.name),
            embedded=False,
            setting="MOORING_TEST_LAKEBASE",
            default_user=None,
            _login=self._login,
            through=self,
        )

    def _login(self, user: str) -> str:
        # A role that a test made itself has another password than those of Lakebase's.
        with psycopg.connect(self.server.url("administrator", self.name), autocommit=True) as conn:
            given = sql.Identifier(user), sql.Literal(self.server.password)
            conn.execute(sql.SQL("alter role {} password {}").format(*given))
        return self._string(user)

    def _string(self, user: str) -> str:
        token = self._client(user).postgres.generate_database_credential(ENDPOINT).token
        return make_conninfo(
            host="127.0.0.1", port=self.front.port, dbname=self.name, user=user, password=token, sslmode="require"
        )

    def _client(self, user: str) -> WorkspaceClient:
        config = Config(host=self.workspace.url, token=self.workspace.token(user), auth_type="pat")
        return WorkspaceClient(config=config)


@dataclass(frozen=True)
class OnLakebase(Database):
    """The database, and how it is reached."""

    through: Through


@contextmanager
def through(
    identity: Identity, server: Foreign, name: str, owner: str = OWNER, logins: str = "mooring_login"
) -> Iterator[Through]:
    """Let a database of the owner's on a server of Lakebase's be reached, and make the schema there."""
    workspace = Workspace()
    Grants(SERVICE, logins=logins).run(url(server, owner, name))
    with tempfile.TemporaryDirectory() as folder, workspace.running():
        lakebase = Lakebase(workspace, partial(url, server, database=name), Path(folder))
        # Longer than a run: strings are made once.
        lakebase.life = 24 * 3600.0
        lakebase.database = name
        with lakebase.running():
            yield Through(identity, server, name, owner, logins, workspace, lakebase)


@contextmanager
def through_own_server(identity: Identity) -> Iterator[Through]:
    """The same on a server of its own, with the sample, its people, and its names of roles."""
    with lakebase_server(MIGRATOR) as server:
        new_database(server, DATABASE, MIGRATOR)
        with psycopg.connect(server.url("administrator", DATABASE)) as conn:
            # Made by another than the schema's owner, as for an app: who makes a role is a member of it, and members
            # of this one are believed about who they act for.
            conn.execute(f"create role {SERVICE} login password '{server.password}'".encode())
            conn.execute("create role lakehouse_owner nologin")
        with through(identity, server, DATABASE, MIGRATOR, READERS) as opened:
            opened.admit(*(Principal(name) for name in PEOPLE))
            with psycopg.connect(server.url("administrator", DATABASE)) as conn:
                lakehouse.load(conn)
            yield opened
