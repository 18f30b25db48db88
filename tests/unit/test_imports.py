"""What is optional is not imported until it is used."""

from __future__ import annotations

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


def test_a_chat_without_databricks_imports_nothing_of_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint(OPTIONAL)
