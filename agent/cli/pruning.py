"""Show what a pruning deletes, and what it must leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.options import Format
from agent.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.schemas import PrunedSession
    from checkpointer import Expired


def show_pruned(expired: Iterable[Expired], output: Format, *, dry_run: bool, owners: bool) -> None:
    """Print one line a session as it goes, or one JSON array."""
    from agent.cli.screen import Screen

    infos = (_info(each) for each in expired)
    if output is Format.JSON:
        print_json(list(infos))
        return
    screen, count = Screen(), 0
    for count, info in enumerate(infos, 1):  # noqa: B007 - the number of the last is told
        who = f"{info.owner}\t" if owners else ""
        screen.line(f"{who}{info.session}\t{info.used_at:%Y-%m-%d %H:%M}\t{_outcome(info, dry_run)}")
    if not count and screen.lively:
        screen.line("Nothing to prune.")


def _info(expired: Expired) -> PrunedSession:
    from agent.schemas import PrunedSession

    return PrunedSession(
        owner=expired.owner,
        session=expired.thread_id,
        used_at=expired.used_at,
        whole=expired.whole,
        checkpoints=expired.checkpoints,
        rows=expired.rows,
        bytes=expired.bytes,
        blocked=expired.blocked,
    )


def _outcome(info: PrunedSession, dry_run: bool) -> str:
    what = "the session" if info.whole else f"{info.checkpoints:,} checkpoints"
    size = f"{info.rows:,} rows, {info.bytes / 1e3:,.1f} kB"
    if info.blocked:
        return f"kept ({info.blocked}): {what}, {size}"
    return f"{'would delete' if dry_run else 'deleted'} {what}, {size}"
