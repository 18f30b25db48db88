"""What a Databricks workspace offers beyond tables, each as a tool that works with one caller's credentials.

    access = Access(client, "alice@example.com", catalog.statements)
    tools = function_tools(access, "main.tools.convert")

A tool is made for one caller and asks as them alone. What it says carries labels as a query's result does, so that it
is withheld from whoever could not have asked the same; where it cannot be known what it was read from, the label is the
caller's own and runs out. Its packages are those of the extra `databricks`, so `tools` does not import it.
"""

from __future__ import annotations

from tools.workspace.access import Access
from tools.workspace.functions import function_tools
from tools.workspace.genie import genie_tools
from tools.workspace.indexes import index_tools
from tools.workspace.sources import seen_by

__all__ = ["Access", "function_tools", "genie_tools", "index_tools", "seen_by"]
