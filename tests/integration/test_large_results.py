"""Rows that are too large to be returned are said to be left out, and how to ask for less."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.embedded

MOORING = str(Path(sys.executable).with_name("mooring"))
PROVIDER = Path(__file__).with_name("provider")


def told(sql: str) -> tuple[str, str]:
    """What the person sees of a query, and what the model is given."""
    path = os.pathsep.join(filter(None, (str(PROVIDER), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": path, "MOORING_MODEL": "ollama:any"}
    asking = [MOORING, "ask", f"query: {sql}"]
    seen = subprocess.run(asking, capture_output=True, text=True, timeout=120, env=env, check=True)
    session = seen.stderr.split()[-1]
    exported = subprocess.check_output([MOORING, "sessions", "export", session], text=True)
    [given] = [message["content"] for message in json.loads(exported)["messages"] if message["role"] == "tool"]
    return seen.stdout, given


@pytest.mark.usefixtures("lakehouse")
def test_where_no_row_is_small_enough() -> None:
    seen, given = told("select repeat('x', 60000) as word, s.* from bakehouse.suppliers s")
    assert "There are rows, and all were left out because they are too large. Select fewer columns" in seen
    assert "left(column, 200)" in seen
    assert "0 rows" not in seen
    assert given in seen


@pytest.mark.usefixtures("lakehouse")
def test_where_some_rows_are_small_enough() -> None:
    _, given = told("select repeat('x', 20000) as word from bakehouse.suppliers")
    result = json.loads(given)
    assert (result["row_count"], result["truncated"]) == (2, True)
    assert result["note"].startswith("There are more rows, which were left out because they are too large.")

    _, given = told("select 1 from bakehouse.suppliers")
    assert "note" not in json.loads(given)
