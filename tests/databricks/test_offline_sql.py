"""The offline model on a SQL warehouse: it writes Databricks SQL there, and is as right as on Postgres."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.catalogs import DATABRICKS_SQL
from agent.identity import Caller
from checkpointer import Principal
from tests.databricks.catalogs import catalog
from tests.databricks.stand_in import stand_in_of
from tests.databricks.workspace import Workspace
from tests.questions.asking import Asker
from tests.questions.question import read
from tests.questions.test_questions import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from tests.questions.question import Question


@pytest.fixture(scope="module")
def asker(lakehouse: Database) -> Iterator[Asker]:
    """Ask as alice, bob or carol of the workspace."""
    workspace = Workspace()
    with workspace.running():
        stand_in = stand_in_of(workspace, lakehouse.login)

        def caller_of(name: str) -> Caller:
            return Caller(Principal(name, sees=partial(stand_in.seen_by, name)), lakehouse.login(name))

        with Asker(lakehouse, caller_of, partial(catalog, stand_in), DATABRICKS_SQL) as opened:
            yield opened


@pytest.mark.parametrize("question", read("warehouse"), ids=str)
def test_warehouse(question: Question, asker: Asker) -> None:
    check(question, asker)
