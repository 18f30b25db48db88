"""The parts of speech of a question: which of its items say what to compute, for each of what, and on which rows.

Nothing is decided here about tables: an item that may be several columns stays so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.models.offline.language.lexicon import Item

if TYPE_CHECKING:
    pass


@dataclass
class Wanted:
    """A measure as it was asked for: `agg` may be empty where only a name was given."""

    agg: str
    target: Item | None = None
    distinct: bool = False


@dataclass
class Rank:
    """An order with a limit: by a measure, by time (`recent`) or by how often something occurs (`common`)."""

    kind: str
    direction: str
    limit: int | None = None
    target: Item | None = None
    word: str = ""


@dataclass
class Condition:
    """A comparison with numbers; `target` is what stands before it, `after` what follows the number."""

    op: str
    numbers: tuple[str, ...]
    target: Item | None = None
    after: Item | None = None
    denied: bool = False
    """Whether it is denied that somebody did something with such a number."""


@dataclass
class Chosen:
    """A value, or a name taken as a yes or no."""

    item: Item
    negated: bool = False
    hint: Item | None = None
    denied: bool = False
    """Whether it is denied that somebody did something with it."""


@dataclass
class Draft:
    """The parts of one clause."""

    wanted: list[Wanted] = field(default_factory=list)
    groups: list[Item] = field(default_factory=list)
    rank: Rank | None = None
    subject: Item | None = None
    mentioned: list[Item] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    chosen: list[Chosen] = field(default_factory=list)
    dates: list[tuple[Item, bool]] = field(default_factory=list)
    """Periods, and whether they are excluded."""
    hints: list[Item] = field(default_factory=list)
    order: tuple[str | None, Item | None] | None = None
    first: str = ""
    """The words that say which come first, but not by what: "largest first"."""
    figured: bool = False
    """Whether it says by which figure to order: "by number of reviews"."""
    asks: str = ""
    """list, which, who, when or nothing."""
    lean: str = ""
    """Whether it leans on the question before: weak, strong, by referring to its rows, or not."""
    also: bool = False
    """Whether it adds to the question before: "by channel too"."""
    instead: bool = False
    """Whether it replaces what was computed before."""
    total: bool = False
    """Whether it asks for all together."""
    part: bool = False
    """Whether it begins as a part of a sentence does: "for small shops"."""
    months: list[tuple[Item, str]] = field(default_factory=list)
    """Months without a year; "before", "after", "since", "until" or nothing."""
    either: bool = False
    currency: str = ""
    """The currency that figures are asked for in."""
    passive: bool = False
    """Whether it ends with what leads to those who are asked for: "who does Ann report to"."""
    only: bool = False
    """Whether something is said to be all that there is of it: "who only bought cakes"."""
    both: bool = False
    """Whether it asks for two things at once: "both large and small"."""
    averaged: bool = False
    """Whether it asks for the average of what was counted: "the average number of reviews per shop"."""
    single: bool = False
    """Whether it speaks of any one row: "the fare of a booking"."""
    absent: list[Item] = field(default_factory=list)
    """Names after a no or without."""
    lost: list[str] = field(default_factory=list)
    """Words that have no place."""
    undone: list[Item] = field(default_factory=list)
    """Verbs that end what is said and are denied: "loans that were not returned"."""
    done: Item | None = None
    """The verb that ends what is said: "loans that were returned"."""
    denies: Item | None = None
    """The words that deny that somebody did something: "never", "did not"."""
    limit: int | None = None
    sold: bool = False
    """Whether it is about what was sold."""
    was_sold: bool = False
    """Whether it says that something was sold."""
    said: frozenset[str] = frozenset()
    """Tables that the person said, when asked, to be meant."""
    closed: bool = False
    """Whether the clause said of all there is ("are there"), so that what comes later is not about it."""

    @property
    def figures(self) -> list[Item]:
        """Names of figures that are mentioned for themselves, not only to compare them with a number."""
        compared = [c.target for c in self.conditions]
        named = [i for i in self.mentioned if all(i is not c for c in compared)]
        return [i for i in named if any(c.measures for c in i.columns)]

    @property
    def items(self) -> list[Item]:
        """Every item that may name a table or column."""
        ranked = [self.rank.target] if self.rank else []
        asked = (
            [w.target for w in self.wanted] + [c.target for c in self.conditions] + [c.after for c in self.conditions]
        )
        every = [*asked, *self.groups, *ranked, self.subject, *self.mentioned, *(c.item for c in self.chosen)]
        every += [self.order[1] if self.order else None, *self.absent]
        return [item for item in every if item is not None]
