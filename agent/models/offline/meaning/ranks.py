"""In which order and how many: "top 3 by revenue", "the latest review", "most common"."""

from __future__ import annotations

from dataclasses import replace

from agent.models.offline.language.grammar import EXTREMES, GRADED, NOUNS, PRICES
from agent.models.offline.language.lexicon import SPELLED, Item
from agent.models.offline.language.words import is_plural, same
from agent.models.offline.meaning.conditions import Conditions
from agent.models.offline.meaning.measures import default_agg, is_revenue
from agent.models.offline.meaning.places import AlmostError, NotUnderstoodError
from agent.models.offline.query import Group, Measure
from agent.models.offline.schema import Column, plain
from agent.models.offline.sql import labels

_PLENTY = 10
COUNTING = {"most", "fewest", "least"}
# What a thing may have much of without being large.
_MASS = {word for noun in ("length", "weight", "height") for word in NOUNS[noun]}


def _of_one(column: Column) -> bool:
    """Tell whether one row's figure is what a person means by the highest: a fare, but not a total or a quantity."""
    total = {"total", "amount", "sum"} & {*column.words}
    return not total and any(same(column.words[-1], noun) for noun in PRICES)


class Ranks(Conditions):
    """Resolves orders and limits."""

    def _rank(self) -> None:
        rank = self.draft.rank
        if rank is None:
            return
        if self.draft.groups and (rank.kind == "common" or (rank.kind == "measure" and self.query_.groups)):
            raise NotUnderstoodError("I cannot tell the first ones of each; ask for the figures of each.")
        if rank.kind == "recent":
            self._recent()
        elif rank.kind == "common":
            self._common()
        elif rank.target is not None:
            self._ranked_by(rank.target)
        elif not self.query_.measures:
            self._ranked_by_hint()
        if self.draft.rank is None:
            return
        if rank.kind == "measure" and self.query_.order is None:
            self._set(order=rank.direction)
        self._set(limit=self._limit() if self.query_.order else None)

    def _limit(self) -> int | None:
        rank = self.draft.rank
        assert rank is not None
        if limit := rank.limit or self.draft.limit:
            return limit
        names = [i for i in (self.draft.subject, rank.target, *self.draft.mentioned) if i]
        open_ended = rank.word in {"top", "bottom", "leading"} or rank.kind == "recent"
        return _PLENTY if open_ended and names and is_plural(names[0].text.split()[-1]) else 1

    def _recent(self) -> None:
        rank, hints = self.draft.rank, self.draft.hints
        assert rank is not None
        asked = self.draft.subject
        if asked and not asked.tables and rank.limit is None and (own := self._own_dates(asked)):
            if self.draft.asks == "who":  # "who was hired first"
                self.used.add(id(asked))
                self._set(order=rank.direction, ordered=own[0])
                return
            # "The latest order date" is the date alone.
            self._set(measures=(Measure("max" if rank.direction == "desc" else "min", own[0]),), groups=())
            self.draft = replace(self.draft, rank=None)
            return
        if rank.word in {"youngest", "oldest"}:
            if (age := self._own_age()) and not self.query_.measures:
                self._set(order="desc" if rank.word == "oldest" else "asc", ordered=age)
                return
            column = self._age()
        else:
            column = None
        column = column or self.places.date_column([*hints, *self._dated()])
        if self.draft.asks == "when" and column.table == self.base:
            self._set(measures=(Measure("max" if rank.direction == "desc" else "min", column),), subject=None)
            return
        if self.query_.measures:
            raise NotUnderstoodError("I cannot tell what the latest or earliest of a figure is; name a period instead.")
        self._set(order=rank.direction, ordered=column)

    def _own_age(self) -> Column | None:
        asked = self.draft.subject
        found = [c for c in self.table.columns if c.measures and "age" in c.words]
        return found[0] if len(found) == 1 and (not asked or self.base in asked.tables) else None

    def _own_dates(self, item: Item) -> list[Column]:
        return [c for c in item.columns if c.table == self.base and (c.kind == "date" or c.is_year)]

    def _age(self) -> Column | None:
        """Return what "youngest" and "oldest" go by: people are not as old as what else is noted of them."""
        asked = self.draft.subject
        if asked and not asked.tables:
            raise NotUnderstoodError(f"I do not know the age of “{asked.text}”.")
        born = [c for c in self.table.columns if c.is_birth]
        own = [c for c in self.table.columns if c.kind == "date" or c.is_year]
        if not born and (self._is_people(self.base) or not own):
            raise AlmostError(f"{plain(self.base)} tells no age, nor when anybody was born.")
        return born[0] if len(born) == 1 else None

    def _common(self) -> None:
        rank = self.draft.rank
        assert rank is not None
        target = rank.target or self.draft.subject
        if target is None:
            raise NotUnderstoodError("I cannot tell what to count.")
        columns = self._own_column(target) or [c for c in target.columns if not target.tables and not c.is_key]
        keys = [c for c in target.columns if c.is_key and c.table == self.base]
        if columns:
            group = Group(self.places.column(columns, target.text))
        elif keys and not target.tables:
            group = self._by_key(keys[0])
        else:
            entity = self.places.entity(target.tables, target.text)
            hinted = any(c.table == self.base for h in self.draft.hints for c in h.columns)
            pointing = self.schema.dependents([entity]) if entity else []
            several = len([t for t in pointing if not self.schema.tables[t].is_view]) > 1
            if entity is None or entity == self.base or (several and not hinted):
                raise NotUnderstoodError(f"I cannot tell how “{target.text}” are counted; ask for instance by what.")
            group = Group(entity=entity)
        self._set(measures=(Measure("count"),), groups=(group,), subject=None, order=rank.direction)

    def _ranked_by(self, target: Item) -> None:
        rank = self.draft.rank
        assert rank is not None
        columns = self._computable(target, "max")
        if target.tables and not (columns and target.sure == 3 and self.base not in target.tables):
            counting = rank.word in COUNTING and (is_plural(target.text) or not self._grouped())
            if self.base in target.tables and (counting or not columns):
                if not self._grouped() and self.draft.subject is None and not self.draft.groups:
                    raise NotUnderstoodError(f"I cannot tell of what to count the {target.text}.")
                self._set(measures=(Measure("count"),))
                return
            if not columns:
                measure = self._count(target, distinct=False)
                self._set(measures=(measure,))
                return
        if not columns and target.columns:
            self._set(measures=(Measure("distinct", self.places.column(target.columns, target.text)),))
            return
        if not columns:
            raise NotUnderstoodError(f"I cannot rank by “{target.text}”.")
        column = self.places.column(columns, target.text)
        if self._grouped():
            self._ranked_groups(target, column)
        elif any(m.column is None or m.agg == "distinct" for m in self.query_.measures):
            raise NotUnderstoodError(f"I cannot count the rows with a {rank.word} “{target.text}”; ask for them.")
        elif self.draft.subject is None and self.draft.asks != "who" and rank.limit is None:
            # "What is the highest price": of all rows, so the price alone.
            self._set(measures=(Measure("max" if rank.direction == "desc" else "min", column),), order=None)
            self.draft = replace(self.draft, rank=None)
        else:
            self._set(order=rank.direction, ordered=column)

    def _ranked_groups(self, target: Item, column: Column) -> None:
        rank = self.draft.rank
        assert rank is not None
        if column.table != self.base:
            raise NotUnderstoodError(f"“{target.text}” is not in {plain(self.base)}.")
        if self.draft.groups and self.draft.subject and self.base in self.draft.subject.tables:
            self._ranked_in_each(column)
            return
        agg = default_agg(column, target.text)
        spelled = target.sure == SPELLED and not target.soft
        asked = self.draft.groups[:1] if self.draft.asks == "which" else []
        of_each = not any(i.kind == "unit" and i.start < target.start for i in asked)  # not "which month had the most"
        whole = rank.limit is None and not self.query_.groups and rank.word in EXTREMES
        if of_each and whole and (agg != "sum" or spelled):
            # "The highest rating by country" is of each.
            self._set(measures=(Measure(EXTREMES[rank.word], column),), order=None)
            self.draft = replace(self.draft, rank=None)
            return
        single = _of_one(column) and not target.soft and not is_revenue(target.text)
        if agg in {"sum", "avg"} and rank.word in EXTREMES and single:
            name, other = plain(column.name), "total" if agg == "sum" else "average"
            raise NotUnderstoodError(f"The {rank.word} single {name}, or {other} {name}? Please say which.")
        if agg == "sum" and rank.word in GRADED:
            raise NotUnderstoodError(f"I cannot tell by what to call one {rank.word}; say by which column.")
        if agg == "max" and rank.direction == "asc":
            agg = "min"
        self._set(measures=(Measure(agg, column),))

    def _ranked_in_each(self, column: Column) -> None:
        """Read "the cheapest booking in each cabin" as the lowest price there; more than one of each is refused."""
        rank = self.draft.rank
        if rank is None or rank.limit is not None or self.query_.groups:
            raise NotUnderstoodError("I cannot tell the first ones of each; ask for the highest figure of each.")
        self._set(measures=(Measure("max" if rank.direction == "desc" else "min", column),), subject=None, order=None)
        self.draft = replace(self.draft, rank=None)

    def _grouped(self) -> bool:
        return bool(self.query_.groups or self.draft.groups)

    def _ranked_by_hint(self) -> None:
        """Read "which product sells most": by the one column of numbers that the verb points to, else by rows."""
        hinted = [c for i in self.draft.hints for c in i.columns if c.measures and c.table == self.base]
        own = [i for i in self.draft.hints if self.base in i.tables or any(c.table == self.base for c in i.columns)]
        if len(set(hinted)) == 1:
            self._set(measures=(Measure(default_agg(hinted[0]), hinted[0]),))
        elif own:
            self._set(measures=(Measure("count"),))
        elif size := self._size():
            self._set(ordered=size)
        else:
            raise NotUnderstoodError("I cannot tell by what to rank; say for instance “by” and a column.")

    def _size(self) -> Column | None:
        """Return what "the largest sale" goes by, where the table of sales has one column of amounts."""
        rank, subject = self.draft.rank, self.draft.subject
        assert rank is not None
        sized = rank.word in {*EXTREMES, "top", "bottom", "greatest"}
        # Only comments tell whether "the lowest salary" is a row of salaries or a figure in it.
        if not sized or not subject or self.base not in subject.tables or not self.table.described:
            return None
        columns = [c for c in self.table.columns if c.measures and default_agg(c) == "sum" and not _MASS & {*c.words}]
        main = [c for c in columns if {"total", "amount"} & set(c.words)]
        found = main if len(main) == 1 else columns
        return found[0] if len(found) == 1 else None

    def _order(self) -> None:
        if self.draft.order is None:
            if self.draft.limit:
                self._set(limit=self.draft.limit)
            return
        direction, target = self.draft.order
        if target is not None and self.draft.rank and self.draft.rank.kind == "recent":
            raise NotUnderstoodError(f"The {self.draft.rank.word} in time, or by {target.text}? Please say which.")
        if target is not None:
            self.used.add(id(target))
            columns = [c for c in target.columns if c in self.query_.columns] or list(target.columns)
            if columns and not (self.query_.measures and any(m.column in columns for m in self.query_.measures)):
                column = self.places.column(columns, target.text)
                self._set(order=direction or ("desc" if column.measures else "asc"), ordered=column)
                return
        rows = not self.query_.measures and not self.query_.groups and not self.query_.subject
        if rows and self.query_.ordered is None:
            if self.draft.first:
                raise NotUnderstoodError(f"I cannot tell by what “{self.draft.first}” is meant; say by which column.")
            self._set(ordered=labels(self.table)[0])
        self._set(order=direction or "desc", limit=self.draft.limit or self.query_.limit)
