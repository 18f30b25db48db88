"""From items to the parts of a clause: what is a subject, a measure, a group or a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.models.offline.language.cursor import done_by, is_flag
from agent.models.offline.language.draft import Chosen, Draft, Wanted
from agent.models.offline.language.fillers import PREPOSITIONS, dangling, held
from agent.models.offline.language.grammar import CURRENCIES, DENY_A_VERB, LEAVE_OUT
from agent.models.offline.language.lexicon import PARTLY, Item
from agent.models.offline.language.scope import Scope, any_one, has_one, is_done
from agent.models.offline.language.words import does, is_participle, is_plural, is_verb, stem, words_of
from agent.models.offline.schema import parts_of

_PREPOSITIONS = {(word,) for word in ("for", "in", "at", "of", "with", "on", "from")}


def draft_of(items: Sequence[Item]) -> Draft:
    """Read one clause."""
    return Speech(list(items)).read()


class Speech(Scope):
    """Reads one clause."""

    def read(self) -> Draft:
        self.draft.single = any(map(any_one, self.items))
        self.draft.currency = next((w for item in self.items for w in item.gap if w in CURRENCIES), "")
        self.draft.part = bool(self.items) and self.items[0].gap[:1] in _PREPOSITIONS
        while self.at < len(self.items):
            item = self.items[self.at]
            self.at += 1
            if self._says_of_all(item):
                self.draft.lost.append("all")
            if (
                item.kind == "name"
                and not is_verb(item.text)
                and item.gap[-1:] in {("that",), ("this",)}
                and not is_plural(item.text)
            ):
                self.draft.lean = "refer"  # "how many reviews does that shop have?"
            if thing := held(item.gap):
                self.draft.lost.append(thing)
            if self._is_state(item):
                self.draft.lost.append(f"{item.gap[-1]} {item.text}")
            if "there" in item.gap and self.draft.wanted and item.kind in {"end", "and"}:
                self.draft.closed = True
            self.draft.was_sold = self.draft.was_sold or "sold" in {*item.gap, item.text.casefold()}
            if item.kind in {"hint", "end"} and "sell" in map(stem, (item.text, *item.gap)):
                self.draft.sold = True
            handler = getattr(self, f"_{item.kind}", None)
            if handler is None:
                self.draft.lost.append(item.text)
            else:
                handler(item)
        if self.negated:
            self.draft.lost.append("not")
        draft, alone = self.draft, self.draft.mentioned
        asked = draft.asks or draft.subject or draft.wanted or draft.groups or draft.rank or draft.lean
        if self.distinct and not asked and len(alone) == 1 and not alone[0].tables:
            draft.asks, draft.subject, draft.mentioned = "which", alone[0], []  # "different makers"
        return draft

    def _end(self, item: Item) -> None:
        """Words after the last item select nothing, unless they promise that something follows."""
        asked = self.draft.asks in {"which", "who", "when"} or bool(self.draft.lean)
        self.draft.passive = bool(item.gap) and item.gap[-1] in PREPOSITIONS
        if last := dangling([each.gap for each in self.items], asked):
            self.draft.lost.append(last)

    def _which(self, item: Item) -> None:
        if item.text.casefold() != "whose" or self.last is None:  # "artists whose birth year is above 1950"
            self.draft.asks = self.draft.asks or "which"

    def _list(self, item: Item) -> None:
        if item.named and self.draft.asks:
            self._name(item)
        self.draft.asks = self.draft.asks or "list"

    def _who(self, item: Item) -> None:
        named = self.draft.mentioned[-1:]
        if self.draft.wanted or not named or named[0] is not self.last or not named[0].tables or self.draft.subject:
            self.draft.asks = self.draft.asks if self.draft.wanted else "who"
        else:  # "members who joined in 2022" asks for the members
            self.draft.asks, self.draft.subject = "list", self.draft.mentioned.pop()

    def _when(self, item: Item) -> None:
        if item.text.casefold() != "when" and self._ranks_figures():
            self.draft.asks = "which"  # "which day had the most sales": of the days
            self.draft.groups.append(replace(item, kind="unit", word="day"))
        else:
            self.draft.asks = "when"

    def _lean(self, item: Item) -> None:
        if item.word == "own":
            # "Their cities" leans on the question before, "the shops and their cities" does not.
            self.draft.lean = self.draft.lean if self.draft.items else "refer"
        elif item.word != "weak" or not self.draft.lean:
            self.draft.lean = item.word

        self.draft.also = self.draft.also or item.text.casefold() in {"also", "too", "as well"}
        self.draft.instead = self.draft.instead or item.text.casefold() == "instead"
        only = {"only", "just"} & {*item.text.casefold().split()}
        self.draft.only = self.draft.only or bool(only and any(i.named for i in self.items[: self.at - 1]))
        if item.word == "strong" and "same" in item.text.casefold().split() and self._compares_same(item):
            self.draft.lost.append(item.text)

    def _both(self, item: Item) -> None:
        self.draft.both = True
        if self._peek("date"):  # "in both 2024 and 2025": no row is of both
            self.draft.lost.append(item.text)

    def _total(self, item: Item) -> None:
        self.draft.total = True

    def _month(self, item: Item) -> None:
        self.draft.months.append((item, ""))

    def _edge(self, item: Item) -> None:
        month = self._take("month")
        if month:
            self.draft.months.append((month, item.word))
        else:
            self.draft.lost.append(item.text)

    def _and(self, item: Item) -> None:
        if self.at == 1:
            self.draft.lean = "weak"

    def _or(self, item: Item) -> None:
        self.draft.either = True

    def _meta(self, item: Item) -> None:
        if item.named:
            self._name(item)
        else:
            self.draft.lost.append(item.text)

    def _not(self, item: Item) -> None:
        self.negated = True
        self.denied = self._denies(item)
        self.draft.denies = item if self.denied else self.draft.denies

    def _denies(self, item: Item) -> bool:
        """Tell whether it denies what somebody did: "never sold", "did not sell", but not "other than"."""
        text = item.text.casefold()
        if text in LEAVE_OUT:
            return False
        following = self._peek("hint", "value", "unknown", "date", "number", "compare", "end", "name")
        if text not in DENY_A_VERB or following is None:
            return True
        verb = following.kind == "hint" or is_done(following)
        return any(map(is_verb, (*following.gap, following.text if verb else "")))

    def _but(self, item: Item) -> None:
        """Read "all countries but France"; a "but" that begins a question or another condition says nothing."""
        chosen = self._peek("value", "name")
        every = {"all", "any", "anything", "everything", "every"}
        before = [w for i in self.items[: self.at] for w in (*i.gap, i.text.casefold())]
        if chosen and chosen.values and every.intersection(before):
            self._not(item)
        elif self.at > 1 and not self._peek("lean", "date"):
            self.draft.lost.append(item.text)

    def _distinct(self, item: Item) -> None:
        self.distinct = True

    def _count(self, item: Item) -> None:
        distinct = self._take("distinct") is not None
        if self._peek("agg", "count"):
            return
        unit = self._peek("unit")
        if unit and not unit.named and not unit.text.casefold().endswith("ly"):
            self.draft.lost.append(f"{item.text} {unit.text}")  # "the number of days" is of no column
        self._figures_before()
        target = self._noun()
        if target and is_flag(target):
            self.draft.chosen.append(Chosen(target))  # "how many are approved?"
            target = None
        if target and not target.tables and not distinct and has_one(target):
            self.draft.mentioned.append(target)  # "how many have an email?"
            target = None
        self.draft.wanted.append(Wanted("count", target, distinct))
        self.last = target
        while target and target.tables and self._peek("and") and (other := self._peek("name", ahead=1)):
            if not other.tables and not self._measures(other):
                break
            self.at += 2
            self.draft.wanted.append(Wanted("count" if other.tables else "", other))

    def _agg(self, item: Item) -> None:
        if item.word in {"min", "max"} and (number := self._peek("number")):
            self.at += 1
            self._compared(">=" if item.word == "min" else "<=", (number.number or "",))
            return
        following = self._peek("count", "agg")
        if following and self._is_column():
            following = None  # "the average total", where total is a column
        if following and following.kind == "count" and (pages := self._peek("name", ahead=1)) and self._measures(pages):
            self.at += 1  # "the average number of pages", where pages are a column
            following = None
        aggs = self._aggregates(item)
        counting = following is not None and following.kind == "count"
        if counting and item.word == "avg" and len(aggs) == 1 and not self.draft.wanted:
            self.draft.averaged = True
            return
        if following and len(aggs) == 1 and not (item.word == "sum" and counting):
            self.draft.lost.append(f"{item.text} {following.text}")
            return
        if following and len(aggs) == 1:
            return
        if item.named and not self._peek("name", "value", "hint", "distinct"):
            self._name(item)
            return
        before, counted = self._before(), self.draft.wanted[:1]
        beside = before is None or before.kind in {"and", "agg", "count"} or "," in item.gap
        if counted and counted[0].agg == "count" and counted[0].target and not beside and not self._compares():
            self.draft.lost.append(item.text)  # "how many sales had the maximum quantity"
        self._compute(aggs)

    def _after(self, item: Item) -> None:
        """Read "on average", which stands behind what it is about."""
        asked = self.draft.wanted[-1] if self.draft.wanted else None
        if asked and asked.target and self._measures(asked.target):
            asked.agg = item.word
        elif asked and asked.agg == "count" and asked.target and asked.target.tables and self.draft.groups:
            self.draft.averaged = True  # "how many reviews per shop on average"
        elif self.last and self._measures(self.last):
            self.draft.mentioned = [i for i in self.draft.mentioned if i is not self.last]
            self.draft.subject = None if self.draft.subject is self.last else self.draft.subject
            self.draft.wanted.append(Wanted(item.word, self.last))
        elif target := self._noun():
            self.draft.wanted.append(Wanted(item.word, target))
        else:
            self.draft.lost.append(item.text)

    def _by(self, item: Item) -> None:
        counted, seats = self._peek("count"), self._peek("name", ahead=1)
        if counted and counted.text.casefold() == "number of" and seats and self._measures(seats):
            self.at += 1  # "by number of seats", where seats are a column
            if not self.draft.rank and not self.draft.wanted and not self._is_figure(seats):
                self.at += 1
                self.draft.order = ("desc", seats)
                return
        if self._peek("agg", "count") and not self._is_column() and not self.draft.rank and not self.draft.wanted:
            self._by_figure()
            return
        if self._peek("agg", "count", "rank", "value") and not self._is_column():
            return
        if item.text.casefold() in {"each", "every"} and not self._peek("name", "unit"):
            return
        if item.text.casefold() in {"each", "every"} and self._does_to_each(item):
            self.draft.lost.append(item.text)
        ranked = self.draft.rank
        first = True
        while name := self._take("name", "unit", "distinct"):
            if name.kind == "distinct":
                continue
            if first and ranked and not name.columns and self._is_column(numbers=True):
                name = self._qualified(name) or name  # "by invoice total"
            if first and name.tables and is_plural(name.text) and (whose := self._peek("value")) and whose.gap:
                self.draft.mentioned.append(name)  # "views by visitors from Kenya"
                return
            if item.text.casefold() == "per" and self._divides(name):
                self.draft.lost.append(item.text)  # "revenue per kilometre" is a ratio
            if any(c.kind == "date" for c in name.columns) and (unit := self._peek("unit")) and not unit.gap:
                self.draft.mentioned.append(name)  # "by hire year"
                continue
            if ranked and ranked.kind == "recent" and first and self._measures(name) and name.kind != "unit":
                self.draft.lost.append(ranked.word)  # "the first 3 by price": in time, or of the price?
            same = ranked and ranked.target and set(ranked.target.columns) & set(name.columns)
            if first and self._is_figure(name):
                self._by_figure()
                self.draft.wanted.append(Wanted("", self._qualified(name) or name))
            elif ranked and (ranked.target is None or same) and first and self._measures(name) and name.kind != "unit":
                ranked.target = self._qualified(name) or name
            elif first and ranked and ranked.kind == "measure" and not ranked.target and self._are_rows(name):
                ranked.target = name  # "top 3 books by loans"
            else:
                self.draft.groups.append(self._qualified(name) or name)
            self.last = name
            first = False
            if not self._more():
                break
        if first:
            unknown = self._peek("unknown")
            self.draft.lost.append(unknown.text if unknown else item.text)

    def _by_figure(self) -> None:
        """Read "customers by number of orders": of each, the highest first."""
        named = [i for i in (self.draft.subject, *self.draft.mentioned) if i]
        if any(map(self._measures, named)):
            self.draft.lost.append("by")
        self.draft.figured = True
        if self.draft.subject is None and len(self.draft.mentioned) == 1:
            self.draft.subject = self.draft.mentioned.pop()
        self.draft.order = ("desc", None)

    def _is_figure(self, name: Item) -> bool:
        """Tell whether the rows of one thing are ordered by a column of another: "countries by revenue"."""
        named = [i for i in (self.draft.subject, *self.draft.mentioned) if i]
        if self.draft.rank or self.draft.wanted or len(named) != 1 or not self._measures(name) or name.kind == "unit":
            return False
        others = {c.table for c in name.columns}
        return (
            not self._measures(named[0])
            and bool(named[0].columns or named[0].tables)
            and others.isdisjoint(named[0].tables)
        )

    def _more(self) -> bool:
        """Tell whether the list of groups goes on, and step over what joins it."""
        joined = self._peek("and", "by")
        if joined and self._peek("name", "unit", ahead=1):
            if self.items[self.at + 1].kind in {"agg", "count"}:
                return False
            self.at += 1
            return True
        following = self._peek("name", "unit")
        return following is not None and "," in following.gap

    def _unit(self, item: Item) -> None:
        if item.gap[-1:] == ("that",):
            self.draft.lost.append(f"that {item.text}")
        before = self._before()
        if before is not None and before.kind == "unit" and item.gap[:1] == ("of",):
            self.draft.lost.append(f"{before.text} of the {item.text}")  # Monday to Sunday, in whichever week
        rank, said = self.draft.rank, self.draft.wanted or self.draft.mentioned or self.draft.groups
        if rank and rank.kind == "recent" and not rank.limit and item.text.casefold() in {"date", "day"} and not said:
            self.draft.asks = "when"  # "the earliest order date"
            return
        if self._peek("end") or self.at == len(self.items) or self.draft.asks == "which" or item.text.endswith("ly"):
            self.draft.groups.append(item)
        elif item.named:
            self._name(item)
        else:
            if self._rank_ahead() and not self.draft.asks and self.at == 1:
                self.draft.asks = "which"  # "the month with the highest total"
            self.draft.groups.append(item)

    def _value(self, item: Item) -> None:
        before = self._before()
        hint = before if before is not None and before.named and before.kind == "name" else None
        if hint and {"of", "for"} & {*item.gap} and not hint.tables:
            hint = None  # "the manager of Ann" is not Ann
        if before is not None and before.kind == "hint" and "from" in item.gap:
            hint = before  # "supplied from Italy": where the suppliers are
        asked = self.draft.subject is not None or self.draft.wanted or not all(i.tables for i in self.draft.mentioned)
        if self.negated and self.denied and not asked and len(self.draft.mentioned) == 1:
            self.draft.subject = self.draft.mentioned.pop()  # "shops that never sold cakes"
        self.draft.chosen.append(Chosen(item, self.negated, hint or self._peek("name"), self.negated and self.denied))
        if not self._peek("or", "and", "value"):
            self.negated = False

    def _date(self, item: Item) -> None:
        self.draft.dates.append((item, self.negated))
        self.negated = False

    def _hint(self, item: Item) -> None:
        done = done_by(item)
        done = () if self._peek("name") and all(does(words_of(parts_of(t)[-1])[-1], item.text) for t in done) else done
        ends = self._ends() and is_participle(item.text)
        if self.negated and self.denied and ends and not done:
            self.negated = False
            self.draft.undone.append(item)
        elif self.negated and done:
            # "Who never ordered" has no orders, wherever that is said to be.
            self.negated = False
            told = tuple(c for c in item.columns if c.kind == "date" and c.nullable)
            self.draft.absent.append(replace(item, tables=done, columns=told))
        else:
            self.draft.hints.append(item)
            self.draft.done = item if ends else self.draft.done

    def _name(self, item: Item) -> None:
        asked = self.draft.wanted or self.draft.subject or item.sure < PARTLY + 1
        if item.values and asked and self._as_value(item) and not self._is_role(item):
            self._value(item)
            return
        if self._happens(item):
            self._hint(item)
            return
        item = self._qualified(item) or item
        self.last = item
        if self.negated and self._measures(item) and self._peek("number", "compare"):
            self.draft.mentioned.append(item)  # "without a quantity above 3": it is the comparison that is negated
        elif self.negated:
            self.negated = False
            if any(c.kind == "bool" for c in item.columns):
                self.draft.chosen.append(Chosen(item, negated=True))
            else:
                self.draft.absent.append(item)
        elif any(c.kind == "bool" for c in item.columns) and not item.tables:
            self.draft.chosen.append(Chosen(item))
        elif self.draft.asks and self.draft.subject is None and not self.draft.wanted and not self.draft.rank:
            self.draft.subject = item
        else:
            self.draft.mentioned.append(item)
