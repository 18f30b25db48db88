"""`mooring audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.cli.runtime import open_memory

if TYPE_CHECKING:
    from datetime import timedelta

    from agent.schemas import AuditEntry


def run_audit(
    session: str | None,
    user: str | None,
    table: str | None,
    since: timedelta | None,
    as_: str | None,
    profile: str | None,
    output: Format,
) -> None:
    """Print the lines that the caller may see, newest first."""
    from agent.schemas import AuditEntry

    with open_memory(as_, profile) as memory:
        entries = [
            AuditEntry(
                at=line.at,
                actor=line.actor,
                act=line.act,
                session=line.thread_id,
                owner=line.owner,
                counterpart=line.counterpart,
                role=line.role,
                reason=line.reason,
                statement=line.statement,
                tables=line.tables,
            )
            for line in memory.saver.audit(thread_id=session, user=user, table=table, since=since)
        ]
    if output is Format.JSON:
        print_json(entries)
    else:
        _show(entries)


def _show(entries: list[AuditEntry]) -> None:
    from agent.cli.screen import Screen

    screen = Screen()
    for entry in entries:
        with_ = f"with {entry.counterpart}" if entry.act != "transferred" else f"to {entry.counterpart}"
        told = [
            with_ if entry.counterpart else "",
            f"as {entry.role}" if entry.role else "",
            ", ".join(entry.tables),
            f"({entry.reason})" if entry.reason else "",
            f"[{entry.statement}]" if entry.statement else "",
        ]
        rest = " ".join(filter(None, told))
        screen.line(
            f"{entry.at:%Y-%m-%d %H:%M:%S}\t{entry.actor}\t{entry.act}\t{entry.owner}\t{entry.session}\t{rest}".rstrip()
        )
    if not entries and screen.lively:
        screen.line("Nothing.")
