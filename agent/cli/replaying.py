"""`mooring replay`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.cli.runtime import open_memory
from agent.cli.screen import Screen
from agent.errors import MooringError
from agent.graph import SYSTEM_PROMPT
from agent.host import converse
from agent.replaying import replay, replay_name
from agent.schemas import Replay, ReplayedTurn
from agent.settings import Settings

if TYPE_CHECKING:
    from agent.replaying import Replayed


def run_replay(
    session: str,
    checkpoint: str | None,
    model: str | None,
    prompt: Path | None,
    user: str | None,
    profile: str | None,
    output: Format,
) -> None:
    """Ask a session's questions again, and show what is said now beside what was said then."""
    settings = Settings()
    name = settings.model if model is None else model
    told = SYSTEM_PROMPT if prompt is None else _read(prompt)
    screen, into, turns = Screen(), replay_name(session), []
    with open_memory(user, profile) as memory:
        opened = partial(converse, settings, memory.saver, memory.caller, model=name, prompt=told)
        for each in replay(memory.saver, memory.caller, session, opened, into, checkpoint):
            turns.append(each)
            if output is Format.TEXT:
                _show(screen, each)
    if output is Format.JSON:
        print_json(Replay(session=session, replay=into, model=name, turns=[_turn(each) for each in turns]), indent=2)
        return
    same = sum(each.same for each in turns)
    screen.line(f"{same} of {len(turns)} answers are the same with {name}; the replay is session {into}", style="dim")


def _show(screen: Screen, each: Replayed) -> None:
    screen.line(f"> {each.question}", style="bold")
    if each.same:
        screen.line("  the same", style="dim")
        return
    if each.before is None:
        screen.line("  (there is no answer that you may read)", style="dim")
    if each.failure is not None:
        screen.line(f"  {each.failure}", style="red")
    for line in each.diff:
        screen.line(line, style="green" if line.startswith("+") else "red")


def _turn(each: Replayed) -> ReplayedTurn:
    return ReplayedTurn(
        question=each.question,
        before=each.before,
        after=each.after,
        same=each.same,
        diff=each.diff,
        failure=each.failure,
    )


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MooringError(
            f"The prompt {path.name} cannot be read ({type(error).__name__})", "name a text file"
        ) from None
    if not text:
        raise MooringError(f"The prompt {path.name} is empty", "write what the model is to be told")
    return text
