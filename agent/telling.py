"""What the checkpointer refuses, in the words of a person: they see sessions where a developer sees threads."""

from __future__ import annotations

import re

from agent.refusals import refused
from agent.settings import Settings
from checkpointer import CheckpointerError, DatabaseUnavailableError, SourceError, ThreadDeletedError

# A name in quotes is somebody's own, whatever it says; the sign of a possessive begins none.
_THREAD = re.compile(r"""(?<!\w)'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b([Tt])hread""")
_DELETED = "The session was deleted while it was answered, and what came after is not stored. Ask again in a new one."


def told(error: CheckpointerError) -> str:
    """Return what happened and what to do."""
    if isinstance(error, ThreadDeletedError):
        return _DELETED
    if isinstance(error, DatabaseUnavailableError) and (reason := refused(error, Settings().setting)):
        return str(reason)
    if isinstance(error, SourceError) and (reason := refused(error, "--from")):
        return str(reason)
    return _THREAD.sub(lambda found: f"{'S' if found[1] == 'T' else 's'}ession" if found[1] else found[0], str(error))
