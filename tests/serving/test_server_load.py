"""Many people at once: nobody's request fails, and nobody gets another's answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import serving

if TYPE_CHECKING:
    from agent.database import Database


def test_thirty_two_people_at_once(lakehouse: Database, capsys: pytest.CaptureFixture[str]) -> None:
    code = serving.main(["--seconds", "5", "--model-ms", "200"])
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert "failed 0, crossed 0" in printed.out
    assert re.search(
        r"32 users at once +[0-9.]+ requests/s, p50 \d+ p95 \d+ p99 \d+ ms, first byte \d+ ms", printed.out
    )
