"""What keeps a workspace's further tools their caller's own, and how each protection is taken away."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SOURCES = "tools/workspace/sources.py"
GENIE = "tests/databricks/test_genie.py"
SERVERS = "tests/databricks/test_mcp_servers.py"
INDEXES = "tests/databricks/test_indexes.py"
FUNCTIONS = "tests/databricks/test_functions.py"
TALKS = "tests/databricks/test_offers.py"

OFFERS = [
    Mutant(
        "functions: one that reads is its reader's own",
        SOURCES,
        "    if info.sql_data_access is FunctionInfoSqlDataAccess.READS_SQL_DATA:\n        return False\n",
        "",
        (FUNCTIONS,),
    ),
    Mutant("functions: dependencies are looked at", SOURCES, " or _tables_of(info):", ":", (FUNCTIONS,)),
    Mutant(
        "functions: one in another language is its reader's own",
        SOURCES,
        "info.routine_body is not FunctionInfoRoutineBody.SQL",
        "False",
        (FUNCTIONS,),
    ),
    Mutant(
        "functions: bodies are read", SOURCES, "return not guard.check(", "return True or guard.check(", (FUNCTIONS,)
    ),
    Mutant(
        "functions: the label is that of the definition called",
        SOURCES,
        "rules = [info.routine_definition, ",
        "rules = [",
        (FUNCTIONS, TALKS),
    ),
    Mutant(
        "functions: asked again at each call",
        "tools/workspace/functions.py",
        "now = function_info(access.client, name)",
        "now = info",
        (FUNCTIONS,),
    ),
    Mutant(
        "indexes: the table behind is a label",
        "tools/workspace/indexes.py",
        "labels.add((table, seen))",
        "pass",
        (INDEXES,),
    ),
    Mutant(
        "indexes: looked at again at each search",
        "tools/workspace/indexes.py",
        "        info = table_info(access.client, name)\n        sources",
        "        sources",
        (INDEXES,),
    ),
    Mutant(
        "Genie: what its text does not tell is the reader's own",
        "tools/workspace/genie.py",
        "        except CatalogError:\n            return None\n",
        "        except CatalogError:\n            return Read()\n",
        (GENIE,),
    ),
    Mutant(
        "Genie: what was tried is a source",
        "tools/workspace/genie.py",
        "for each in queries for",
        "for each in queries[-1:] for",
        (GENIE,),
    ),
    Mutant(
        "Genie: whoever sees it may ask the space",
        "tools/workspace/genie.py",
        "read.labels | {(space, shared(self._space))}",
        "read.labels",
        (GENIE,),
    ),
    Mutant(
        "MCP: what it says is the reader's own",
        "tools/workspace/servers.py",
        "private(access.user, path)",
        "f'uc:{path}~'",
        (SERVERS,),
    ),
    Mutant(
        "MCP: bodies are not logged",
        "tools/workspace/servers.py",
        'logging.getLogger("mcp")',
        'logging.getLogger("x")',
        (SERVERS,),
    ),
]
