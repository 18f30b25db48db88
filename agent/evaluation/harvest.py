"""Datasets out of stored sessions: what somebody asked, under their own rights.

Each turn of their sessions becomes a question, with the questions before it as its context. What is expected is the SQL
that the turn ran, run again at the time of evaluation; of an answer that somebody did not like nothing is expected yet:
a person writes the SQL. A turn of which anything is withheld from them is left out.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from agent.errors import MooringError
from agent.evaluation.dataset import parse
from agent.evaluation.judging import refuses
from agent.transcript import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from agent.evaluation.dataset import Dataset
    from agent.schemas import Message
    from checkpointer import GovernedPostgresSaver
    from checkpointer.feedback import Rating

CATEGORY = "sessions"
_MOST_SESSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Harvest:
    """What was found in somebody's sessions."""

    questions: list[dict[str, Any]] = field(default_factory=list)
    """As a dataset writes them."""
    sessions: int = 0
    """That questions were taken from."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many turns were not, by reason."""

    @property
    def personal(self) -> int:
        """How many questions have what looks like personal data."""
        return sum("personal" in each for each in self.questions)


def harvest(saver: GovernedPostgresSaver, since: datetime | None = None, rating: Rating | None = None) -> Harvest:
    """Read the bound principal's sessions.

    Args:
        saver: An open saver.
        since: Only sessions that were used since then.
        rating: Only answers that somebody said this of.

    Raises:
        MooringError: MLflow, which looks for personal data, is not installed.
    """
    personal = _detector()
    questions: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    sessions = 0
    known: set[str] = set()
    for session in saver.sessions(limit=_MOST_SESSIONS):
        if since is not None and session.updated_at < since:
            continue
        at: Any = {"configurable": {"thread_id": session.thread_id}}
        latest = saver.get_tuple(at)
        if latest is None:
            continue  # deleted meanwhile
        messages = messages_of(latest.checkpoint["channel_values"].get("messages", []))
        rated: defaultdict[int, set[Rating]] = defaultdict(set)
        for each in saver.ratings(latest.config):
            rated[each.number].add(each.rating)
        before = len(questions)
        for number, turns, turn in _turns(messages):
            opinions = rated[number]
            if rating is not None and rating not in opinions:
                continue
            found = _question(turns, turn, disliked="down" in opinions)
            key = "\n".join(turns)
            if isinstance(found, str):
                left_out[found] += 1
            elif key in known:
                left_out["asked already"] += 1
            else:
                known.add(key)
                flags = personal("\n".join([*turns, found["said"]]))
                questions.append({**found, **({"personal": flags} if flags else {})})
        if len(questions) > before:
            sessions += 1
            # What is taken out of a session is in the audit.
            saver.export(at)
    return Harvest(questions, sessions, left_out)


def write_dataset(path: Path, found: Harvest, persona: str | None) -> Dataset:
    """Write what was found as a dataset that only its owner reads, and return it.

    Raises:
        MooringError: There is nothing to write, the file is there already, or it cannot be written.
    """
    if not found.questions:
        raise MooringError("No question was found", "look further back with --since, or leave out --where")
    name = re.sub(r"['\"`\\%]", "-", path.stem)
    given = {"name": name, **({"persona": persona} if persona else {}), "questions": {CATEGORY: found.questions}}
    text = yaml.dump(given, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    dataset = parse(text)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MooringError(f"{path.name} is there already", "name a file that is not") from None
    except OSError as error:
        raise MooringError(f"{path.name} cannot be written ({type(error).__name__})", "name another file") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return dataset


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such: people edit what is written."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _turns(messages: Sequence[Message]) -> list[tuple[int, list[str], list[Message]]]:
    """Return each turn with the number of its last message, and the questions until then."""
    starts = [at for at, message in enumerate(messages) if message.role == "user"]
    ends = [*starts[1:], len(messages)]
    asked = [messages[at].content or "" for at in starts]
    return [
        (end - 1, asked[: number + 1], list(messages[start:end]))
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _question(turns: list[str], turn: list[Message], *, disliked: bool) -> dict[str, Any] | str:
    """Return a turn as a question, or why it is left out."""
    last = turn[-1]
    if any(message.withheld or any(use.withheld for use in message.tool_calls) for message in turn):
        return "withheld"
    if last.role != "assistant" or not last.content:
        return "not answered"
    found: dict[str, Any] = {"ask": turns[0] if len(turns) == 1 else turns, "said": last.content}
    if disliked:
        return found
    if refuses(last.content):
        return "refused"
    queries = [use for message in turn for use in message.tool_calls if use.name == "query" and use.status == "success"]
    if not queries:
        return "without a query"
    return {**found, "sql": str(queries[-1].args.get("sql", "")), "tables": queries[-1].sources}


def _detector() -> Callable[[str], list[str]]:
    """Return what names the kinds of personal data that a text seems to have: MLflow's own scorer."""
    try:
        from mlflow.genai.scorers import PIIDetection
    except ImportError as error:
        raise MooringError("MLflow is not installed", "pip install 'mooring[serving]'") from error
    scorers = {kind: PIIDetection(pii_types=[kind]) for kind in ("email", "phone", "ssn", "credit_card", "ip_address")}
    return lambda text: [kind for kind, scorer in scorers.items() if scorer(outputs=text).value == "no"]
