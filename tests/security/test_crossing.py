"""Not one figure crosses: random changes of rights and of sessions, by several people, held against a reference.

A state machine of hypothesis makes the steps. Each is followed by looks of several people, in ways that take turns, so
that a figure that crossed does not wait for somebody to look. 400 steps run with every test run, the same ones;
`MOORING_CROSSING_STEPS=10000` runs so many, others each time.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from langchain_core.messages import HumanMessage

from agent.conversation import Conversation
from agent.graph import TurnContext
from checkpointer import GovernedPostgresSaver, ThreadNotFoundError, acting_as
from tests.conftest import TAKEN
from tests.security.estate import POLICIES, SPELLINGS, Estate
from tests.security.reference import CREW, DAY, FIGURES, KEEPER, PEOPLE, SELLERS, Reference, Table, Thread, View
from tests.security.showing import WAYS, Looking, figures_in
from tests.security.talking import Talking

if TYPE_CHECKING:
    import psycopg

    from agent.database import Database

STEPS = 400
STEPS_AT_ONCE = 40

person = st.sampled_from(PEOPLE)
grantee = st.sampled_from((*PEOPLE, CREW))
anybody = st.sampled_from((*PEOPLE, CREW, KEEPER))
table_name = st.sampled_from(("sales", "costs"))
place = st.integers(0, 11)
wheres = st.sampled_from(("true", "true", "person", "north", "mapping"))
columns = st.sampled_from((["amount"], ["margin"], ["amount", "margin"]))
yes = st.booleans()


class Crossing(RuleBasedStateMachine):
    """People who read tables, talk about them, and show each other what was said."""

    lakehouse: Database
    admin: psycopg.Connection[Any]
    savers: list[GovernedPostgresSaver]
    counts: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.reference = Reference()
        self.estate = self.stack.enter_context(Estate(self.lakehouse, self.admin, self.reference))
        self.looking = Looking(self.estate, self.savers, self.counts)
        self.talking = Talking(self.estate, self.savers, self.looking, self.counts)
        self.names = (f"{self.estate.name}-{n}" for n in count())
        self.steps = self.first = 0

    def teardown(self) -> None:
        self.stack.close()

    def thread(self, number: int) -> Thread:
        """Return one of the threads there are."""
        return self.reference.threads[number % len(self.reference.threads)]

    def own(self, who: str, number: int) -> Thread | None:
        """Return one of somebody's own threads."""
        own = [t for t in self.reference.threads if t.owner == who]
        return own[number % len(own)] if own else None

    # --- steps ------------------------------------------------------------------------------------------------

    @initialize(crew=st.sets(person), shared=yes, first=place)
    def begin(self, crew: set[str], shared: bool, first: int) -> None:
        """Everybody reads something, has told it, and shows it to the next."""
        estate = self.estate
        self.first = first
        for who in PEOPLE:
            estate.open_schema(who, "tables", usage=True)
            estate.open_schema(who, "views", usage=True)
            estate.join(who, member=who in crew)
        for table in estate.tables.values():
            for who in (*PEOPLE[:2], KEEPER):
                estate.grant(who, table)
        for view in estate.views.values():
            for who in (*PEOPLE, KEEPER):
                estate.grant(who, view)
        for n, who in enumerate(PEOPLE):
            self.asks_anew(who, n, ["amount"])
            if shared:
                self.share(who, 0, PEOPLE[(n + 1) % len(PEOPLE)], editor=n == 0)

    @rule(who=person, thing=place, what=columns)
    def asks_anew(self, who: str, thing: int, what: list[str]) -> None:
        self.reference.threads.append(Thread(who, next(self.names)))
        self.asks(who, len(self.reference.threads) - 1, thing, what)

    @rule(who=person, number=place, thing=place, what=columns)
    def asks(self, who: str, number: int, thing: int, what: list[str]) -> None:
        self.ask(who, self.thread(number), thing, what)

    def ask(self, who: str, thread: Thread, thing: int, what: list[str]) -> None:
        """Ask for columns of something that they may mostly read."""
        things = self.estate.things()
        readable = [t for t in things if self.reference.answer(who, t, what)]
        chosen = (readable or things) if thing % 4 else things
        self.ask_about(who, thread, chosen[thing % len(chosen)], what)

    def ask_about(self, who: str, thread: Thread, thing: Table | View, what: list[str]) -> None:
        """Ask for columns of a thing."""
        name = self.estate.at(thing)

        def ask(chat: Conversation) -> None:
            events = list(chat.ask(f"select {','.join(what)} from {name}"))
            told = self.reference.told.values()
            allowed = frozenset[str]().union(
                *(each.figures for each in told if self.reference.verdict(who, each) != "forbidden")
            )
            assert figures_in(str(events)) <= allowed

        if self.talking.converse(who, thread, ask):
            self.counts["turns"] += 1

    @rule(who=person, number=place, back=place, again=yes)
    def forks(self, who: str, number: int, back: int, again: bool) -> None:
        thread = self.thread(number)
        graph = self.talking.graphs[back % len(self.talking.graphs)]

        def fork(chat: Conversation) -> None:
            with acting_as(self.estate.principal(who)):
                past = list(graph.get_state_history(self.looking.config(who, thread)))
                if not past:
                    raise ThreadNotFoundError(thread.name)
                config = past[back % len(past)].config
                if again:
                    context = TurnContext(self.estate.catalogs[who])
                    graph.invoke(None, config, context=context, durability="sync")
                else:
                    message = HumanMessage("and now something else", id=str(uuid4()))
                    graph.update_state(config, {"messages": [message]}, as_node="model")

        if self.talking.converse(who, thread, fork):
            self.counts["forks"] += 1

    @rule(who=person, number=place, to=grantee, editor=yes)
    def share(self, who: str, number: int, to: str, editor: bool) -> None:
        thread = self.own(who, number)
        if thread is not None and to != who:
            thread.shares[to] = "editor" if editor else "viewer"
            with acting_as(self.estate.principal(who)):
                self.looking.saver.share(thread.name, self.named(to), thread.shares[to])
            self.counts["shares"] += 1

    @rule(number=place, which=place)
    def unshare(self, number: int, which: int) -> None:
        shared = [t for t in self.reference.threads if t.shares]
        if shared:
            thread = shared[number % len(shared)]
            target = sorted(thread.shares)[which % len(thread.shares)]
            del thread.shares[target]
            with acting_as(self.estate.principal(thread.owner)):
                self.looking.saver.unshare(thread.name, self.named(target))
            self.counts["unshares"] += 1

    @rule(who=person, number=place, to=person)
    def give(self, who: str, number: int, to: str) -> None:
        thread = self.own(who, number)
        if thread is not None and to != who:
            with acting_as(self.estate.principal(who)):
                self.looking.saver.transfer(thread.name, self.estate.role(to))
            thread.owner = to
            thread.shares.pop(to, None)
            self.counts["transfers"] += 1

    @rule(who=person, number=place)
    def copy(self, who: str, number: int) -> None:
        thread = self.own(who, number)
        if thread is not None:
            copied = Thread(who, next(self.names))
            with acting_as(self.estate.principal(who)):
                self.looking.saver.copy_thread(thread.name, copied.name)
            self.reference.threads.append(copied)
            self.counts["copies"] += 1

    @rule(who=person, number=place, whole=st.integers(0, 3))
    def prune(self, who: str, number: int, whole: int) -> None:
        thread = self.own(who, number)
        if thread is not None:
            with acting_as(self.estate.principal(who)):
                if whole == 0 and len(self.reference.threads) > len(PEOPLE):
                    self.looking.saver.delete_thread(thread.name)
                    self.reference.threads.remove(thread)
                else:
                    self.looking.saver.prune([thread.name])
            self.counts["prunes"] += 1

    def named(self, target: str) -> str:
        """Return how a share names somebody."""
        return f"group:{self.estate.role(target)}" if target == CREW else self.estate.role(target)

    # --- rights -----------------------------------------------------------------------------------------------

    @rule(who=anybody, thing=place, given=yes)
    def grant(self, who: str, thing: int, given: bool) -> None:
        things = self.estate.things()
        chosen = things[thing % len(things)]
        (self.estate.grant if given else self.estate.revoke)(who, chosen)
        self.counts["grants" if given else "revokes"] += 1

    @rule(who=grantee, name=table_name, what=columns, given=yes)
    def grant_columns(self, who: str, name: str, what: list[str], given: bool) -> None:
        table = self.estate.tables[name]
        if given:
            self.estate.grant_columns(who, table, what)
        else:
            self.estate.revoke_column(who, table, what[0])
        self.counts["grants of columns" if given else "revokes of columns"] += 1

    @rule(who=grantee, name=table_name)
    def grant_every_column_instead(self, who: str, name: str) -> None:
        table = self.estate.tables[name]
        self.estate.revoke(who, table)
        self.estate.grant_columns(who, table, list(FIGURES))
        self.counts["grants of columns"] += 1

    @rule(who=grantee, kind=st.sampled_from(("tables", "views")), usage=yes)
    def open_schema(self, who: str, kind: str, usage: bool) -> None:
        self.estate.open_schema(who, kind, usage=usage)
        self.counts["schemas"] += 1

    @rule(who=person, member=yes)
    def join(self, who: str, member: bool) -> None:
        self.estate.join(who, member=member)
        self.counts["memberships"] += 1

    @rule(name=table_name, policies=st.sampled_from((*POLICIES, "north", "south", None)), who=person, what=columns)
    def filter(self, name: str, policies: str | None, who: str, what: list[str]) -> None:
        table = self.estate.tables[name]
        self.estate.filter(table, None if policies is None else POLICIES[policies])
        self.counts["policies"] += 1
        own = self.own(who, self.steps)
        if own is not None:
            self.ask_about(who, own, table, what)

    @rule(who=person, seller=st.sampled_from(tuple(SELLERS)))
    def map(self, who: str, seller: str) -> None:
        self.estate.map(who, seller)
        self.counts["mappings"] += 1

    @rule(which=st.integers(0, 2), where=wheres, invoker=yes, spelling=st.sampled_from(SPELLINGS))
    def define(self, which: int, where: Any, invoker: bool, spelling: str) -> None:
        self.estate.define(list(self.estate.views.values())[which], where, invoker=invoker, spelling=spelling)
        self.counts["views"] += 1

    @rule(name=table_name, back=yes)
    def replace(self, name: str, back: bool) -> None:
        if back or self.estate.away[name]:
            self.estate.bring_back(name)
        else:
            self.estate.replace(name)
        self.counts["tables replaced"] += 1

    @rule(really=st.integers(0, 3))
    def wait(self, really: int) -> None:
        if really == 3:
            self.estate.wait(DAY + 2)
            self.counts["waits"] += 1

    # --- looks ------------------------------------------------------------------------------------------------

    @rule(who=person, way=st.sampled_from(tuple(WAYS)), number=place)
    def look(self, who: str, way: str, number: int) -> None:
        self.looking.at(way, who, self.thread(number))

    @invariant()
    def everybody_looks(self) -> None:
        """Two look after each step, in one way each; somebody asks after every third, and policies change every fifth.

        Who, what and how take turns, whatever steps hypothesis likes.
        """
        if not self.reference.threads:
            return
        self.counts["steps"] += 1
        self.steps += 1
        n = self.steps
        if n % 5 == 0:
            policies = list(POLICIES.values())
            self.estate.filter(self.estate.tables["sales"], policies[(self.first + n // 5) % len(policies)])
            self.counts["policies"] += 1
        if n % 3 == 0:
            who = PEOPLE[n // 3 % 3]
            writable = [t for t in self.reference.threads if self.reference.may_write(who, t)]
            if writable:
                self.ask(who, writable[n // 9 % len(writable)], n // 3, [FIGURES[n // 6 % 2]])
        ways = list(WAYS)
        self.looking.at("messages", PEOPLE[n % 3], self.thread(n))
        self.looking.at(ways[n // 3 % len(ways)], PEOPLE[(n + 1) % 3], self.thread(n // 2))


@pytest.fixture
def counts() -> Counter[str]:
    return Counter()


def test_not_one_figure_crosses(
    lakehouse: Database, admin: psycopg.Connection[Any], pytestconfig: pytest.Config, counts: Counter[str]
) -> None:
    given = pytestconfig.stash[TAKEN].get("MOORING_CROSSING_STEPS")
    steps = int(given or STEPS)
    budget = settings(
        # Some have fewer steps.
        max_examples=-(-steps * 115 // (STEPS_AT_ONCE * 100)),
        stateful_step_count=STEPS_AT_ONCE,
        derandomize=given is None,
        phases=[Phase.explicit, Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with (
        GovernedPostgresSaver.from_conn_string(lakehouse.runtime) as saver,
        GovernedPostgresSaver.from_conn_string(lakehouse.runtime, cache_size=0) as forgetful,
    ):
        fixed = {"lakehouse": lakehouse, "admin": admin, "savers": [saver, forgetful], "counts": counts}
        try:
            run_state_machine_as_test(type("Crossing", (Crossing,), fixed), settings=budget)
        finally:
            print(*(f"{number:7,} {what}" for what, number in sorted(counts.items())), sep="\n")
    assert counts["steps"] >= steps * 0.9
    assert counts["required, shown"] > steps
    assert counts["forbidden, withheld"] > steps / 2
    assert not counts["forbidden, shown"]
    assert not counts["required, withheld"]
