"""Datasets: questions, who asks them, and SQL that says what is expected.

A dataset is YAML, in this package (`lakehouse`) or in a file; docs/evaluation.md explains its fields.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from agent.errors import MooringError
from agent.evaluation.judging import Kind

BUILT_IN = "lakehouse"
_THRESHOLD = 0.9


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Several = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""One text, or a list of them."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Forbidden(_Strict):
    """Values that must not be said: what SQL returns to somebody who may read it."""

    user: str | None = Field(default=None, alias="as")
    sql: Several


class Question(_Strict):
    """One or more turns of one person in one session; the last turn is judged."""

    category: str
    user: str | None = Field(default=None, alias="as")
    """Who asks, by a login of their own; None for whoever evaluates."""
    turns: Several = Field(alias="ask", min_length=1)
    expect: Kind = "rows"
    sql: Several = ()
    """What is expected, run as who asks when it is asked. Several statements mean several questions in one."""
    tables: tuple[str, ...] | None = None
    """The tables that the last query must read, and no others; None where it does not matter."""
    tools: tuple[str, ...] | None = None
    """The tools to be called for all turns, in any order; None where it does not matter."""
    forbidden: Forbidden | None = None
    kill_after: int | None = Field(default=None, ge=0)
    """Kill the process of the last turn when so many tools of it have answered, and go on in another one."""
    said: str | None = None
    """What was answered in the session that the question was taken from, for people to look at."""

    personal: tuple[str, ...] = ()
    """Kinds of personal data that it seems to have; nothing is judged by it."""

    @property
    def id(self) -> str:
        """What tells it from the others, and stays the same from one run to the next."""
        killed = "" if self.kill_after is None else f" (killed after {self.kill_after})"
        return f"{self.category}: {self.user or 'me'}: {' / '.join(self.turns)}{killed}"

    @property
    def inputs(self) -> dict[str, Any]:
        """What the agent is given."""
        return {"user": self.user, "turns": list(self.turns), "kill_after": self.kill_after}

    @property
    def record(self) -> dict[str, Any]:
        """What MLflow keeps of it before anything is computed."""
        expected = {"sql": list(self.sql), "said": self.said}
        tags = {"category": self.category, "question": self.id, "personal": ", ".join(self.personal) or "none"}
        return {"inputs": self.inputs, "expectations": expected, "tags": tags}

    @model_validator(mode="after")
    def _judgeable(self) -> Question:
        if self.expect in ("rows", "told") and not self.sql and self.said is None:
            msg = "an answer that is expected needs sql"
            raise ValueError(msg)
        return self


class Dataset(_Strict):
    """Questions by category, and the part of each category that has to be answered well."""

    name: str = Field(pattern=r"^[^'\"`\\%]+$")
    """By this name MLflow looks for it."""

    questions: tuple[Question, ...] = Field(min_length=1)
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    digest: str
    """Of its text: another one is another dataset."""

    def only(self, *categories: str) -> Dataset:
        """Return the questions of some categories: a dataset by itself, which is no baseline for the whole."""
        kept = tuple(question for question in self.questions if question.category in categories)
        return self.model_copy(update={"name": f"{self.name}: {', '.join(categories)}", "questions": kept})

    def threshold(self, category: str) -> float:
        """The part of a category that has to pass."""
        return self.thresholds.get(category, _THRESHOLD)


def load_dataset(name: str = BUILT_IN) -> Dataset:
    """Load a dataset that comes with Mooring, by its name, or one of your own, by the path of a YAML file.

    Raises:
        MooringError: There is none, or it is not written as it must be.
    """
    if name == BUILT_IN:
        text = (files("agent.evaluation") / "data" / f"{name}.yaml").read_text("utf-8")
    else:
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problem = f"There is no dataset {name!r} ({type(error).__name__})"
            raise MooringError(problem, f"name {BUILT_IN!r}, or the path of a YAML file") from None
    try:
        return parse(text)
    except (yaml.YAMLError, ValueError) as error:
        raise MooringError(f"The dataset {name!r} cannot be used: {_reason(error)}", "see docs/evaluation.md") from None


def parse(text: str) -> Dataset:
    """Read a dataset from YAML.

    Raises:
        ValueError, yaml.YAMLError: It is not written as it must be.
    """
    given = yaml.safe_load(text)
    if not isinstance(given, dict) or not isinstance(given.get("questions"), dict):
        msg = "it has no questions by category"
        raise ValueError(msg)
    user = given.pop("persona", None)
    questions = [
        {"as": user, "category": category, **question}
        for category, several in given.pop("questions").items()
        for question in several
    ]
    found = Dataset.model_validate(
        {**given, "questions": questions, "digest": hashlib.sha256(text.encode()).hexdigest()}
    )
    ids = [question.id for question in found.questions]
    if len(set(ids)) < len(ids):
        msg = f"it asks twice: {next(each for each in ids if ids.count(each) > 1)}"
        raise ValueError(msg)
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(str(error).split())
