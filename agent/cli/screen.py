"""Show a turn while it happens: with colours and a spinner on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text

from agent.conversation import Answered, Event, GivenUp, Resumed, Said, Token, ToolFinished, ToolStarted, Waiting
from agent.provenance import sources_of, withholding_of

if TYPE_CHECKING:
    from rich.status import Status


# Data may hold escape sequences; on a terminal they would be obeyed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|[\ud800-\udfff]")


def printable(text: str) -> str:
    """Return the text without control characters and lone surrogates."""
    return _CONTROLS.sub("�", text)


class Screen:
    """Prints events to stdout."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.lively = self.console.is_terminal

    def line(self, text: str, style: str = "") -> None:
        """Print one line, as it is where it is not for a terminal: rich would make spaces of its tabs."""
        if self.lively:
            self.console.print(Text(printable(text), style=style))
        else:
            typer.echo(printable(text))

    def show(self, events: Iterable[Event]) -> None:
        """Show what happens until it is over: an interrupted turn that is finished, and the one that was asked for."""
        with ExitStack() as stack:
            status = stack.enter_context(self.console.status("Thinking")) if self.lively else None
            live: Live | None = None
            streamed = ""
            for event in events:
                if isinstance(event, Token):
                    streamed += event.text
                    if status and live is None:
                        status.stop()
                        live = stack.enter_context(Live(console=self.console, transient=True))
                    if live:
                        live.update(Markdown(printable(streamed)))
                    continue
                if isinstance(event, Said):
                    continue
                if live:
                    live.stop()
                live, streamed = None, ""
                if isinstance(event, Answered):
                    if status:
                        status.stop()
                    self._answer(event.answer.answer)
                elif isinstance(event, Waiting):
                    if status:
                        status.stop()
                    self.line(f"Waits for approval, as call {event.use.id}:", style="bold")
                    self.call(event.use.name, event.use.args)
                elif isinstance(event, Resumed):
                    self.line("Finishing the turn that was interrupted.", style="dim")
                elif isinstance(event, GivenUp):
                    self.line(f"{event.error.problem}; that turn is closed without an answer.", style="red")
                else:
                    self._tool(event, status)

    def _tool(self, event: ToolStarted | ToolFinished, status: Status | None) -> None:
        if isinstance(event, ToolStarted):
            self.call(event.name, event.args)
            if status:
                status.update(f"Running {event.name}")
                status.start()
        else:
            message = event.message
            failure = message.text if message.status == "error" or withholding_of(message) else None
            self.outcome(failure, message.response_metadata.get("rows"), sources_of([message]))

    def call(self, name: str, args: dict[str, Any]) -> None:
        """Print a tool call in one line."""
        self.line(f"· {name} {_one_line(' '.join(map(str, args.values())))}".rstrip(), style="dim")

    def outcome(self, failure: str | None, rows: int | None, sources: list[str]) -> None:
        """Print what came of a tool call in one line."""
        if failure is not None:
            self.line(f"  {_one_line(failure)}", style="red")
            return
        found = "done" if rows is None else f"{rows:,} row{'' if rows == 1 else 's'}"
        self.line(f"  {found} from {', '.join(sources)}" if sources else f"  {found}", style="dim")

    def _answer(self, text: str) -> None:
        if self.lively:
            self.console.print(Markdown(printable(text)), soft_wrap=False)
        else:
            typer.echo(printable(text))
        typer.echo()


def _one_line(text: str) -> str:
    return " ".join(text.split())
