"""`mooring sessions erase`."""

from __future__ import annotations

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.cli.screen import Screen
from agent.migration import administrator
from agent.schemas import Erasure
from agent.settings import Settings


def run_erase(user: str, dry_run: bool, except_held: bool, output: Format) -> None:
    """Erase a person, and print how many rows of which table went."""
    with administrator(Settings()) as admin:
        erased = admin.erase(user, dry_run=dry_run, except_held=except_held)
    info = Erasure(user=erased.owner, dry_run=dry_run, rows=dict(erased.rows), held=list(erased.held))
    if output is Format.JSON:
        print_json(info)
        return
    screen = Screen()
    counted = ", ".join(f"{table} {count:,}" for table, count in info.rows.items())
    screen.line(f"{'would erase' if dry_run else 'erased'} of {user}: {counted}")
    for session in info.held:
        screen.line(f"kept (legal hold): {session}")
