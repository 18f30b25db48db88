"""A model of who may see which figure, in plain Python: it knows grants, policies, views, groups and what was told.

It says for a message and a person one of three things. *forbidden*: the person could not read now, from every table
that the message was derived from, exactly what was read there. *required*: they see each of these tables by the same
rules as its reader did. *either*: what they see is the same by other rules, which may be withheld.

Figures stand in the columns `amount` and `margin` of tables with one row for each seller. Roles and things go by short
names here; `tests.security.estate` makes them true.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Literal

PEOPLE = ("ann", "ben", "cleo")
CREW = "crew"
"""A group of people."""
KEEPER = "keeper"
"""Owns the views, and is nobody's login."""
COLUMNS = ("seller", "region", "amount", "margin")
FIGURES = ("amount", "margin")
SELLERS = {"ann": "north", "ben": "south", "cleo": "north", "nobody": "south"}
DAY = 24

Rule = Literal["true", "person", "north", "south", "mapping", "member"]
Where = Literal["true", "person", "north", "mapping"]
Verdict = Literal["required", "forbidden", "either"]

_numbers = count(1)
_figures = count(710_000_017, 13)
FIGURES_THAT_ARE: set[str] = set()
"""Of every table that there was."""


@dataclass(frozen=True)
class Policy:
    """A row policy for reading; without a rule it has no expression."""

    rule: Rule | None
    permissive: bool = True
    for_crew: bool = False


@dataclass(eq=False)
class Table:
    """A table by its present name."""

    name: str
    schema: str = "tables"
    number: int = field(default_factory=lambda: next(_numbers))
    granted: set[str] = field(default_factory=set)
    columns: dict[str, set[str]] = field(default_factory=dict)
    filtered: bool = False
    policies: tuple[Policy, ...] = ()

    def __post_init__(self) -> None:
        self.figures: dict[tuple[str, str], str] = {
            (seller, column): str(next(_figures)) for seller in SELLERS for column in FIGURES
        }
        FIGURES_THAT_ARE.update(self.figures.values())


@dataclass(eq=False)
class View:
    """A view of one thing, its owner is the keeper; it selects every column."""

    name: str
    base: Table | View
    invoker: bool = False
    where: Where = "true"
    schema: str = "views"
    number: int = field(default_factory=lambda: next(_numbers))
    granted: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Limits:
    """What limits a reader to a part: the rules, whether these look at the person, and whether at a mapping table."""

    rules: object
    personal: bool = False
    mapped: bool = False


@dataclass(eq=False)
class Reading:
    """That somebody read a thing, by what rules, and all that they saw there."""

    reader: str
    thing: Table | View
    name: str
    key: object
    seen: frozenset[str]
    mapped: bool
    hours: int = 0


@dataclass(frozen=True)
class Told:
    """A message: the readings that it was derived from, and the figures in it."""

    readings: frozenset[Reading]
    figures: frozenset[str]


@dataclass(eq=False)
class Thread:
    """A thread: whose it is, and with whom it is shared as what."""

    owner: str
    name: str
    shares: dict[str, Literal["viewer", "editor"]] = field(default_factory=dict)


class Reference:
    """The state of the world, as the actions of a test made it."""

    def __init__(self) -> None:
        self.usage: dict[str, set[str]] = {"tables": set(), "views": set()}
        self.crew: set[str] = set()
        self.mapping: set[tuple[str, str]] = set()
        self.readings: list[Reading] = []
        self.told: dict[str, Told] = {}
        """By the message's id."""
        self.results: dict[str, list[Told]] = {}
        """By the tool call's id: one of a fork has it as well."""
        self.threads: list[Thread] = []

    # --- rights -----------------------------------------------------------------------------------------------

    def roles(self, who: str) -> set[str]:
        """Return the roles whose grants count for somebody."""
        return {who, CREW} if who in self.crew else {who}

    def columns(self, who: str, table: Table) -> set[str]:
        """Return the columns of a table that somebody may read."""
        roles = self.roles(who)
        if roles & table.granted:
            return set(COLUMNS)
        return set().union(*(table.columns.get(role, set()) for role in roles))

    def limits(self, who: str, reader: str, thing: Table | View) -> Limits | None:
        """Return what limits `who` while `reader` asks; None where they may read nothing of it."""
        if isinstance(thing, View):
            if not self.roles(who) & thing.granted:
                return None
            behind = self.limits(reader if thing.invoker else KEEPER, reader, thing.base)
            if behind is None:
                return None
            mapped = thing.where == "mapping" or behind.mapped
            personal = thing.where in ("person", "mapping") or behind.personal
            return Limits((thing.number, thing.where, behind.rules), personal, mapped)
        columns = self.columns(who, thing)
        if not columns:
            return None
        named = None if columns == set(COLUMNS) else frozenset(columns)
        policies = [p for p in thing.policies if p.rule and (not p.for_crew or who in self.crew)]
        rules = frozenset((p.permissive, p.rule) for p in policies if p.rule != "true")
        everything = any(p.permissive and p.rule == "true" for p in policies)
        if not thing.filtered or (everything and all(permissive for permissive, _ in rules)):
            return Limits((thing.number, named))
        names = {rule for _, rule in rules}
        return Limits(
            (thing.number, named, everything, rules), bool(names & {"person", "member", "mapping"}), "mapping" in names
        )

    def key(self, person: str, thing: Table | View) -> object:
        """Return by what rules somebody reads a thing now, under its name; None where they may not."""
        if not self.roles(person) & self.usage[thing.schema]:
            return None
        limits = self.limits(person, person, thing)
        if limits is None:
            return None
        named = (person, person in self.crew) if limits.personal or limits.mapped else None
        return thing.number, thing.name, limits.rules, named

    def sees(self, person: str, thing: Table | View) -> frozenset[str] | None:
        """Return the figures that somebody can read in a thing now; None where the database refuses."""
        if not self.roles(person) & self.usage[thing.schema]:
            return None
        cells = self._cells(person, person, thing)
        return None if cells is None else frozenset(cells.values())

    def answer(self, person: str, thing: Table | View, columns: list[str]) -> frozenset[str] | None:
        """Return what a query for some columns gives somebody now; None where the database refuses."""
        if not self.roles(person) & self.usage[thing.schema]:
            return None
        if isinstance(thing, Table) and not set(columns) <= self.columns(person, thing):
            return None
        cells = self._cells(person, person, thing)
        return None if cells is None else frozenset(f for (_, column), f in cells.items() if column in columns)

    def _cells(self, who: str, reader: str, thing: Table | View) -> dict[tuple[str, str], str] | None:
        if isinstance(thing, View):
            asking = reader if thing.invoker else KEEPER
            if not self.roles(who) & thing.granted:
                return None
            if isinstance(thing.base, Table) and self.columns(asking, thing.base) != set(COLUMNS):
                return None
            behind = self._cells(asking, reader, thing.base)
            if behind is None:
                return None
            return {at: figure for at, figure in behind.items() if self._passes(thing.where, at[0], reader)}
        columns = self.columns(who, thing)
        if not columns:
            return None
        return {
            at: figure
            for at, figure in thing.figures.items()
            if at[1] in columns and self._admitted(who, reader, thing, at[0])
        }

    def _admitted(self, who: str, reader: str, table: Table, seller: str) -> bool:
        if not table.filtered:
            return True
        policies = [p for p in table.policies if p.rule and (not p.for_crew or who in self.crew)]
        passed = {p: self._passes(p.rule, seller, reader) for p in policies}
        return any(ok for p, ok in passed.items() if p.permissive) and all(
            ok for p, ok in passed.items() if not p.permissive
        )

    def _passes(self, rule: Rule | None, seller: str, reader: str) -> bool:
        match rule:
            case "true":
                return True
            case "person":
                return seller == reader
            case "mapping":
                return (reader, seller) in self.mapping
            case "member":
                return reader in self.crew
            case _:
                return SELLERS[seller] == rule

    # --- what is told -----------------------------------------------------------------------------------------

    def read(self, person: str, thing: Table | View) -> Reading | None:
        """Somebody reads a thing; None where the database refuses."""
        seen = self.sees(person, thing)
        if seen is None:
            return None
        limits = self.limits(person, person, thing)
        assert limits is not None
        reading = Reading(person, thing, thing.name, self.key(person, thing), seen, limits.mapped)
        self.readings.append(reading)
        return reading

    def verdict(self, person: str, told: Told) -> Verdict:
        """Say whether somebody may see a message now, whose thread they may read."""
        verdicts = {self._holds(person, reading) for reading in told.readings}
        return "forbidden" if "forbidden" in verdicts else "either" if "either" in verdicts else "required"

    def _holds(self, person: str, reading: Reading) -> Verdict:
        if reading.mapped and reading.hours >= DAY:
            return "forbidden"
        same = self.sees(person, reading.thing) == reading.seen and reading.thing.name == reading.name
        if self.key(person, reading.thing) == reading.key:
            # What a mapping table says may have changed; its label is the reader's alone, and runs out.
            assert same or reading.mapped, "the reference contradicts itself"
            return "required"
        return "either" if same else "forbidden"

    # --- threads ----------------------------------------------------------------------------------------------

    def may_read(self, person: str, thread: Thread) -> bool:
        """Tell whether a thread is somebody's, or shared with them."""
        return person == thread.owner or bool(self.roles(person) & thread.shares.keys())

    def may_write(self, person: str, thread: Thread) -> bool:
        """Tell whether they may go on with it."""
        return person == thread.owner or any(thread.shares.get(role) == "editor" for role in self.roles(person))
