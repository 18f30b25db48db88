"""Notebooks are written as percent-format Python and kept with their outputs: `make notebooks` runs them all.

python -m tests.notebooks.building [NAME ...]
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jupytext
import nbformat
from nbclient import NotebookClient

from tests.embedded import fresh_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

FOLDER = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
SECONDS = 240
# Folders of some machine, in an output that others will read.
MACHINE = re.compile(r"(?<![\w.])(?:/(?:tmp|home|root|Users|var|work|opt|private)/|[A-Z]:\\\\)|site-packages")


def source_of(path: Path) -> NotebookNode:
    """Read a notebook's source, without outputs."""
    notebook: NotebookNode = jupytext.read(path)
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for at, cell in enumerate(notebook.cells):
        cell.id = f"cell-{at}"
        cell.source = cell.source.strip("\n")
        cell.metadata = {}
    return notebook


def executed(path: Path, home: Path) -> NotebookNode:
    """Run a notebook from top to bottom, with a home of its own."""
    notebook = source_of(path)
    environment = {
        **os.environ,
        "MOORING_HOME": str(home),
        "TQDM_DISABLE": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", allow_errors=True)
    with client.setup_kernel(env=environment, cwd=str(FOLDER)):
        for at, cell in enumerate(notebook.cells):
            client.execute_cell(cell, at)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def outputs(notebook: NotebookNode) -> Iterator[tuple[str, Any]]:
    """Yield the outputs of a notebook, each with the source of its cell."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield cell.source, output


def faults(notebook: NotebookNode) -> list[str]:
    """Return what must not stand in a notebook's outputs: errors, warnings, and folders of a machine."""
    found = []
    for source, output in outputs(notebook):
        where = f"in the cell {source.splitlines()[0]!r}"
        if output.output_type == "error":
            found.append(f"{output.ename}: {output.evalue} {where}")
        elif output.get("name") == "stderr":
            found.append(f"{output.text.strip()} {where}")
        texts = [
            output.get("text", ""),
            *(v for k, v in output.get("data", {}).items() if not k.startswith("image/png")),
        ]
        found += [f"{match.group()} {where}" for match in map(MACHINE.search, texts) if match]
    return found


def main(names: list[str]) -> int:
    """Run notebooks and keep their outputs; return 1 where one has faults."""
    failed = 0
    for path in SOURCES:
        if names and path.stem not in names:
            continue
        with fresh_home() as home:
            notebook = executed(path, home)
        problems = faults(notebook)
        sys.stderr.write("".join(f"{path.name}: {line}\n" for line in problems))
        failed |= bool(problems)
        if not problems:
            nbformat.write(notebook, path.with_suffix(".ipynb"))  # type: ignore[no-untyped-call]
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
