"""The tests against a true workspace are tests: they pass against the stand-in, and none is skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from agent.lakebase import Grants
from tests.databricks.genie import SPACE
from tests.databricks.harbour import OWNER, SERVICE, url
from tests.databricks.lakebase import ENDPOINT as COMPUTE
from tests.databricks.lakebase import Lakebase
from tests.databricks.servers import FUNCTIONS
from tests.databricks.serving import ENDPOINT, tool_call
from tests.databricks.warehouse import WAREHOUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from tests.databricks.stand_in import StandIn
    from tests.integration.foreign import Foreign

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 13), reason="databricks-langchain is not for this Python")
SUITE = sorted(path for path in Path(__file__).parent.glob("test_live*.py") if path.name != Path(__file__).name)
# The stand-in's Postgres has no maps and no structs.
ITS_OWN = "tests/databricks/test_live.py::test_values_come_as_they_are"
OPTIONS = ["-p", "no:cacheprovider", "-q", "-rs", "--tb=short", "--show-capture=no", "--deselect", ITS_OWN]
REVIEWS, QUESTION = "lakehouse.bakehouse.reviews", "how many reviews?"
MADE = """
drop schema if exists living cascade;
create schema living;
create table living.kept (id int primary key, body text);
insert into living.kept values (1, 'Ovens are cleaned at night');
create function living.doubled(amount int) returns int language sql as 'select amount * 2';
revoke execute on function living.doubled from public;
grant usage on schema living to alice, bob;
grant select on living.kept to alice;
grant execute on function living.doubled to alice;
"""


@pytest.fixture
def made(lakehouse: Database) -> Iterator[None]:
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(4716)")
        conn.execute(MADE)
        yield
        conn.execute("drop schema living cascade")


@pytest.fixture
def lake(stand_in: StandIn, server: Foreign, database: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Sessions of alice and bob on Lakebase: where they are."""
    Grants(SERVICE, ["alice", "bob"]).run(url(server, OWNER, database))
    with Lakebase(stand_in.workspace, lambda user: url(server, user, database), tmp_path).running() as front:
        yield {"LAKEBASE_ENDPOINT": COMPUTE, "PGPORT": str(front.port), "PGDATABASE": database}
    with psycopg.connect(url(server, OWNER, "postgres"), autocommit=True) as owner:
        owner.execute(f"drop database {database} with (force)".encode())
        owner.execute("drop role alice, bob")


def says(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Count the reviews where that is asked for, and then say something."""
    if messages[-1]["role"] == "user" and REVIEWS in str(messages[-1]["content"]):
        return tool_call("query", sql=f"select count(*) as n from {REVIEWS}")
    return {"role": "assistant", "content": "Counted."}


@pytest.mark.usefixtures("made")
def test_all_of_it_passes(stand_in: StandIn, lake: dict[str, str], tmp_path: Path) -> None:
    entries = [
        f"[{name}]\nhost = {stand_in.workspace.url}\ntoken = {stand_in.workspace.token(name)}\n"
        for name in ("alice", "bob", SERVICE)
    ]
    (tmp_path / "databrickscfg").write_text("\n".join(entries))
    stand_in.serving.rule = says
    stand_in.genie.answers[QUESTION] = f"select count(*) as n from {REVIEWS}"
    stand_in.indexes.add("lakehouse.living.kept", "id", "body", None)
    given = {
        "DATABRICKS_CONFIG_FILE": str(tmp_path / "databrickscfg"),
        "DATABRICKS_WAREHOUSE_ID": WAREHOUSE,
        "MOORING_LIVE_PROFILE": "alice",
        "MOORING_LIVE_OTHER_PROFILE": "bob",
        "MOORING_LIVE_SERVICE_PROFILE": SERVICE,
        "MOORING_LIVE_TABLE": REVIEWS,
        "MOORING_LIVE_OWN_TABLE": "lakehouse.living.kept",
        "MOORING_LIVE_FILTERED_TABLE": REVIEWS,
        "MOORING_LIVE_MODEL": ENDPOINT,
        "MOORING_LIVE_FUNCTION": "lakehouse.living.doubled",
        "MOORING_LIVE_FUNCTION_ARGUMENTS": json.dumps({"amount": 4}),
        "MOORING_LIVE_INDEX": "lakehouse.living.kept",
        "MOORING_LIVE_GENIE_SPACE": SPACE,
        "MOORING_LIVE_GENIE_QUESTION": QUESTION,
        "MOORING_LIVE_MCP_SERVER": FUNCTIONS,
        "MOORING_LIVE_MCP_ARGUMENTS": json.dumps({"text": "hello"}),
        **lake,
    }

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *SUITE],
        cwd=Path(__file__).parents[2],
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "skipped" in done.stdout) == (0, False), done.stdout[-4000:]
    assert stand_in.workspace.users() == {"alice", "bob", SERVICE}
