"""Questions that lean on the one before: "and by country?", "only in France", "what about 2024?"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.models.offline.language.draft import Draft, Wanted
from agent.models.offline.language.grammar import EXTREMES
from agent.models.offline.language.lexicon import Item
from agent.models.offline.meaning.leaning import (
    as_figure,
    as_total,
    counts_again,
    has_head,
    is_figure_alone,
    leans,
    may_lean,
)
from agent.models.offline.meaning.measures import check_sum, default_agg
from agent.models.offline.meaning.places import NotUnderstoodError
from agent.models.offline.meaning.ranks import COUNTING
from agent.models.offline.meaning.resolve import Resolver, resolve
from agent.models.offline.query import Measure, Query
from agent.models.offline.schema import Column, Schema

_ONLY_SHOWN = "I cannot go on with only the rows that were shown; ask the whole question again."


def follow(
    drafts: Sequence[Draft], schema: Schema, previous: Sequence[Query], *, unanswered: bool = False
) -> list[Query]:
    """Resolve the clauses of a question, where needed with the help of what was asked before.

    Raises:
        NotUnderstoodError: It cannot be answered; the message says why.
    """
    alone = drafts and is_figure_alone(drafts[0]) and any(query.filters for query in previous)
    if unanswered and drafts and (alone or leans(drafts[0])):
        raise NotUnderstoodError("I did not answer the question before, so ask this one as a whole.")
    found: list[Query] = []
    for draft in _share([*drafts]):
        # "How many shops are in Japan, and what is their revenue?" goes on from its own first clause.
        found += _one(draft, schema, found if found and draft.lean == "refer" else previous)
    return found


def _one(draft: Draft, schema: Schema, previous: Sequence[Query]) -> list[Query]:
    draft = as_total(draft, previous)
    if not previous and (draft.lean == "refer" or (draft.lean and not has_head(draft) and not draft.mentioned)):
        raise NotUnderstoodError("I cannot tell which question this goes on from; ask it as a whole.")
    if is_figure_alone(draft) and any(query.filters for query in previous):
        draft = replace(as_figure(draft), lean="weak" if all(q.measures for q in previous) else "refer")
        return [_Leaning(draft, schema, query).query() for query in previous]
    if not previous or not (leans(draft) or any(counts_again(draft, query) for query in previous)):
        try:
            return resolve(draft, schema)
        except NotUnderstoodError:
            if not previous or draft.lost or not may_lean(draft):
                raise
    return [_Leaning(draft, schema, query).query() for query in previous]


def _share(drafts: list[Draft]) -> list[Draft]:
    """Let a first clause without conditions have those of the last: "how many A and B are there in France"."""
    if len(drafts) < 2:
        return drafts
    last = drafts[-1]
    shared = []
    for draft in drafts[:-1]:
        bare = not (draft.groups or draft.chosen or draft.dates or draft.conditions or draft.closed or draft.mentioned)
        if bare and not last.closed:
            draft = replace(draft, groups=last.groups, chosen=last.chosen, dates=last.dates)
            if not draft.wanted or draft.wanted[-1].target is None:
                raise NotUnderstoodError("I cannot tell what to compute; ask one after the other.")
        shared.append(draft)
    return [*shared, last]


class _Leaning(Resolver):
    """Changes a query by what a clause adds to it."""

    def __init__(self, draft: Draft, schema: Schema, before: Query) -> None:
        if any(c.target is draft.subject for c in draft.conditions):
            draft = replace(draft, subject=None)  # "which of them had a delay above 30": it is they who are asked for
        super().__init__(draft, schema, before.base)
        self.before = before
        self.query_ = before
        dated = {f.column for f in before.filters if f.op == "period"}
        self.places = replace(self.places, dated=dated.pop() if len(dated) == 1 else None)

    def query(self) -> Query:  # type: ignore[override]
        """Return the changed query."""
        if self.draft.lost:
            raise NotUnderstoodError(f"I do not know what “{self.draft.lost[0]}” means here.")
        if any(t not in self.schema.tables for t in self.before.tables):
            raise NotUnderstoodError("What you asked before is no longer there; ask the whole question again.")
        if self._refers() and (self.before.limit is not None or self.before.having):
            raise NotUnderstoodError(_ONLY_SHOWN)
        narrowed = self.draft.dates or self.draft.months or self.draft.chosen or self.draft.conditions
        if self.before.missing and self.before.missing.filters and narrowed and not self._refers():
            raise NotUnderstoodError(
                "I cannot tell what that changes about those before; ask the whole question again."
            )
        if self.before.folded or self.draft.averaged:
            raise NotUnderstoodError("I cannot go on from figures of groups; ask the whole question again.")
        self._dated_months()
        moved = self._moved()
        if moved is not None:
            return moved
        self._new_measures()
        self._new_groups()
        self._new_filters()
        self._new_order()
        self._rest()
        self._hints()
        if self.denied and (self._denied_of() or not self._about_rows()):
            raise self._undeniable()
        self._listing()
        self._sound()
        if self.before.limit is not None and self.query_.having != self.before.having:
            raise NotUnderstoodError(_ONLY_SHOWN)
        if self.before.having and self.query_.measures[:1] != self.before.measures[:1]:
            raise NotUnderstoodError("I cannot go on from groups that were held against a figure; ask as a whole.")
        if self.query_ == self.before:
            raise NotUnderstoodError("I cannot tell what to change about the question before.")
        return self.query_

    def _listing(self) -> None:
        """List what was counted: "which ones are in Spain?"."""
        asked = self.draft.wanted or self.draft.subject or self.draft.rank or self.draft.groups or self.draft.order
        counted = all(m.agg in {"count", "distinct"} for m in self.before.measures) and not self.before.groups
        if counted and self.draft.asks in {"which", "list", "who"} and not asked:
            subject = self.before.measures[0].counted if self.before.measures else None
            self._set(measures=(), subject=subject or self.before.subject)
            if self.draft.asks == "who" and self.draft.hints:
                self._who()

    def _dated_months(self) -> None:
        """Take the year of a month from the question before: "and in April?"."""
        years = [f.period.year for f in self.before.filters if f.period]
        if years and years[0]:
            self._months_of(years[0], self.draft.dates)

    def _moved(self) -> Query | None:
        """A table instead of the one before: "and suppliers?"."""
        items = [i for i in (self.draft.subject, *self.draft.mentioned) if i and i.tables and not i.columns]
        if len(items) != 1 or self.draft.wanted or self.draft.groups or items[0].tables[0] in self.before.tables:
            return None
        if (self.before.groups and not self.before.limit) or (self.draft.part and self.before.measures):
            return None
        counting = self.before.measures == (Measure("count"),) and not self.before.groups
        wanted = [Wanted("count", items[0])] if counting else []
        draft = replace(self.draft, wanted=wanted, subject=None if counting else items[0], mentioned=[], lean="")
        [query] = resolve(draft, self.schema)
        kept = [f for f in self.before.filters if self.schema.path(query.base, f.column.table) is not None]
        if self._refers():
            if len(kept) < len(self.before.filters) or self.before.missing:
                raise NotUnderstoodError("I cannot ask that of the rows before; ask the whole question again.")
            return replace(query, filters=tuple(kept)).filtered(query.filters)
        return query.filtered(tuple(kept)) if kept and not query.filters else query

    def _refers(self) -> bool:
        return self.draft.lean == "refer"

    def _new_measures(self) -> None:
        wanted = list(self.draft.wanted)
        if self.draft.sorted and wanted:
            self._sorts_by(wanted[0])
            return
        bare = self.draft.figures
        subject = self.draft.subject
        if not wanted and subject and any(c.measures for c in subject.columns) and not self.draft.rank:
            bare.insert(0, subject)
            self.used.add(id(subject))
        if (
            not wanted
            and bare
            and not self.draft.rank
            and (self.before.measures or self.draft.groups or self._refers())
        ):
            self.used.update(id(i) for i in bare)
            self._rebase([Wanted("", i) for i in bare])
            return
        summed = self.draft.total or any(w.agg == "sum" and not w.target for w in wanted)
        if summed and (self.before.limit is not None or self.before.having):
            raise NotUnderstoodError(_ONLY_SHOWN)
        if self.draft.figured and not self.before.groups:
            raise NotUnderstoodError("I cannot tell for each of what to compute that; ask the whole question again.")
        if self.draft.total and not wanted:
            self._set(groups=(), limit=None, order=None, ordered=None, having=None)
        if wanted and wanted[0].target is None:
            self._other_aggregate(wanted)
        elif wanted:
            self._rebase(wanted)
        if wanted and not self.before.measures:
            self._set(shown=(), order=None, ordered=None, limit=None, subject=None)

    def _sorts_by(self, wanted: Wanted) -> None:
        """Compute nothing else to sort by, and refuse to sort by another figure: "sorted by count"."""
        agg, target = wanted.agg, wanted.target
        first = self.before.measures[0] if self.before.groups and self.before.measures else None
        same = first is not None and (first.agg == agg or {first.agg, agg} == {"count", "distinct"})
        if first is None or not same or (target and not {first.column} & {*target.columns} and agg != "count"):
            raise NotUnderstoodError("I cannot sort by another figure than was asked for; ask again as a whole.")
        if target and agg == "count" and not {self.before.base, first.counted} & {*target.tables}:
            raise NotUnderstoodError(f"I did not count the {target.text}; ask the whole question again.")

    def _other_aggregate(self, wanted: Sequence[Wanted]) -> None:
        """Compute something else of the same column: "and the average?"."""
        figures = [m.column for m in self.before.measures if m.column and m.agg not in {"count", "distinct"}]
        column = next((c for c in figures if c.kind == "number"), None)
        measures = []
        for each in wanted:
            if each.agg == "count":
                measures.append(Measure("count"))
            elif column is None and each.agg == "sum":
                measures.append(self.before.measures[0] if self.before.measures else Measure("count"))
            elif column is None:
                raise NotUnderstoodError("I cannot tell what to compute; name a column.")
            else:
                if each.agg == "sum":
                    check_sum(column)
                measures.append(Measure(each.agg, column))
        averaged = all(m.agg not in {"sum", "count", "distinct"} for m in self.before.measures)
        of_each = self.draft.groups or self.draft.instead or (averaged and all(w.agg == "sum" for w in wanted))
        in_total = all(w.agg in {"sum", "count"} for w in wanted) and not (of_each and self.before.measures)
        if in_total and (self.before.limit is not None or self.before.having):
            raise NotUnderstoodError(_ONLY_SHOWN)
        groups = () if in_total else self.before.groups
        self._set(measures=tuple(measures), groups=groups, limit=None if in_total else self.before.limit)
        if in_total:
            self._set(order=None, ordered=None, subject=None)

    def _rebase(self, wanted: Sequence[Wanted]) -> None:
        """Compute something else for the same rows, from another table if it is there."""
        target = wanted[0].target
        assert target is not None
        kinds = [c for c in target.columns if c.measures]
        tables = [c.table for c in kinds] if kinds and wanted[0].agg != "count" else [*target.tables]
        base = self.base if self.base in tables or not tables else self._other_base(tables, target.text)
        if base != self.base:
            self.base = base
            self.table = self.schema.tables[base]
            self.places = replace(self.places, base=base)
        measures = []
        for each in wanted:
            if each.agg:
                measures.append(self.measure(each))
            else:
                assert each.target is not None
                columns = [c for c in each.target.columns if c.measures]
                column = self.places.column([c for c in columns if c.table == self.base] or columns, each.target.text)
                measures.append(Measure(default_agg(column, each.target.text), column))
        groups = self.before.groups
        if base != self.before.base and any(g.entity == base for g in groups):
            groups = ()
        order = self.before.order if self.before.ordered is None else None
        self._set(base=base, measures=tuple(measures), groups=groups, shown=(), subject=None, order=order, ordered=None)

    def _other_base(self, tables: Sequence[str], name: str) -> str:
        """Choose a table from which everything is reached that was asked about before."""
        needed = [f.column.table for f in self.before.filters]
        needed += [table for g in self.before.groups if (table := g.entity or (g.column and g.column.table))]
        found = [t for t in dict.fromkeys(tables) if all(self.schema.path(t, n) is not None for n in needed)]
        if not found:
            raise NotUnderstoodError("I cannot ask that of the rows before; ask the whole question again.")
        return self.places.likeliest(found, name)

    def _reranked(self) -> bool:
        """Rank the same by something else: "and by quantity?" after the top 3 by revenue."""
        named = self.draft.groups
        if len(named) != 1 or not self.before.ranked or named[0].tables or not self._measured(named[0]):
            return False
        if self.before.measures:
            self._rebase([Wanted("", named[0])])
        else:
            self._set(ordered=self.places.column(self._measured(named[0]), named[0].text))
        return True

    def _measured(self, item: Item) -> list[Column]:
        return [c for c in item.columns if c.measures]

    def _new_groups(self) -> None:
        if self._reranked():
            return
        groups = [self.group(item) for item in self.draft.groups]
        if not groups and self.draft.subject and id(self.draft.subject) not in self.used and self.draft.asks == "which":
            self.used.add(id(self.draft.subject))
            item = self.draft.subject
            if self.places.entity(item.tables, item.text) == self.base and not self.before.measures:
                return
            groups = [self.group(item)]
        if groups:
            measures = self.query_.measures or (Measure("count"),)
            groups = list(dict.fromkeys([*(self.before.groups if self.draft.also else ()), *groups]))
            self._set(groups=tuple(groups), measures=measures, shown=(), subject=None)
            self._set(order=None, ordered=None, limit=None, having=None)
        elif self.draft.subject and id(self.draft.subject) not in self.used:
            self._subject_again()

    def _subject_again(self) -> None:
        subject = self.draft.subject
        assert subject is not None
        self.used.add(id(subject))
        if subject.tables and any(t in self.before.tables for t in subject.tables):
            return
        raise NotUnderstoodError(f"I do not know what to do with “{subject.text}” here.")

    def _new_filters(self) -> None:
        kept = self.query_.filters
        self._set(filters=())
        self._filters()
        new = self.query_.filters
        left_out = {f.column for f in kept if f.op in {"<>", "not in"}}
        if any(f.op in {"=", "in", "<>", "not in"} and f.column in left_out for f in new):
            raise NotUnderstoodError("Left out as well, or only that? Ask the whole question again.")
        self._set(filters=kept)
        self.query_ = self.query_.filtered(new)

    def _of_each(self, column: Column) -> bool:
        """Whether it may mean the figure of each group: "only a total price above 30" after revenue by country."""
        return super()._of_each(column) or (
            bool(self.query_.groups) and any(m.column == column for m in self.query_.measures)
        )

    def _other_extreme(self) -> bool:
        """Compute the highest or lowest of the same column: "and the lowest?" after the highest or average price."""
        rank, measures = self.draft.rank, self.query_.measures
        assert rank is not None
        extremes = {"min", "max"} if self.query_.groups else {"min", "max", "avg", "median"}
        computed = {m.agg for m in measures} <= extremes and all(m.column for m in measures)
        if not measures or not computed or self.before.limit or rank.limit or rank.target or rank.word not in EXTREMES:
            return False
        self._set(measures=tuple(dict.fromkeys(replace(m, agg=EXTREMES[rank.word]) for m in measures)))
        return True

    def _other_end(self, direction: str) -> bool:
        """Compute the first of the same dates after the last one, or the other way round."""
        measures = self.query_.measures
        ends = [m for m in measures if m.column is not None and m.column.kind == "date" and m.agg in {"min", "max"}]
        if not measures or len(ends) < len(measures) or self.before.limit:
            return False
        self._set(measures=tuple(replace(m, agg="max" if direction == "desc" else "min") for m in measures))
        return True

    def _new_order(self) -> None:
        rank = self.draft.rank
        if rank is not None:
            rows = not self.before.measures and not self.before.groups
            dated = self.before.ordered is not None and self.before.ordered.kind == "date"
            if rank.limit and rank.word in {"first", "last"} and not dated:
                raise NotUnderstoodError(
                    "The first or last of what was shown, or in time? Ask for the latest, or the most."
                )
            ordering = self.before.ordered or (rows and self.draft.asks == "which" and rank.word in COUNTING)
            if rank.target is not None and ordering and self._measured(rank.target):
                self._set(ordered=self.places.column(self._measured(rank.target), rank.target.text))
            elif rank.target is not None:
                self._ranked_by(rank.target)
            elif rank.kind == "recent" and self._other_end(rank.direction):
                return
            elif rank.kind == "recent":
                self._recent()
            if self.draft.rank is None:  # a figure of all rows
                self._set(order=None, ordered=None, limit=None, shown=(), subject=None)
                return
            if self._other_extreme():
                return
            if not self.query_.groups and self.query_.measures and rank.kind == "measure":
                raise NotUnderstoodError("I cannot tell what to rank.")
            if not self.query_.measures and not self.query_.groups and self.query_.ordered is None:
                raise NotUnderstoodError("I cannot tell by what to rank; say for instance “by” and a column.")
            limit = rank.limit or (self.before.limit if self.before.order else None) or 1
            self._set(order=rank.direction, limit=limit)
        if self.draft.order is not None and not self.draft.figured:
            if self.before.limit is not None:
                raise NotUnderstoodError("I cannot sort the first rows only; ask the whole question again.")
            self._order()
