"""Run the stand-in workspace by hand, over the sample lakehouse: `python -m tests.databricks`, until Ctrl-C.

It prints what to set in another shell; there, `mooring chat --profile stand-in` is alice, and bob and
carol have profiles of their names.
"""

from __future__ import annotations

import signal
import tempfile
from contextlib import suppress
from pathlib import Path

from agent.database import open_database
from agent.settings import Settings
from tests.databricks.genie import SPACE
from tests.databricks.lakebase import ENDPOINT, Lakebase
from tests.databricks.servers import EXTERNAL
from tests.databricks.stand_in import stand_in_of
from tests.databricks.warehouse import WAREHOUSE
from tests.databricks.workspace import Workspace


def main() -> None:
    workspace = Workspace()
    with tempfile.TemporaryDirectory() as folder, open_database(Settings()) as database, workspace.running():
        stand_in = stand_in_of(workspace, database.login)
        with Lakebase(workspace, database.login, Path(folder)).running() as lakebase:
            profiles = Path(folder) / "databrickscfg"
            entries = [
                f"[{profile}]\nhost = {workspace.url}\ntoken = {workspace.token(name)}\n"
                for profile, name in (("stand-in", "alice"), *((name, name) for name in ("alice", "bob", "carol")))
            ]
            profiles.write_text("\n".join(entries))
            print(f"export DATABRICKS_CONFIG_FILE={profiles} DATABRICKS_WAREHOUSE_ID={WAREHOUSE}")
            print("export MOORING_CATALOGS=lakehouse")
            stand_in.genie.answers["how many reviews?"] = "select count(*) as n from lakehouse.bakehouse.reviews"
            print(f"# for further tools: MOORING_GENIE_SPACES={SPACE} MOORING_MCP_SERVERS={EXTERNAL}")
            print(f"# for sessions on its Lakebase, which logins may read: LAKEBASE_ENDPOINT={ENDPOINT}")
            print(f"#   PGPORT={lakebase.port} PGDATABASE=lakehouse", flush=True)
            with suppress(KeyboardInterrupt):
                signal.pause()


if __name__ == "__main__":
    main()
