"""People who ask questions, on the sample lakehouse and on schemas that the model has never seen."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from agent.identity import Caller, log_in
from tests.questions.asking import Asker
from tests.questions.unseen import unseen_schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database


@pytest.fixture(scope="session")
def asker(lakehouse: Database) -> Iterator[Asker]:
    """Ask as alice, bob or carol of the sample, or as somebody who sees one unseen schema."""
    with unseen_schemas(lakehouse.superuser or "") as strangers:

        @cache
        def caller_of(persona: str) -> Caller:
            return strangers.get(persona) or log_in(lakehouse, persona)

        with Asker(lakehouse, caller_of) as opened:
            yield opened
