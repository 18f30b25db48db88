"""Numbers, comparisons and ranks in a clause."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from agent.models.offline.language.cursor import Cursor, done_by, limit_of
from agent.models.offline.language.draft import Condition, Rank, Wanted
from agent.models.offline.language.grammar import EXTREMES, GRADED, SCALES
from agent.models.offline.language.lexicon import SPELLED, Item
from agent.models.offline.language.words import is_verb


class Numbers(Cursor, ABC):
    """Reads comparisons, and numbers that stand alone."""

    def _compare(self, item: Item) -> None:
        number = self._take("number")
        if number is None and (times := self._peek("times")) and times.word:
            self.at += 1
            self._done_times(item.word, (times.word,), times)
            return
        if number is None:
            if item.text.casefold() == "over" and not self._peek("name"):
                return  # "revenue over time"
            self.draft.lost.append(item.text)
            return
        if item.columns:  # "older than 40"
            unit = self._take("unit")
            if unit and unit.word != "year":
                self.draft.lost.append(item.text)  # "older than 30 days" is of no age
            told = Item(item.text, item.start, item.end, "name", columns=item.columns, sure=item.sure)
            self.draft.conditions.append(Condition(self._negated(item.word), (number.number or "",), told))
            return
        numbers = [number.number or ""]
        if item.word == "between":
            self._take("and")
            other = self._take("number")
            if other is None:
                self.draft.lost.append(item.text)
                return
            numbers.append(other.number or "")
        self._compared(item.word, tuple(numbers))

    def _compared(self, op: str, numbers: tuple[str, ...]) -> None:
        if (times := self._peek("times")) and not times.word:
            self.at += 1
            self._done_times(op, numbers, times)
            return
        denied = self.negated and self.denied
        op = self._negated(op)
        after = self._peek("name")
        if after:
            close = not after.gap or after.gap in (("of",), ("in",))
            if close and (self.last is None or not self._measures(self.last) or self._follows(after)):
                self.at += 1
                after = self._qualified(after) or after
            else:
                after = None
        self.draft.conditions.append(Condition(op, numbers, self.last, after, denied))

    def _times(self, item: Item) -> None:
        if item.word:
            self._done_times("=", (item.word,), item)
        elif item.named:
            self._name(item)
        else:
            self.draft.lost.append(item.text)

    def _done_times(self, op: str, numbers: tuple[str, ...], times: Item) -> None:
        """Read "who ordered more than 3 times": with more than 3 rows of the table that the verb names."""
        hints = [h for h in self.draft.hints if is_verb(h.text)]
        done = done_by(hints[-1]) if hints else ()
        if len(done) != 1 or self.negated:
            self.draft.lost.append(times.text)
            return
        after = Item(hints[-1].text, hints[-1].start, hints[-1].end, "name", tables=done, sure=SPELLED)
        self.draft.conditions.append(Condition(op, numbers, self.last, after))

    @abstractmethod
    def _name(self, item: Item) -> None:
        """Read a name."""

    def _follows(self, after: Item) -> bool:
        return self._measures(after) and not after.gap

    def _number(self, item: Item) -> None:
        if self._peek("rank", "recent", "common"):
            return
        if bound := self._take("bound"):  # "3 or more", "8 or more reviews"
            self._compared(bound.word, (item.number or "",))
            return
        if (times := self._peek("times")) and not times.word:  # "three times"
            self._compared("=", (item.number or "",))
            return
        if self._has_as_many(item):
            self._compared("=", (item.number or "",))
            return
        self._take("distinct")
        last, before, start = self.last, self._before(), self.at
        numbers = self._numbers(item)
        following, bound = self._peek("name"), self._peek("bound", ahead=1)
        if following and not following.gap and self._measures(following) and not self.draft.rank:
            self.at += 1
            if bound and len(numbers) == 1:  # "4 stars or more"
                self.at += 1
                self.draft.conditions.append(Condition(self._negated(bound.word), numbers, None, following))
                return
            self.draft.conditions.append(self._equal(numbers, None, following))
            return
        if last and before is last and any(c.kind == "number" for c in last.columns):
            self.draft.conditions.append(self._equal(numbers, last, None))
            return
        self.at = start
        following = self._peek("name")
        if following and self.draft.limit is None and (self.draft.asks == "list" or self._rank_ahead()):
            self.draft.limit = limit_of(item)
        else:
            self.draft.lost.append(item.text)

    def _has_as_many(self, item: Item) -> bool:
        """Tell whether a number says how many rows belong to each: "with two orders", "that have only one review"."""
        following, before = self._peek("name"), self._before()
        gap = {*item.gap, *(before.gap if before is not None and before.kind == "lean" else ())}
        told = not gap.isdisjoint(("with", "have", "has", "had", "having")) and self.last is not None
        rows = following is not None and bool(following.tables) and not following.gap and not self._measures(following)
        return told and rows and not self.draft.rank and not self.draft.wanted[1:]

    def _rank_ahead(self) -> bool:
        return any(item.kind in {"rank", "recent", "common"} for item in self.items[self.at :])

    def _equal(self, numbers: tuple[str, ...], target: Item | None, after: Item | None) -> Condition:
        op = self._negated("=")
        return Condition(op if len(numbers) == 1 else ("not in" if op == "<>" else "in"), numbers, target, after)

    def _numbers(self, item: Item) -> tuple[str, ...]:
        """Take the numbers that are listed from this one on: "1 or 2 stars"."""
        numbers = [item.number or ""]
        while self._peek("or", "and") and self._peek("number", ahead=1):
            numbers.append(self.items[self.at + 1].number or "")
            self.at += 2
        return tuple(numbers)

    def _negated(self, op: str) -> str:
        if self.negated:
            op = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "=": "<>", "<>": "="}.get(op, "lost")
            self.negated = False
        return op


def _aggregate(item: Item) -> str:
    return item.word if item.kind == "agg" else EXTREMES.get(item.text.casefold(), "")


class Orders(Numbers):
    """Reads what is ranked, and by what."""

    def _aggregates(self, item: Item) -> list[str]:
        """Take the aggregates that are listed from this one on: "average, highest and lowest"."""
        aggs = [_aggregate(item)]
        while True:
            joined = self._peek("and", "or")
            other = self._peek("agg", "rank", ahead=1 if joined else 0)
            if not aggs[0] or not other or not _aggregate(other) or not (joined or "," in other.gap):
                return aggs
            self.at += 2 if joined else 1
            aggs.append(_aggregate(other))

    def _figures_before(self) -> None:
        """Take columns that were named before as figures of the same: "revenue and number of sales"."""
        named = [i for i in (self.draft.subject, *self.draft.mentioned) if i]
        if named and not self.draft.wanted and not self.draft.conditions and all(map(self._measures, named)):
            self.draft.wanted.extend(Wanted("", item) for item in named)
            self.draft.subject, self.draft.mentioned = None, []

    def _compute(self, aggs: list[str]) -> None:
        self._figures_before()
        distinct = self._take("distinct") is not None
        target = self._noun()
        self.draft.wanted.extend(Wanted(agg, target, distinct) for agg in aggs)
        self.last = target
        while target and self._peek("and") and (other := self._peek("name", ahead=1)) and self._measures(other):
            self.at += 2
            self.draft.wanted.extend(Wanted(agg, self._qualified(other) or other) for agg in aggs)

    def _rank(self, item: Item) -> None:
        aggs = self._aggregates(item)
        if len(aggs) > 1:
            self._compute(aggs)
            return
        self._only_rank(item)
        graded = item.columns
        measured = self._peek("name")
        if item.text.casefold() in GRADED and measured and self._measures(measured) and not measured.tables:
            # "The longest delay" is the highest one.
            end = {"desc": "highest", "asc": "lowest"}[item.word]
            item, graded = replace(item, text=end, columns=()), ()
        if item.text.casefold() in GRADED and not graded and not self._said_by():
            self.draft.lost.append(item.text)  # nothing has a length: "the longest visit"
        number = self._take("number")
        limit = self._limit_of(number) or self._number_before()
        if graded:
            self._graded(item, limit)
            return
        if recent := self._peek("recent"):  # "top 5 most recent"
            self.at += 1
            self._recent(recent, limit)
            return
        self._take("distinct")
        counted, pages = self._peek("count"), self._peek("name", ahead=1)
        if counted and counted.text.casefold() == "number of" and pages and self._measures(pages):
            self.at += 1  # "the highest number of pages", where pages are a column
        rank = self.draft.rank = Rank("measure", item.word, limit, word=item.text.casefold())
        if self._peek("agg", "count"):
            self._ranked_subject()  # "the doctor with the lowest average fee"
            return
        target = self._noun()
        if target is None:
            self._rank_said_before(rank)
            return
        self.last = target
        named = target.soft and self._ranks_next()
        if (self._measures(target) and not named) or item.text.casefold() in {"most", "fewest", "least"}:
            rank.target = target
            self._ranked_subject()
        elif self.draft.subject is None:
            self.draft.subject = target
        else:
            self.draft.mentioned.append(target)

    def _said_by(self) -> bool:
        """Tell whether it is said by what to rank: "the longest film by runtime"."""
        return any(item.kind in {"by", "order"} for item in self.items[self.at :])

    def _ranks_next(self) -> bool:
        """Tell whether it is said next by what to rank: "top salaries by amount"."""
        measured = self._peek("name", ahead=1)
        computed = self._peek("agg", "count", ahead=1)
        return self._peek("by") is not None and bool(computed or (measured and self._measures(measured)))

    def _only_rank(self, item: Item) -> None:
        computed = any(w.agg in {"avg", "median", "min", "max"} for w in self.draft.wanted)
        before = self._before()
        gap = {*item.gap, *(before.gap if before is not None and before.kind == "number" else ())}
        inside = not {"of", "for", "from", "in", "on", "with", "at"}.isdisjoint(gap)
        if self.draft.rank is not None or (computed and inside):  # "the average price of the shortest films"
            self.draft.lost.append(item.text)

    def _rank_said_before(self, rank: Rank) -> None:
        """Read "in which month was the revenue the highest"."""
        said = [i for i in (*self.draft.mentioned, self.draft.subject) if i and self._measures(i)]
        if len(said) == 1 and not self.draft.wanted:
            rank.target = said[0]
            self.draft.mentioned = [i for i in self.draft.mentioned if i is not said[0]]
            self.draft.subject = None if self.draft.subject is said[0] else self.draft.subject

    def _ranked_subject(self) -> None:
        """Take what was named before as what is ranked: "the three countries with the most revenue"."""
        named = [i for i in self.draft.mentioned if not self._measures(i)]
        if self.draft.subject is None and not self.draft.wanted and len(named) == 1:
            self.draft.subject = named[0]
            self.draft.mentioned.remove(named[0])

    def _graded(self, item: Item, limit: int | None) -> None:
        measure = Item(item.text, item.start, item.end, "name", columns=item.columns, sure=item.sure)
        self.draft.rank = Rank("measure", item.word, limit, measure, word=item.text.casefold())
        if name := self._noun():
            self.last = name
            if self.draft.subject is None:
                self.draft.subject = name
            else:
                self.draft.mentioned.append(name)

    def _recent(self, item: Item, limit: int | None = None) -> None:
        self._only_rank(item)
        if item.gap[-1:] in {("is",), ("are",), ("in",)} and item.text.casefold() in {"first", "last"}:
            self.draft.lost.append(item.text)  # "where the cabin is first" is no order
        number = self._take("number")
        limit = self._limit_of(number) or limit
        self.draft.rank = Rank("recent", item.word, limit or self._number_before(), word=item.text.casefold())
        if name := self._noun():
            self.last = name
            if self.draft.subject is None and not self.draft.wanted:
                self.draft.subject = name
            else:
                self.draft.mentioned.append(name)

    def _common(self, item: Item) -> None:
        self._only_rank(item)
        number = self._take("number")
        limit = self._limit_of(number) or self._number_before()
        self.draft.rank = Rank("common", item.word, limit)
        if name := self._take("name"):
            self.draft.rank.target = name
            self.last = name

    def _order(self, item: Item) -> None:
        direction = self._take("direction")
        if rank := self._take("rank", "recent"):
            direction = rank
        if figure := self._peek("agg", "count"):
            ends = self._peek("direction", "end", ahead=1) or self.at + 1 == len(self.items)
            if ends and any(w.agg == figure.word for w in self.draft.wanted):
                self.at += 1
                direction = direction or self._take("direction")
            elif self.draft.wanted:
                self.draft.lost.append(item.text)  # by another figure than was asked for
            self.draft.order = (direction.word if direction else "desc", None)
            self.draft.sorted = True
            return
        target = self._take("name")
        direction = direction or self._take("direction")
        self.draft.order = (direction.word if direction else None, target)

    def _is_order(self, item: Item) -> bool:
        """Tell whether rows are ordered by this, rather than counted for each of it."""
        words = {word for column in item.columns for word in column.words}
        named = [i for i in (self.draft.subject, *self.draft.mentioned) if i]
        rows = bool(named) and not any(map(self._measures, named))
        return rows and self._measures(item) and words.isdisjoint(SCALES)

    def _direction(self, item: Item) -> None:
        target = self.draft.order[1] if self.draft.order else None
        by = self.draft.groups[-1:] if len(self.draft.groups) == 1 and not self.draft.wanted else []
        if target is None and by and self._is_order(by[0]):
            target = self.draft.groups.pop()  # "aircraft by seats, largest first"
        before = self._before()
        if target is None and before is not None and before is self.last and self._measures(before):
            target = before  # "films with price descending"
        if target is None and item.text.casefold() == "alphabetically" and self.draft.rank:
            self.draft.lost.append(item.text)
        self.draft.first = item.text if item.text.casefold().endswith("first") else ""
        self.draft.order = (item.word, target)
