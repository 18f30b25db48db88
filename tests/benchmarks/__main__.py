"""Compare our saver with LangGraph's own, all on one Postgres: python -m tests.benchmarks --json FILE.

Ends with an error when a target is missed. `--only` runs some of the measurements, `--quick` everything on a tiny
scale, to see that it works.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from tests.benchmarks import growing, labels, many_users, report, sessions, stalls, trips
from tests.benchmarks.bench import FULL, QUICK, Bench
from tests.benchmarks.plot import plot
from tests.benchmarks.server import bench_server
from tests.benchmarks.targets import with_targets
from tests.benchmarks.workloads import AGENT, CHAT, CROWD, EDITOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.benchmarks.rows import Row

MEASURES: dict[str, Callable[[Bench], Iterable[Row]]] = {
    "trips": trips.measure,
    "A": partial(growing.measure, workload=CHAT),
    "early": partial(growing.early_turn, workload=CHAT),
    "long": partial(growing.long_run, workload=CHAT),
    "B": partial(growing.measure, workload=AGENT),
    "C": partial(growing.measure, workload=EDITOR),
    "D": partial(growing.measure, workload=CROWD),
    "labels": labels.measure,
    # What encryption costs. No target.
    "encryption": partial(growing.encryption, workload=CHAT),
    "threads": many_users.measure,
    "stall": stalls.measure,
    "sessions": sessions.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, report, and return 1 when a target is missed."""
    options = _parser().parse_args(arguments)
    names = options.only or list(MEASURES)
    started = perf_counter()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mooring-bench-") as folder, bench_server() as server:
        bench = Bench(server, Path(folder), QUICK if options.quick else FULL)
        for name in names:
            since = perf_counter()
            rows += MEASURES[name](bench)
            print(f"{name}: {perf_counter() - since:.0f} s", file=sys.stderr, flush=True)
    if not options.quick:
        rows = with_targets(rows)
    about = [
        f"PostgreSQL {server.version}, Python {platform.python_version()}, {os.cpu_count()} CPUs; "
        f"measured in {perf_counter() - started:.0f} s by `python -m tests.benchmarks`."
    ]
    report.show(rows)
    if options.json:
        options.json.write_text(report.as_json(rows))
    if options.markdown:
        options.markdown.write_text(report.as_markdown(rows, about))
    if options.plot:
        plot(bench.curves, options.plot)
    missed = [row for row in rows if not row.met]
    for row in missed:
        print(f"missed: {row.workload}, {row.metric}: {row.target}", file=sys.stderr)
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a Markdown table here")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a growing thread here, as PNG (needs A)")
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="measure this only; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a tiny run without targets")
    return parser


if __name__ == "__main__":
    sys.exit(main())
