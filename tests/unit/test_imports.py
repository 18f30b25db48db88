"""What is optional is not imported until it is used."""

from __future__ import annotations

import os
import subprocess
import sys

OPTIONAL = ("databricks", "databricks_langchain", "mlflow", "openai", "google")
PROGRAM = """
import sys
import agent.cli.app, agent.cli.chat, agent.models, checkpointer, tools
from agent.models import load_model
load_model("offline")
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


ALONE = """
import sys
import agent, checkpointer
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
OFFERS = """
import sys
from agent.offers import offered
from agent.settings import Settings
import tools.workspace
assert offered(Settings(), None, None) == []
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def imported(program: str, **environment: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_checkpointer_alone_imports_nothing_of_it_either() -> None:
    assert imported(ALONE).isdisjoint((*OPTIONAL, "pandas", "numpy", "mcp", "sqlglot", "fastapi"))


def test_tools_of_a_workspace_import_no_library_that_another_of_them_needs() -> None:
    assert imported(OFFERS).isdisjoint((*(set(OPTIONAL) - {"databricks", "google"}), "pandas", "mcp"))


def test_a_chat_without_databricks_imports_nothing_of_it() -> None:
    assert imported(PROGRAM).isdisjoint(OPTIONAL)
