"""`mooring chat`, `mooring ask` and `mooring approve`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from agent.approvals import ApprovalError
from agent.cli.failures import report
from agent.cli.options import Format
from agent.cli.output import print_json
from agent.cli.runtime import open_conversation
from agent.cli.screen import Screen
from agent.conversation import Answered
from agent.errors import TurnError

if TYPE_CHECKING:
    from agent.conversation import Conversation, Event
    from agent.schemas import Answer

_LEAVE = {"exit", "quit", "bye", r"\q"}
_STOPPED = "Stopped. What was found so far is kept."


def run_chat(
    user: str | None,
    session: str | None,
    owner: str | None,
    continue_: bool,
    model: str | None,
    profile: str | None = None,
) -> None:
    """Chat until the input ends. From a pipe it exits with 1 where a question was left without an answer."""
    screen = Screen()
    code = 0
    with open_conversation(user, session, continue_, model, owner, profile) as conversation:
        talking = screen.lively and sys.stdin.isatty()
        if talking:
            screen.line(f"Session {conversation.session}. Ask about your tables; Ctrl-D leaves.", style="dim")
        code |= _shown(conversation, screen, conversation.finish())
        code |= _decided(conversation, screen) if talking else 0
        for question in _typed() if talking else _piped(screen):
            code |= _shown(conversation, screen, conversation.ask(question))
            code |= _decided(conversation, screen) if talking else 0
        if talking:
            screen.line(f"Go on with: mooring chat {_named(conversation)}", style="dim")
    if code and not talking:
        raise typer.Exit(code)


def run_ask(
    question: str,
    user: str | None,
    session: str | None,
    owner: str | None,
    continue_: bool,
    model: str | None,
    output: Format,
    profile: str | None = None,
) -> None:
    """Ask one question."""
    question = question.strip()
    if not question:
        message = 'The question is empty. Ask for instance: mooring ask "which tables can I read?"'
        raise typer.BadParameter(message)
    with open_conversation(user, session, continue_, model, owner, profile) as conversation:
        try:
            if output is Format.JSON:
                print_json(_answer(conversation, question))
                return
            screen = Screen()
            screen.show(conversation.ask(question))
            typer.echo(f"Session {conversation.session}", err=True)
        except KeyboardInterrupt:
            conversation.stop()
            typer.echo(f"{_STOPPED} Session {conversation.session}", err=True)
            raise


def run_approve(
    session: str,
    call: str,
    approved: bool,
    user: str | None,
    owner: str | None,
    output: Format,
    profile: str | None = None,
) -> None:
    """Decide about a call that waits, and show what comes of it."""
    with open_conversation(user, session, False, None, owner, profile) as conversation:
        events = conversation.decide({call: approved})
        if output is Format.JSON:
            print_json(_last(events))
        else:
            Screen().show(events)


def _decided(conversation: Conversation, screen: Screen) -> int:
    """Ask a person on a terminal about each call that waits, until none does."""
    code = 0
    while waiting := conversation.waiting():
        for use in waiting:
            try:
                answer = input(f"Run {use.name} ({use.id})? [y/N] ")
            except (EOFError, KeyboardInterrupt):
                print()  # noqa: T201 - the cursor is behind the prompt
                screen.line(f"It waits: mooring approve {conversation.session} {use.id} yes|no", style="dim")
                return code
            decision = {use.id or "": answer.strip().lower() in ("y", "yes")}
            code |= _shown(conversation, screen, conversation.decide(decision))
    return code


def _named(conversation: Conversation) -> str:
    owner = f" --owner {conversation.owner}" if conversation.owner else ""
    return f"--session {conversation.session}{owner}"


def _shown(conversation: Conversation, screen: Screen, events: Iterable[Event]) -> int:
    """Show a turn; neither Ctrl-C nor a model or tool that fails ends the chat. Return the exit code."""
    try:
        screen.show(events)
    except KeyboardInterrupt:
        conversation.stop()
        screen.line(_STOPPED, style="dim")
    except (TurnError, ApprovalError) as error:
        return report(error)
    return 0


def _answer(conversation: Conversation, question: str) -> Answer:
    return _last(conversation.ask(question))


def _last(events: Iterable[Event]) -> Answer:
    *_, last = events
    assert isinstance(last, Answered)
    return last.answer


def _piped(screen: Screen) -> Iterator[str]:
    for line in sys.stdin:
        if question := line.strip():
            screen.line(f"> {question}")
            yield question


def _typed() -> Iterator[str]:
    with suppress(ImportError):  # some builds of Python lack it
        import readline  # noqa: F401 - gives input() a history and line editing

    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            print()  # noqa: T201 - Ctrl-D leaves the cursor behind the prompt
            return
        except KeyboardInterrupt:
            print()  # noqa: T201 - as a shell does
            continue
        if question.lower() in _LEAVE:
            return
        if question:
            yield question
