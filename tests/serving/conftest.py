"""Two replicas over the sample lakehouse for the tests of a file: one answers at once, one takes its time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.databricks.stand_in import StandIn, stand_in_of
from tests.databricks.workspace import Workspace
from tests.serving.served import PATIENT, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from tests.serving.served import Served


@pytest.fixture(scope="module")
def server(lakehouse: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Answers at once, with the offline model."""
    with served(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def patient(lakehouse: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Another replica on the same database, whose model takes the time that the question names."""
    with served(tmp_path_factory.mktemp("patient"), **PATIENT) as running:
        yield running


@pytest.fixture
def session() -> str:
    """The name of a session that nobody has."""
    return uuid4().hex


@pytest.fixture
def stand_in(lakehouse: Database) -> Iterator[StandIn]:
    """A stand-in workspace over the sample lakehouse."""
    workspace, login = Workspace(), lakehouse.login
    with workspace.running():
        yield stand_in_of(workspace, login)
