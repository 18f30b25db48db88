"""The chat on a terminal, as a person types and sees it; Ctrl-C during an answer is in tests/chaos."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pexpect
import pytest

pytestmark = pytest.mark.embedded

MOORING = str(Path(sys.executable).with_name("mooring"))
UP, CTRL_U, BACKSPACE = "\x1b[A", "\x15", "\x7f"
COMPLETE = """
eval "$(mooring --show-completion bash)"
COMP_WORDS=(mooring sessions ex) COMP_CWORD=2
_mooring_completion mooring
echo "${COMPREPLY[@]}"
"""


class Terminal:
    """A program on a terminal of 100 columns."""

    def __init__(self, *command: str) -> None:
        self.program: Any = pexpect.spawn(
            command[0], list(command[1:]), encoding="utf-8", timeout=60, dimensions=(40, 100)
        )

    def see(self, pattern: str) -> str:
        """Wait for something on the screen; return what came since, without colours and cursor movements."""
        self.program.expect(pattern)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.program.before + self.program.match.group())

    def end(self) -> str:
        """Wait for the program's end; return what came since."""
        self.program.expect(pexpect.EOF)
        self.program.close()
        assert self.program.exitstatus == 0
        return str(self.program.before)

    def type(self, keys: str) -> None:
        self.program.send(keys)


@pytest.mark.usefixtures("lakehouse")
def test_a_chat() -> None:
    session = f"typed-{uuid4().hex[:8]}"
    terminal = Terminal(MOORING, "chat", "--session", session)
    terminal.see("> ")

    # A Markdown table is drawn as a table.
    terminal.type("which tables can I read?\r")
    answered = terminal.see("> ")
    assert "· list_tables" in answered
    assert re.search(r"bakehouse\.reviews +What customers say", answered)
    assert "| ---" not in answered

    # The line can be edited, and the prompt stays where it is.
    terminal.type(f"how many revjews{BACKSPACE * 4}iews are there?\r")
    terminal.see(r"· query select count\(\*\) from bakehouse.reviews")
    terminal.see("1 row from lakehouse.bakehouse.reviews.*240.*> ")
    terminal.type(UP)
    terminal.see("how many reviews are there")
    terminal.type(f"{CTRL_U}{UP}")
    terminal.see("which tables can I read")
    assert "\r\x1b[K" not in terminal.program.before  # a whole line erased, the prompt with it

    # Ctrl-C empties the line, Ctrl-D on an empty line leaves.
    terminal.program.sendintr()
    terminal.see("\r\n> ")
    terminal.type("how many suppliers are there?\r")
    terminal.see("27.*> ")
    terminal.program.sendeof()
    assert f"mooring chat --session {session}" in terminal.end()

    # It can be read again.
    shown = Terminal(MOORING, "sessions", "show", session).end()
    assert "> how many reviews are there?" in shown
    assert "1 row from lakehouse.bakehouse.reviews" in shown
    assert '{"' not in shown


def test_the_shell_completes_commands() -> None:
    path = f"PATH={Path(MOORING).parent}:$PATH"
    completed = subprocess.run(["bash", "-c", f"{path}\n{COMPLETE}"], capture_output=True, text=True, check=True)
    assert completed.stdout.split() == ["export"]
