"""`python -m agent`: the command line where the project is not installed, as in the folder of a Databricks App."""

from __future__ import annotations

from agent.cli import main

main()
