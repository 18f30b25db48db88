"""`mooring sessions`: one's own, from listing to giving away, and showing what others share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import (
    As,
    DryRun,
    Format,
    KeepLast,
    Name,
    NameOrAll,
    OlderThan,
    Output,
    Owner,
    Profile,
    Role,
    ShareRole,
    Title,
    To,
    With,
)
from agent.cli.output import print_json

if TYPE_CHECKING:
    from agent.cli.runtime import Memory
    from agent.schemas import ShareInfo, Transcript

sessions = typer.Typer(
    help="Your sessions, and with --owner those of others; `shares` lists whose are shared with you.",
    no_args_is_help=True,
)


@sessions.command("list")
def list_(as_: As = None, profile: Profile = None, output: Output = Format.TEXT) -> None:
    """List your sessions, the one used last first."""
    from agent.cli.runtime import open_memory
    from agent.cli.screen import Screen
    from agent.transcript import info_of

    with open_memory(as_, profile) as memory:
        found = [info_of(each) for each in memory.saver.sessions()]
    if output is Format.JSON:
        print_json(found)
        return
    screen = Screen()
    for info in found:
        screen.line(f"{info.session}\t{info.updated_at:%Y-%m-%d %H:%M}\t{info.title or ''}")
    if not found and screen.lively:
        screen.line("No sessions yet.")


@sessions.command()
def show(
    name: Name,
    as_: As = None,
    profile: Profile = None,
    owner: Owner = None,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="As an auditor, read it whole, shared or not; the audit tells.")
    ] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why the glass has to be broken.")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Show a session's messages, oldest first."""
    if break_glass and (owner is None or not (reason or "").strip()):
        raise typer.BadParameter("--break-glass needs --owner and --reason")
    _print(name, as_, profile, owner, output, break_glass=reason if break_glass else None)


@sessions.command()
def export(
    name: Name, as_: As = None, profile: Profile = None, owner: Owner = None, output: Output = Format.JSON
) -> None:
    """Print a whole session, as JSON unless told otherwise."""
    _print(name, as_, profile, owner, output, exports=True)


@sessions.command()
def history(
    name: Name, as_: As = None, profile: Profile = None, owner: Owner = None, output: Output = Format.TEXT
) -> None:
    """List a session's checkpoints, the latest first: what was stored, and what would run next."""
    from agent.cli.runtime import open_memory
    from agent.cli.screen import Screen
    from agent.history import history_of

    with open_memory(as_, profile) as memory:
        found = history_of(memory.saver, name, None if owner == memory.caller.principal.name else owner)
    if output is Format.JSON:
        print_json(found)
        return
    screen = Screen()
    for each in found:
        screen.line(f"{each.checkpoint}\t{each.source}\t{', '.join(each.next) or '-'}\t{each.messages}\t{each.last}")


@sessions.command()
def rename(name: Name, title: Title, as_: As = None, profile: Profile = None) -> None:
    """Give a session another title; its name stays."""
    from agent.cli.runtime import open_memory

    with open_memory(as_, profile) as memory:
        memory.saver.rename(name, title)


@sessions.command()
def delete(name: Name, as_: As = None, profile: Profile = None) -> None:
    """Delete a session with everything in it."""
    from agent.cli.runtime import open_memory

    with open_memory(as_, profile) as memory:
        _require(memory, name)
        memory.saver.delete_thread(name)


@sessions.command()
def prune(
    older_than: OlderThan = None,
    keep_last: KeepLast = None,
    dry_run: DryRun = False,
    as_: As = None,
    profile: Profile = None,
    output: Output = Format.TEXT,
) -> None:
    """Delete sessions that are not used any more, and older checkpoints of the others.

    A session with a policy of its own goes by that. One under legal hold stays, and so does one in use.
    """
    from agent.cli.pruning import show_pruned
    from agent.cli.runtime import open_memory
    from checkpointer import Retention

    with open_memory(as_, profile) as memory:
        expired = memory.saver.expire(retention=Retention(keep_last=keep_last, ttl=older_than), dry_run=dry_run)
    show_pruned(expired, output, dry_run=dry_run, owners=False)


@sessions.command()
def erase(
    user: Annotated[str, typer.Option(metavar="NAME", help="Whose sessions: the name of their login.")],
    except_held: Annotated[
        bool, typer.Option("--except-held", help="Leave sessions under legal hold, and erase the others.")
    ] = False,
    dry_run: DryRun = False,
    output: Output = Format.TEXT,
) -> None:
    """Erase, as MOORING_ADMIN_URL, everything of a person. Where a session is under legal hold, nothing is erased."""
    from agent.cli.erasing import run_erase

    run_erase(user, dry_run, except_held, output)


@sessions.command()
def share(name: Name, with_: With, role: Role = ShareRole.VIEWER, as_: As = None, profile: Profile = None) -> None:
    """Let somebody read a session, or go on with it, as themselves.

    They see of it what they may read themselves, and name it with --owner. Who has it already gets the role.
    """
    from agent.cli.runtime import open_memory

    with open_memory(as_, profile) as memory:
        memory.saver.share(name, with_, role.value)


@sessions.command()
def unshare(name: Name, with_: With, as_: As = None, profile: Profile = None) -> None:
    """Share a session with somebody no longer."""
    from agent.cli.runtime import open_memory

    with open_memory(as_, profile) as memory:
        memory.saver.unshare(name, with_)


@sessions.command()
def shares(name: NameOrAll = None, as_: As = None, profile: Profile = None, output: Output = Format.TEXT) -> None:
    """List whom a session is shared with; without a name, all your shares, and what others share with you."""
    from agent.cli.runtime import open_memory
    from agent.transcript import share_of

    with open_memory(as_, profile) as memory:
        infos = [share_of(each) for each in memory.saver.shares(name)]
    if output is Format.JSON:
        print_json(infos)
        return
    _show_shares(infos)


@sessions.command()
def transfer(name: Name, to: To, as_: As = None, profile: Profile = None) -> None:
    """Give a session away, with everything in it. It is no longer yours then."""
    from agent.cli.runtime import open_memory

    with open_memory(as_, profile) as memory:
        memory.saver.transfer(name, to)


def _print(
    name: str,
    user: str | None,
    profile: str | None,
    owner: str | None,
    output: Format,
    *,
    exports: bool = False,
    break_glass: str | None = None,
) -> None:
    from agent.cli.runtime import open_memory
    from agent.transcript import transcript_of

    with open_memory(user, profile) as memory:
        if owner == memory.caller.principal.name:
            owner = None
        transcript = transcript_of(memory.saver, name, owner, exports=exports, break_glass=break_glass)
    if output is Format.JSON:
        print_json(transcript, indent=2)
    else:
        _show(transcript)


def _require(memory: Memory, name: str) -> None:
    from checkpointer import ThreadNotFoundError

    if not memory.saver.sessions(thread_id=name):
        raise ThreadNotFoundError(name)


def _show_shares(infos: list[ShareInfo]) -> None:
    from agent.cli.screen import Screen

    screen = Screen()
    for info in infos:
        screen.line(f"{info.owner}\t{info.session}\t{info.role}\t{info.shared_with}\t{info.shared_at:%Y-%m-%d %H:%M}")
    if not infos and screen.lively:
        screen.line("Nothing is shared.")


def _show(transcript: Transcript) -> None:
    from agent.cli.screen import Screen

    screen = Screen()
    uses = {use.id: use for message in transcript.messages for use in message.tool_calls}
    for message in transcript.messages:
        if message.role == "tool":
            use = uses.get(message.tool_call_id)
            failure = message.content if use and use.status == "error" else None
            reason = message.withheld.reason if message.withheld else failure
            screen.outcome(reason, use.rows if use else None, message.sources)
            continue
        mark = "> " if message.role == "user" else ""
        if message.withheld:
            screen.line(message.withheld.reason, style="red")
        elif message.content:
            screen.line(f"{mark}{message.content}", style="bold" if mark else "")
        for use in message.tool_calls:
            screen.call(use.name, use.args)
    waiting = [use for use in uses.values() if use.status == "waiting"]
    owner = f" --owner {transcript.owner}" if transcript.owner else ""
    for use in waiting:
        screen.line(f"It waits: mooring approve {transcript.session} {use.id} yes|no{owner}", style="dim")
    if waiting:
        screen.line("(Another question closes what waits, unapproved.)", style="dim")
    elif transcript.unfinished:
        screen.line("(The last turn was interrupted; the next question finishes it first.)", style="dim")
