"""Run the stand-in workspace by hand, over the sample lakehouse: `python -m tests.databricks`, until Ctrl-C.

It prints what to set in another shell; there, `mooring chat --profile stand-in` is alice, and bob and
carol have profiles of their names.
"""

from __future__ import annotations

import signal
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path

from agent.database import open_database
from agent.lakebase import Grants
from agent.settings import Settings
from tests.databricks.genie import SPACE
from tests.databricks.harbour import OWNER, SERVICE, lakebase_server, new_database, url
from tests.databricks.lakebase import ENDPOINT, Lakebase
from tests.databricks.servers import EXTERNAL
from tests.databricks.stand_in import stand_in_of
from tests.databricks.warehouse import WAREHOUSE
from tests.databricks.workspace import Workspace

PEOPLE = ("alice", "bob", "carol")


def main() -> None:
    workspace = Workspace()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_database(Settings()) as database,
        lakebase_server() as server,
        workspace.running(),
    ):
        stand_in = stand_in_of(workspace, database.login)
        sessions = new_database(server)
        Grants(SERVICE, PEOPLE).run(url(server, OWNER, sessions))
        with Lakebase(workspace, partial(url, server, database=sessions), Path(folder)).running() as lakebase:
            profiles = Path(folder) / "databrickscfg"
            entries = [
                f"[{profile}]\nhost = {workspace.url}\ntoken = {workspace.token(name)}\n"
                for profile, name in (("stand-in", "alice"), *zip(PEOPLE, PEOPLE, strict=True))
            ]
            profiles.write_text("\n".join(entries))
            print(f"export DATABRICKS_CONFIG_FILE={profiles} DATABRICKS_WAREHOUSE_ID={WAREHOUSE}")
            print("export MOORING_CATALOGS=lakehouse")
            stand_in.genie.answers["how many reviews?"] = "select count(*) as n from lakehouse.bakehouse.reviews"
            print(f"# for further tools: MOORING_GENIE_SPACES={SPACE} MOORING_MCP_SERVERS={EXTERNAL}")
            print(f"# for sessions on its Lakebase, until it ends: LAKEBASE_ENDPOINT={ENDPOINT}")
            print(f"#   PGPORT={lakebase.port} PGDATABASE={sessions}", flush=True)
            with suppress(KeyboardInterrupt):
                signal.pause()


if __name__ == "__main__":
    main()
