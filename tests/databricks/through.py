"""Savers over Lakebase as the stand-in has it: TLS, minted tokens, and each of the two identities."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from psycopg.conninfo import make_conninfo

from agent.database import Database
from agent.lakebase import Grants
from agent.local.bootstrap import SERVICE
from checkpointer import GovernedPostgresSaver, Principal
from tests.databricks.harbour import OWNER, lakebase_server, new_database, url
from tests.databricks.lakebase import ENDPOINT, Lakebase
from tests.databricks.workspace import Workspace

if TYPE_CHECKING:
    from checkpointer.lakebase import Identity
    from tests.integration.foreign import Foreign


@dataclass(frozen=True)
class Through:
    """A database of Lakebase's, with the schema of sessions, and how it is reached."""

    identity: Identity
    server: Foreign
    name: str
    workspace: Workspace
    front: Lakebase

    def admit(self, person: Principal) -> None:
        """Let somebody log in by themselves."""
        Grants(SERVICE, [person.name]).run(url(self.server, OWNER, self.name))

    def saver(self, person: Principal, **options: Any) -> GovernedPostgresSaver:
        """Return a saver for a person who is admitted, to be entered: the broker's, or of their own login."""
        identity: dict[str, Any] = {"principal": person} if self.identity == "broker" else {}
        return GovernedPostgresSaver.from_lakebase(
            endpoint=ENDPOINT,
            database=self.name,
            port=self.front.port,
            identity=self.identity,
            workspace_client=self._client(SERVICE if self.identity == "broker" else person.name),
            **identity,
            **options,
        )

    def database(self) -> Database:
        """Return it as tests know a database: whoever connects by a string gets a token with it, as the service."""
        token = self._client(SERVICE).postgres.generate_database_credential(ENDPOINT).token
        runtime = make_conninfo(
            host="127.0.0.1", port=self.front.port, dbname=self.name, user=SERVICE, password=token, sslmode="require"
        )
        return Database(
            runtime=runtime,
            admin=url(self.server, OWNER, self.name),
            superuser=self.server.url("administrator", self.name),
            embedded=False,
            setting="MOORING_TEST_LAKEBASE",
            default_user=None,
            _login=lambda user: url(self.server, user, self.name),
        )

    def _client(self, user: str) -> WorkspaceClient:
        config = Config(host=self.workspace.url, token=self.workspace.token(user), auth_type="pat")
        return WorkspaceClient(config=config)


@contextmanager
def through(identity: Identity, server: Foreign) -> Iterator[Through]:
    """Make a database on a server of Lakebase's, and let it be reached."""
    workspace, name = Workspace(), new_database(server)
    Grants(SERVICE).run(url(server, OWNER, name))
    with tempfile.TemporaryDirectory() as folder, workspace.running():
        lakebase = Lakebase(workspace, lambda user: url(server, user, name), Path(folder))
        # Longer than a run: strings are made once.
        lakebase.life = 24 * 3600.0
        with lakebase.running():
            yield Through(identity, server, name, workspace, lakebase)


@contextmanager
def through_own_server(identity: Identity) -> Iterator[Through]:
    """The same on a server of its own, where tests find the sample's people."""
    with lakebase_server() as server, through(identity, server) as opened:
        for name in ("alice", "bob", "carol"):
            opened.admit(Principal(name))
        yield opened
