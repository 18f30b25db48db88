"""The extra for Databricks installs from its lock, with pip and with uv, and can be imported."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="databricks-langchain is not for this Python"),
]
ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
PROGRAM = "import agent, checkpointer, tools, mlflow, databricks.sdk, databricks_langchain"


def spent() -> float:
    """Seconds of a processor that programs took; installing seldom waits, and what else runs does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_it_installs_in_three_minutes(tmp_path: Path, installer: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install: list[str | Path] = [python, "-m", "pip", "install"]
    if installer == "uv":
        install = [UV, "pip", "install", "--python", python]

    before = spent()
    subprocess.run([*install, "--quiet", "--require-hashes", "-r", ROOT / "requirements.txt"], check=True)
    subprocess.run([*install, "--quiet", "--no-deps", ROOT], check=True)

    taken = spent() - before
    print(f"{installer}: {taken:.0f} s")
    assert taken < 180
    subprocess.run([python, "-c", PROGRAM], cwd=tmp_path, check=True)
    subprocess.run([python, "-m", "pip", "check"], check=True)
