"""A run's rows for eyes, for programs and for documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.benchmarks.rows import Row

WIDTH = 130  # where there is no terminal, or a narrow one
HEADERS = ("workload", "metric", "peer", "ours", "theirs", "ratio", "target", "met")


def as_json(rows: Iterable[Row]) -> str:
    """Return the rows as a JSON array."""
    return json.dumps([row.as_json() for row in rows], indent=2) + "\n"


def as_markdown(rows: Iterable[Row], about: Sequence[str]) -> str:
    """Return a table, with a line on how it came about."""
    lines = [" | ".join(HEADERS), " | ".join("---" for _ in HEADERS), *(" | ".join(_cells(row)) for row in rows)]
    return "\n".join([*about, "", *(f"| {line} |" for line in lines), ""])


def show(rows: Iterable[Row]) -> None:
    """Print a table."""
    table = Table(*HEADERS, header_style="bold")
    for row in rows:
        style = "" if row.target is None else "green" if row.met else "bold red"
        table.add_row(*_cells(row), style=style)
    console = Console()
    console.width = max(console.width, WIDTH)
    console.print(table)


def _cells(row: Row) -> tuple[str, ...]:
    met = "" if row.target is None else "yes" if row.met else "NO"
    figures = (_figure(row.ours), _figure(row.theirs), _figure(row.ratio))
    return (row.workload, row.metric, row.peer or "", *figures, "" if row.target is None else str(row.target), met)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 or value == round(value) else f"{value:.3g}"
