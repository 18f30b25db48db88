"""`mooring why`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.cli.runtime import open_memory
from agent.cli.screen import Screen
from agent.explanation import explanation_of

if TYPE_CHECKING:
    from agent.schemas import ExplainedMessage, Reason


def run_why(session: str, number: int | None, user: str | None, profile: str | None, output: Format) -> None:
    """Explain a session's messages, or one of them."""
    with open_memory(user, profile) as memory:
        explanation = explanation_of(memory.saver, session, number)
    if output is Format.JSON:
        print_json(explanation, indent=2)
        return
    screen = Screen()
    for message in explanation.messages:
        _show(screen, message)


def _show(screen: Screen, message: ExplainedMessage) -> None:
    state = "withheld" if message.withheld else "shown"
    derived = "" if message.reasons else ", derived from no table"
    style = "red" if message.withheld else ""
    screen.line(f"{message.number} {message.role or 'message'}: {state}{derived}", style=style)
    for reason in message.reasons:
        _reason(screen, reason)


def _reason(screen: Screen, reason: Reason) -> None:
    until = f", until {reason.expires_at:%Y-%m-%d %H:%M %Z}" if reason.expires_at else ""
    screen.line(f"  {reason.source}, read {reason.seen}{until}")
    screen.line(f"    {reason.rule}", style="" if reason.held else "red")
    for statement in reason.missing:
        screen.line(f"    missing: {statement}")
    if reason.grantors:
        screen.line(f"    ask {' or '.join(reason.grantors)}")
