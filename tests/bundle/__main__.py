"""`make bundle`: say what is wrong with databricks.yml, and fail if anything is."""

from __future__ import annotations

import sys

from tests.bundle.checks import load, problems

if __name__ == "__main__":
    found = problems(load())
    for problem in found:
        print(f"databricks.yml: {problem}")
    print("databricks.yml holds." if not found else f"{len(found)} problems.")
    sys.exit(bool(found))
