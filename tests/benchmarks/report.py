"""A run's rows for eyes, for programs and for documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.benchmarks.rows import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.benchmarks.rows import Row

WIDTH = 130  # where there is no terminal, or a narrow one
HEADERS = ("workload", "metric", "peer", "ours", "theirs", "ratio", "target", "met")


def as_json(rows: Iterable[Row]) -> str:
    """Return the rows as a JSON array."""
    return json.dumps([row.as_json() for row in rows], indent=2) + "\n"


def as_markdown(rows: Iterable[Row], about: Sequence[str]) -> str:
    """Return a table of a line for each metric and a column for each peer, below lines on how it came about."""
    metrics: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        metrics.setdefault((row.workload, row.metric), []).append(row)
    peers = list(dict.fromkeys(row.peer for found in metrics.values() for row in found if row.peer is not None))
    headers = ("workload", "metric", OURS, *peers, "target", "met")
    lines = [headers, ("---",) * len(headers), *(_across(found, peers) for found in metrics.values())]
    return "\n".join([*about, "", *(f"| {' | '.join(line)} |" for line in lines), ""])


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
    figures = (_figure(row.ours), _figure(row.theirs), _figure(row.ratio))
    return (row.workload, row.metric, row.peer or "", *figures, *_verdict(row))


def _across(rows: Sequence[Row], peers: Iterable[str]) -> tuple[str, ...]:
    """Return one metric's figures of all peers."""
    first, theirs = rows[0], {row.peer: row.theirs for row in rows}
    judged = next((row for row in rows if row.target is not None), first)
    figures = (_figure(first.ours), *(_figure(theirs.get(peer)) for peer in peers))
    return (first.workload, first.metric, *figures, *_verdict(judged))


def _verdict(row: Row) -> tuple[str, str]:
    return ("", "") if row.target is None else (str(row.target), "yes" if row.met else "NO")


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 or value == round(value) else f"{value:.3g}"
