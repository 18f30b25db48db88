"""Every notebook runs from top to bottom, says what its source says, and shows nobody's folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.embedded import fresh_home
from tests.notebooks.building import FOLDER, SOURCES, executed, faults, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

NAMES = [path.stem for path in SOURCES]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Is shared by the notebooks, as it is where somebody reads them one after the other."""
    with fresh_home() as folder:
        yield folder


def kept(path: Path) -> NotebookNode:
    found: NotebookNode = nbformat.read(path.with_suffix(".ipynb"), 4)  # type: ignore[no-untyped-call]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_it_runs(path: Path, home: Path) -> None:
    assert faults(executed(path, home)) == []


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_what_is_kept_is_of_its_source_and_has_outputs(path: Path) -> None:
    notebook = kept(path)
    assert [(c.cell_type, c.source) for c in notebook.cells] == [(c.cell_type, c.source) for c in source_of(path).cells]
    assert sum(bool(cell.get("outputs")) for cell in notebook.cells) >= 4
    assert faults(notebook) == []


def test_all_of_them_are_there() -> None:
    assert len(NAMES) == 5
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ({"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}, "ValueError"),
        ({"output_type": "stream", "name": "stdout", "text": "read /home/ann/data.csv"}, "/home/"),
        ({"output_type": "stream", "name": "stderr", "text": "careful"}, "careful"),
        ({"output_type": "display_data", "data": {"text/html": "<b>/tmp/x</b>"}, "metadata": {}}, "/tmp/"),
        ({"output_type": "display_data", "data": {"text/plain": "240 reviews"}, "metadata": {}}, ""),
    ],
)
def test_faults_are_found(output: dict[str, object], fault: str) -> None:
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.from_dict(output)])  # type: ignore[no-untyped-call]
    found = faults(nbformat.v4.new_notebook(cells=[cell]))  # type: ignore[no-untyped-call]
    assert [fault in each for each in found] == [True] * bool(fault)
