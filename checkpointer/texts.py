"""Texts that Postgres does not take: found once it said so, as looking at all of them before would cost every call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import psycopg
from psycopg.errors import ProgramLimitExceeded

from checkpointer.errors import UnstorableTextError
from checkpointer.principal import storable

if TYPE_CHECKING:
    from checkpointer.operations import Statement

REFUSED = (psycopg.DataError, ProgramLimitExceeded, UnicodeEncodeError)
"""What is raised because of such a text."""

# Parameters of queries that are not called what they are.
_NAMES = {
    "ns": "checkpoint namespace",
    "at": "checkpoint id",
    "before": "checkpoint id",
    "task_ids": "task id",
    "task_paths": "task path",
    "run_ids": "run id",
    "channels": "channel's name",
    "label_sources": "table's name in a label",
    "label_prints": "fingerprint in a label",
}
# These may have any length.
_CONTENT = {"messages", "envelopes", "metadata", "reason"}


def refused_text(error: BaseException, statements: Sequence[Statement]) -> UnstorableTextError | None:
    """Return which text an error is about; None where it is not about one. Nothing of the text is told."""
    if isinstance(error, ProgramLimitExceeded):
        name, text = max(_texts(statements, but=_CONTENT), key=lambda found: len(found[1]), default=("", ""))
        return UnstorableTextError(_named(name), f"is too long, with {len(text.encode()):,} bytes") if text else None
    if isinstance(error, REFUSED):
        for name, text in _texts(statements):
            if not storable(text):
                return UnstorableTextError(_named(name), "holds a NUL character or a lone surrogate")
    return None


def _texts(statements: Iterable[Statement], but: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    for statement in statements:
        for name, value in statement.params.items():
            if name not in but:
                values = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
                yield from ((name, each) for each in values if isinstance(each, str))


def _named(parameter: str) -> str:
    return _NAMES.get(parameter, parameter.removeprefix("p_").replace("_", " "))
