"""Encrypt what is stored, and show what came of each session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from agent.cli.options import Format
from agent.cli.output import print_json

if TYPE_CHECKING:
    from agent.schemas import EncryptedSession


def run_encrypt(user: str | None, output: Format, *, dry_run: bool) -> None:
    """Print one line a session as it goes, or one JSON array; exit with 1 where something had to stay as it is.

    Raises:
        MooringError: There are no keys.
    """
    from agent.cli.screen import Screen
    from agent.errors import MooringError
    from agent.memory import keyring_of
    from agent.migration import administrator
    from agent.schemas import EncryptedSession
    from agent.settings import Settings

    settings = Settings()
    ring = keyring_of(settings)
    if ring is None:
        problem, remedy = "There is no key to encrypt under", "set MOORING_ENCRYPTION_KEYS"
        raise MooringError(problem, remedy)
    infos: list[EncryptedSession] = []
    screen = Screen()
    with administrator(settings) as admin:
        for each in admin.encrypt(ring, owner=user, dry_run=dry_run):
            info = EncryptedSession(owner=each.owner, session=each.thread_id, rows=each.rows, blocked=each.blocked)
            infos.append(info)
            if output is Format.TEXT:
                screen.line(f"{info.owner}\t{info.session}\t{_outcome(info, dry_run)}")
    if output is Format.JSON:
        print_json(infos)
    else:
        screen.line(_total(infos, ring.newest, dry_run))
    if any(info.blocked for info in infos):
        raise typer.Exit(1)


def _outcome(info: EncryptedSession, dry_run: bool) -> str:
    if info.blocked:
        return f"kept ({info.blocked})"
    return f"{'would encrypt' if dry_run else 'encrypted'} {info.rows:,} rows"


def _total(infos: list[EncryptedSession], key: str, dry_run: bool) -> str:
    done = [info for info in infos if not info.blocked]
    did = "would encrypt" if dry_run else "encrypted"
    kept = f", kept {len(infos) - len(done):,}" if len(done) < len(infos) else ""
    return f"{did} under the key {key}: {len(done):,} sessions, {sum(info.rows for info in done):,} rows{kept}"
