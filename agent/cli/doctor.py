"""`mooring doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from agent.cli.options import Format
from agent.cli.output import print_json

if TYPE_CHECKING:
    from agent.schemas import Check


def run_doctor(user: str | None, profile: str | None, model: str | None, output: Format) -> None:
    """Print every check; exit with 1 when one failed."""
    from agent.diagnosis import diagnose, diagnose_workspace
    from agent.identity import profile_of
    from agent.settings import Settings

    settings = Settings()
    proven_by = profile_of(settings, user, profile)
    checks = list(
        diagnose(settings, user, model) if proven_by is None else diagnose_workspace(settings, proven_by, model)
    )
    if output is Format.JSON:
        print_json(checks)
    else:
        _show(checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _show(checks: list[Check]) -> None:
    from agent.cli.screen import Screen

    screen = Screen()
    for check in checks:
        screen.line(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.detail}", style="" if check.ok else "red")
        if check.remedy:
            screen.line(f"     {check.remedy}")
