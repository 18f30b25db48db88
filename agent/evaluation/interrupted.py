"""One turn in a process of its own, to be killed in the middle: `python -m agent.evaluation.interrupted`.

It reads one line of JSON (user, session, model, question), names each thing that happens in a line of its own, and goes
on when it is sent a line: whoever reads knows how far it is, and kills it there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from agent.callers import Callers
from agent.conversation import Said, ToolFinished, ToolStarted
from agent.host import open_host
from agent.settings import Settings

if TYPE_CHECKING:
    from agent.conversation import Event

_SECONDS = 120.0


def main() -> None:
    """Ask, step by step."""
    given = json.loads(sys.stdin.readline())
    with open_host(Settings()) as host:
        caller = Callers(host, given["profile"])(given["user"])
        with host.conversation(caller, given["session"], model=given["model"]) as conversation:
            for event in conversation.ask(given["question"]):
                _say(event)


def kill_in_the_middle(given: dict[str, Any], tools: int) -> list[str] | None:
    """Ask in a process of its own, and kill it when so many tools have answered.

    Args:
        given: The user, the profile, the session, the model and the question.
        tools: How many; with 0 it is killed when the first one begins.

    Returns:
        The ids of what had been said, and of the tool calls that had answered, in steps that another one came after:
        all of it is stored, while what the last one did may be on its way. None where the turn ended before.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "agent.evaluation.interrupted"],
        env={**os.environ, "MOORING_TRACES": "off"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    patience = threading.Timer(_SECONDS, process.kill)
    patience.start()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        line, answered, kind = json.dumps(given), 0, ""
        stored, step = list[str](), list[str]()
        while True:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            line = process.stdout.readline()
            name, _, what = line.strip().partition(" ")
            answered += name == ToolFinished.__name__
            if what:
                if name != kind:
                    stored, step, kind = stored + step, [], name
                step.append(what)
            if answered >= max(tools, 1) or (not tools and name == ToolStarted.__name__):
                return stored if patience.is_alive() else None
            if not line:
                return None
    except BrokenPipeError:
        return None
    finally:
        patience.cancel()
        process.kill()
        process.communicate()


def _say(event: Event) -> None:
    stored = ""
    if isinstance(event, Said):
        stored = event.message.id or ""
    if isinstance(event, ToolFinished):
        stored = event.message.tool_call_id
    sys.stdout.write(f"{type(event).__name__} {stored}\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
