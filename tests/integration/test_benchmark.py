"""The benchmark runs, on a tiny scale, and writes what it promises. What it measures is `make bench`'s business."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_a_quick_run_compares_all_peers_on_all_workloads(tmp_path: Path) -> None:
    rows_file, table, picture = tmp_path / "rows.json", tmp_path / "table.md", tmp_path / "picture.png"

    # In a process of its own: it collects garbage before each measurement, and here is that of all tests.
    command = [sys.executable, "-m", "tests.benchmarks", "--quick"]
    command += ["--json", str(rows_file), "--markdown", str(table), "--plot", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
    rows = json.loads(rows_file.read_text())
    assert {row["workload"] for row in rows} >= {"A", "B", "C", "D", "trips", "sessions"}
    peers = {"upstream", "upstream + DeltaChannel", "sqlite", "ours, without labels", "ours, without encryption", None}
    assert {row["peer"] for row in rows} == peers
    for row in rows:
        assert list(row) == ["workload", "metric", "peer", "ours", "theirs", "ratio", "target", "met"]
        assert row["ours"] > 0
        assert (row["theirs"] is None) == (row["peer"] is None)
        assert row["target"] is None
        assert row["met"] is True
    assert table.read_text().count("\n| ") == len({(row["workload"], row["metric"]) for row in rows}) + 2
    assert picture.read_bytes().startswith(b"\x89PNG")
