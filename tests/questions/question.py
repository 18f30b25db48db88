"""Questions as data: what is asked, by whom, and the SQL whose result the answer must agree with.

A file of questions is SQL; its comments say the rest. Blank lines part the questions:

    -- # counts                                  a category, for all that follow

    -- alice: how many shops are there?          who asks, as a login of their own
    -- then: and by country?                     the next turn of the same session; the last one is judged
    -- from: bakehouse.franchises                the tables that the last query must have read; optional
    select country, count(*) from bakehouse.franchises group by country;

Two statements mean two questions in one. `-- or` starts another answer that is as good. Before its SQL a line may say
that something else than rows is expected:

    -- told       the values of the SQL's result are in the answer's text, however the model came to know them
    -- refused    the answer says that it cannot; values of the SQL, if there is one, are not to be seen
    -- denied     the same, and it was the database that refused
    -- quiet      the answer gives no figures; it need not say that it cannot

`ORDER BY` means that the order matters. Columns of the SQL that are called year, quarter or month hold 2025, 2025-Q1
and 2025-03, and are compared with whatever way there is to write that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from agent.evaluation.judging import KINDS, Kind

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Expected:
    """One answer that is right."""

    kind: Kind
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One or more turns of one person; the last turn is judged."""

    category: str
    persona: str
    turns: tuple[str, ...]
    expected: tuple[Expected, ...]
    sources: frozenset[str] | None = None
    """Tables that the last query must have read, as `catalog.schema.table`; None where it does not matter."""

    def __str__(self) -> str:
        """Say it in words that make a test's name."""
        words = re.sub(r"[^\w<>]+", "-", " ".join(self.turns).lower()).strip("-")
        return f"{self.category}-{self.persona}-{words if len(words) <= 80 else '..' + words[-78:]}"


class FormatError(ValueError):
    """A file of questions is not written as it must be."""


def read(name: str) -> list[Question]:
    """Read `name.sql` of this folder."""
    return parse((_FOLDER / f"{name}.sql").read_text("utf-8"))


def parse(text: str) -> list[Question]:
    """Read questions from text, in order."""
    questions: list[Question] = []
    category = ""
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines()
        if heading := re.fullmatch(r"-- # (.+)", lines[0]):
            category = heading[1].replace(" ", "_")
            lines = lines[1:]
        if lines and re.match(r"-- \w+: ", lines[0]):
            questions.append(_question(lines, category))
        elif any(not line.startswith("--") for line in lines):
            raise FormatError(f"who asks this? {block}")
    return questions


def _question(lines: list[str], category: str) -> Question:
    turns: list[str] = []
    asked = Question(category, "", (), ())
    rest: list[str] = []
    for line in lines:
        said = re.fullmatch(r"-- (\w+): (.+)", line)
        if said is None or rest:
            rest.append(line)
        elif said[1] == "from":
            tables = frozenset(f"lakehouse.{table.strip()}" for table in said[2].split(","))
            asked = replace(asked, sources=tables)
        else:
            if said[1] != "then":
                asked = replace(asked, persona=said[1])
            turns.append(said[2])
    alternatives = re.split(r"^-- or$", "\n".join(rest), flags=re.MULTILINE)
    return replace(asked, turns=tuple(turns), expected=tuple(_expected(each.strip()) for each in alternatives))


def _expected(text: str) -> Expected:
    kind: Kind = "rows"
    if marked := re.match(r"-- (\w+)(\n|$)", text):
        if marked[1] not in KINDS:
            raise FormatError(f"what is expected here? {text}")
        kind = cast("Kind", marked[1])
        text = text[marked.end() :]
    statements = tuple(part.strip() for part in re.split(r";\s*(?:\n|$)", text) if part.strip())
    if not statements and kind in ("rows", "told"):
        raise FormatError(f"an answer of kind {kind} needs SQL")
    return Expected(kind, statements)
