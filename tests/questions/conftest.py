"""People who ask questions, on the sample lakehouse and on schemas that the model has never seen."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from agent.identity import Caller, log_in
from tests.questions.asking import Asker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database


@pytest.fixture(scope="session")
def asker(lakehouse: Database) -> Iterator[Asker]:
    @cache
    def caller_of(persona: str) -> Caller:
        return log_in(lakehouse, persona)

    with Asker(lakehouse, caller_of) as opened:
        yield opened
