"""What came from Unity Catalog, by people's own logins to Lakebase: no database takes their word for it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.lakebase import Grants
from checkpointer import GovernedPostgresSaver, Principal, acting_as
from tests.databricks.harbour import OWNER, SERVICE, url
from tests.databricks.lakebase import ENDPOINT as COMPUTE
from tests.databricks.lakebase import Lakebase
from tests.databricks.serving import ENDPOINT, tool_call
from tests.databricks.warehouse import WAREHOUSE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databricks.stand_in import StandIn
    from tests.integration.foreign import Foreign

REVIEWS = "lakehouse.bakehouse.reviews"
# The figure alone may be a part of any id.
TOLD = re.compile(r"Counted 240|\[\[240\]\]")
QUESTIONS = f"""
name: workspace
questions:
  counts:
    - ask: how many reviews are there?
      sql: select count(*) as n from {REVIEWS}
      tables: [{REVIEWS}]
    - {{as: bob, ask: 'how many reviews are there?', sql: select 1}}
"""


@pytest.fixture
def lake(
    stand_in: StandIn, server: Foreign, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Sessions of alice and bob on Lakebase, by their own logins; the database's name."""
    Grants(SERVICE, ["alice", "bob"]).run(url(server, OWNER, database))
    profiles = [
        f"[{name}]\nhost = {stand_in.workspace.url}\ntoken = {stand_in.workspace.token(name)}\n"
        for name in ("alice", "bob")
    ]
    (tmp_path / "databrickscfg").write_text("\n".join(profiles))
    with Lakebase(stand_in.workspace, lambda user: url(server, user, database), tmp_path).running() as front:
        for name, value in {
            "DATABRICKS_WAREHOUSE_ID": WAREHOUSE,
            "MOORING_MODEL": f"databricks:{ENDPOINT}",
            "MOORING_CATALOGS": "lakehouse",
            "LAKEBASE_ENDPOINT": COMPUTE,
            "PGPORT": str(front.port),
            "PGDATABASE": database,
        }.items():
            monkeypatch.setenv(name, value)
        yield database
    # Who may end what the server itself does there.
    with psycopg.connect(url(server, "administrator", "postgres"), autocommit=True) as administrator:
        administrator.execute(f"drop database {database} with (force)".encode())
        administrator.execute("drop role alice, bob")


def run(profile: str, *command: str) -> Any:
    result = CliRunner(env={"MOORING_PROFILE": profile}).invoke(app, list(command), catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout) if "json" in command else result.stdout


def saver_of(stand_in: StandIn, server: Foreign, database: str) -> GovernedPostgresSaver:
    """Return the service's saver."""
    return GovernedPostgresSaver.from_conn_string(url(server, SERVICE, database))


def test_they_see_what_they_were_told_for_a_day_and_nobody_else_does(
    stand_in: StandIn, server: Foreign, lake: str
) -> None:
    stand_in.serving.replies += [
        tool_call("query", sql=f"select count(*) as n from {REVIEWS}"),
        {"role": "assistant", "content": "Counted 240."},
    ]
    answer = run("alice", "ask", "how many reviews?", "-o", "json")
    assert answer["answer"] == "Counted 240."
    assert answer["sources"] == [REVIEWS]
    session = answer["session"]
    show = ("sessions", "show", session, "-o", "json")
    assert TOLD.search(str(run("alice", *show)))

    run("alice", "sessions", "share", session, "--with", "bob")
    assert not TOLD.search(str(run("bob", *show, "--owner", "alice")))

    config: Any = {"configurable": {"thread_id": session}}

    def through_the_service(principal: Principal) -> str:
        with saver_of(stand_in, server, lake) as saver, acting_as(principal):
            return str(saver.get_tuple(config))

    assert not TOLD.search(through_the_service(Principal("alice")))
    assert not TOLD.search(through_the_service(Principal("alice", sees=lambda _: None)))

    with psycopg.connect(url(server, OWNER, lake), autocommit=True) as owner:
        [(fingerprint,)] = owner.execute("select distinct fingerprint from mooring.labels").fetchall()
        owner.execute("update mooring.labels set expires_at = expires_at - interval '2 days'")
    assert not TOLD.search(str(run("alice", *show)))
    seen = Principal("alice", sees={REVIEWS: fingerprint}.get)
    assert TOLD.search(through_the_service(seen))


def test_an_evaluation_asks_as_whoever_runs_it(
    stand_in: StandIn, server: Foreign, lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LAKEBASE_ENDPOINT", "DATABRICKS_WAREHOUSE_ID"):
        monkeypatch.setenv(name, "")  # the options say
    path = tmp_path / "questions.yaml"
    path.write_text(QUESTIONS)
    given = ("--warehouse", WAREHOUSE, "--lakebase", COMPUTE, "--model", "offline", "--dataset", str(path))

    report = run("alice", "evaluate", *given, "-o", "json")

    assert [(each["id"], each["why"]) for each in report["questions"]] == [
        ("counts: me: how many reviews are there?", "")
    ]
    assert report["left_out"] == ["counts: bob: how many reviews are there?"]
    assert stand_in.workspace.users() == {"alice"}
    with psycopg.connect(url(server, OWNER, lake)) as owner:
        assert owner.execute("select count(*) from mooring.threads").fetchall() == [(0,)]
