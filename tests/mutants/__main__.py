"""Take away each protection in turn and require its tests to fail: python -m tests.mutants [PART OF A NAME ...].

Each runs in a copy of the tree, never in place. Ends with an error when a mutant survives, or when its tests break
instead of failing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.attacks import ATTACKS
from tests.mutants.databricks import DATABRICKS
from tests.mutants.encryption import ENCRYPTION
from tests.mutants.engine import ENGINE
from tests.mutants.evaluation import EVALUATION
from tests.mutants.governance import GOVERNANCE
from tests.mutants.mutant import Mutant
from tests.mutants.offers import OFFERS
from tests.mutants.records import RECORDS
from tests.mutants.turns import TURNS

if TYPE_CHECKING:
    from collections.abc import Iterator

MUTANTS = [*GOVERNANCE, *RECORDS, *ATTACKS, *ENGINE, *ENCRYPTION, *DATABRICKS, *OFFERS, *EVALUATION, *TURNS]
ROOT = Path(__file__).parents[2]
TREE = ("agent", "checkpointer", "tests", "tools", "notebooks", "pyproject.toml", "README.md", "docs")
# A test that hangs has noticed as well.
SECONDS = 300


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of what the tests need, thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="mooring-mutant-") as folder:
        for name in TREE:
            source, target = ROOT / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, target)
        yield Path(folder)


def ran(folder: Path, tests: Iterable[str]) -> str:
    """Run tests in a copy; return 'passed', or which one failed, or how they broke."""
    options = ["-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-m", ""]  # those that take long as well
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            # Before the installed package, also in the programs that tests start.
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "FAILED to end"
    if done.returncode == 0:
        return "passed"
    told = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return told[0] if told else f"BROKE: {done.stdout[-300:]}{done.stderr[-300:]}"


def verdict(mutant: Mutant) -> tuple[bool, str]:
    """Make the mutant and run its tests; tell whether they noticed, and how."""
    with copied() as folder:
        file = folder / mutant.file
        text = file.read_text("utf-8")
        if text.count(mutant.text) != 1:
            return False, f"its text is {text.count(mutant.text)} times in {mutant.file}"
        file.write_text(text.replace(mutant.text, mutant.becomes), "utf-8")
        how = ran(folder, mutant.tests)
    return how.startswith("FAILED"), "SURVIVED" if how == "passed" else how


def main(wanted: list[str]) -> int:
    """Run the mutants whose names contain one of the given texts, or all; return the number of survivors."""
    chosen = [mutant for mutant in MUTANTS if not wanted or any(part in mutant.name for part in wanted)]
    if not chosen:
        print("No protection has a name like that. There are:", *(mutant.name for mutant in MUTANTS), sep="\n  ")
        return 1
    with copied() as folder:
        how = ran(folder, sorted({test for mutant in chosen for test in mutant.tests}))
    if how != "passed":
        print(f"The tests have to pass before anything is taken away: {how}")
        return 1
    survivors = 0
    width = max(len(mutant.name) for mutant in chosen)
    for mutant in chosen:
        started = time.monotonic()
        noticed, how = verdict(mutant)
        survivors += not noticed
        seconds = time.monotonic() - started
        print(
            f"{'killed  ' if noticed else 'ALIVE   '} {mutant.name:<{width}}  {seconds:5.1f} s  {how[:110]}", flush=True
        )
    print(f"{len(chosen) - survivors} of {len(chosen)} killed")
    return survivors


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
