"""Which rows: values, numbers, periods, and what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent.models.offline.language.dates import month_of
from agent.models.offline.language.draft import Chosen, Condition
from agent.models.offline.language.fillers import PREPOSITIONS
from agent.models.offline.language.grammar import AGED, CURRENCIES, DEGREES, PLACES
from agent.models.offline.language.lexicon import Item, Value
from agent.models.offline.language.words import is_verb, same
from agent.models.offline.meaning.measures import Measures, default_agg, is_revenue
from agent.models.offline.meaning.places import AlmostError, NotUnderstoodError
from agent.models.offline.query import Filter, Group, Having, Measure, Missing
from agent.models.offline.schema import Column, plain

_EQUAL = {"=", "in", "<>", "not in"}


class Conditions(Measures):
    """Resolves which rows count."""

    def _filters(self) -> None:
        filters = [*self._absent(), *self._chosen(), *self._conditions(), *self._periods()]
        together: dict[tuple[Column, bool], Filter] = {}
        for each in filters:
            key = (each.column, each.op in {"<>", "not in"})
            if (
                key in together
                and each.op in {"=", "in", "<>", "not in"}
                and together[key].op in {"=", "in", "<>", "not in"}
            ):
                if not key[1]:
                    self._refuse_together(each.column)
                values = tuple(dict.fromkeys(together[key].values + each.values))
                together[key] = replace(each, op="not in" if key[1] else "in", values=values)
            elif (each.column, not key[1]) in together and each.op in _EQUAL and self._of_owners(each.column):
                # No row needs both, but who has such rows may: "sold in France but not in Japan".
                name = plain(each.column.name)
                raise NotUnderstoodError(f"I cannot tell what has one {name} but not another; ask for one of them.")
            elif key in together:
                if together[key].op == each.op and together[key].values == each.values:
                    continue
                together[(each.column, not key[1])] = each
            else:
                together[key] = each
        found = tuple(together.values())
        through = [f for f in found if f.through and f.through.target in self.schema.repeated]
        if len(through) > 1:  # there may be a row for each, and none for both
            raise self.places.no_way([through[0].column.table], plain(through[0].column.name))
        self._set(filters=found)

    def _of_owners(self, column: Column) -> bool:
        """Whether not rows are asked for but what has such rows: "products sold in France but not in Japan"."""
        query = self.query_
        owners = query.subject or any(m.counted for m in query.measures) or (query.groups and not query.measures)
        return column.kind == "text" and bool(owners)

    def _refuse_together(self, column: Column) -> None:
        """Refuse two values of one column that are asked for at once: no row has both, but who has such rows may."""
        entity = self.query_.subject or next((m.counted for m in self.query_.measures if m.counted), None)
        owned = entity is not None and self.schema.path(entity, column.table) is None
        if self.draft.both or (owned and not self.draft.either):
            name = plain(column.name)
            raise NotUnderstoodError(f"No row has two values of {name} at once; ask for one or the other.")

    def _chosen(self) -> Iterator[Filter]:
        whose: Chosen | None = None
        for at, chosen in enumerate(self.draft.chosen):
            if self._says_currency(chosen.item):
                continue
            following = next(iter(self.draft.chosen[at + 1 :]), None)
            if following and 0 < following.item.start - chosen.item.end < 2:
                points = self.places.pointed(following.hint, chosen.item.values)
                chosen = replace(chosen, hint=following.hint) if points else chosen
            if whose and 0 < chosen.item.start - whose.item.end < 2:
                chosen = replace(chosen, hint=whose.hint)  # "reports to Ann Lee": both are names of one person
            whose = None
            if pointed := self.places.pointed(chosen.hint, chosen.item.values):
                if chosen.negated or any(i is chosen.hint for i in self.draft.absent):
                    raise NotUnderstoodError(f"I cannot leave out “{chosen.item.text}” here; ask for those with it.")
                after = chosen.hint and chosen.hint.start > chosen.item.start
                if after and chosen.hint and (self.draft.passive or chosen.hint.text.split()[-1] in PREPOSITIONS):
                    raise NotUnderstoodError(f"I cannot tell whom “{chosen.item.text}” points to; ask for the row.")
                whose = chosen
                value, edge = pointed
                self._consume_hint(chosen, edge.source)
                yield replace(self._equals(value.column, value.texts, negated=False), through=edge)
            elif chosen.item.values:
                self._refuse_degree(chosen)
                value = self._own_place(chosen) or self.places.value(chosen.item.values, chosen.item.text, chosen.hint)
                self._refuse_far_place(chosen, value.column)
                doers = self._doers(chosen.hint) if chosen.hint and chosen.hint.kind == "hint" else ()
                if doers and value.column.table not in doers:
                    raise NotUnderstoodError(f"I do not know of “{chosen.item.text}” in {plain(doers[0])}.")
                self.denied.update([value.column] if chosen.denied else ())
                through = self.places.through(value.column)
                if through and chosen.negated:
                    raise self.places.no_way([value.column.table], chosen.item.text)
                yield replace(self._equals(value.column, value.texts, chosen.negated), through=through)
                self._consume_hint(chosen, value.column)
            else:
                flags = [c for c in chosen.item.columns if c.kind == "bool"]
                column = self.places.column(flags, chosen.item.text)
                self._refuse_far_flag(chosen.item, column)
                yield Filter(column, "false" if chosen.negated else "true")

    def _refuse_far_flag(self, item: Item, flag: Column) -> None:
        """Refuse a yes or no of what is not spoken of, where it is far away or something nearer is called the same."""
        steps = self.places.steps(flag.table) or 0
        reached = [s for c in item.columns if (s := self.places.steps(c.table)) is not None]
        if flag.table not in self.places.spoken and (steps > 1 or min(reached) < steps):
            raise AlmostError(f"I know of “{item.text}” as yes or no of {plain(flag.table)} only: say if of them.")

    def _says_currency(self, item: Item) -> bool:
        """Take a currency that is a value elsewhere only as that of the figures."""
        word = item.text.casefold()
        far = all(self.places.steps(v.column.table) is None for v in item.values)
        if word in CURRENCIES and item.values and far:
            self.draft = replace(self.draft, currency=word)
            return True
        return False

    def _refuse_degree(self, chosen: Chosen) -> None:
        """Refuse "high volume" where something else than the volume may be high."""
        item = chosen.item
        beside = [i for i in self.draft.items if 0 < i.start - item.end < 2 and not i.tables]
        figures = [i for i in beside if any(c.measures for c in i.columns)]
        if item.text.casefold() in DEGREES and figures and not {v.column for v in item.values} & {*figures[0].columns}:
            name, figure = plain(item.values[0].column.name), figures[0].text
            raise AlmostError(f"“{item.text}” is a {name}, and I cannot tell what a {item.text} {figure} is.")

    def _own_place(self, chosen: Chosen) -> Value | None:
        """Take a place as one of the rows named beside it, though none of them is there: "suppliers in Bath"."""
        spoken = {t for item in self.draft.items if item is not chosen.item for t in item.tables}
        tables = {v.column.table for v in chosen.item.values}
        if not chosen.hint or self.base not in chosen.hint.tables or tables & spoken:
            return None
        for value in chosen.item.values:
            own = [c for c in self.table.columns if c.words == value.column.words and c.words[-1] in PLACES]
            if own and own[0].kind == "text":
                return Value(own[0], value.texts)
        return None

    def _refuse_far_place(self, chosen: Chosen, column: Column) -> None:
        """Refuse a place of something that is not spoken of, where what is nearer has places of its own."""
        spoken = [i for i in (*self.draft.items, *self.draft.hints) if i is not chosen.item]
        named = any(column.table in i.tables or column in i.columns for i in spoken)
        if column.words[-1] not in PLACES or named or (chosen.hint and column in chosen.hint.columns):
            return
        path = self.schema.path(self.base, column.table) or []
        for at, table in enumerate(edge.source.table for edge in path):
            ends = [self.schema.tables[edge.target.table].words[-1] for edge in path[at:]]
            if all(any(same(end, place) for place in PLACES) for end in ends):
                return  # a city's country is where everything is that is in the city
            if any(c.words[-1] in PLACES for c in self.schema.tables[table].columns):
                where, name = plain(column.table), plain(column.name)
                raise NotUnderstoodError(
                    f"I know of “{chosen.item.text}” as the {name} of {where} only: say if of them."
                )

    def _consume_hint(self, chosen: Chosen, column: Column) -> None:
        path = self.schema.path(self.base, column.table) or []
        leads = {edge.source for edge in path if len(path) == 1}  # "with manager Ann", where one key leads to people
        if chosen.hint and {column, *leads} & {*chosen.hint.columns} and chosen.hint is not self.draft.subject:
            self.used.add(id(chosen.hint))

    def _equals(self, column: Column, texts: tuple[str, ...], negated: bool) -> Filter:
        if len(texts) > 1:
            return Filter(column, "not in" if negated else "in", texts)
        return Filter(column, "<>" if negated else "=", texts)

    def _conditions(self) -> Iterator[Filter]:
        for condition in self.draft.conditions:
            if self._is_having(condition):
                self._have(condition)
                continue
            column = self._compared(condition)
            if self._of_each(column):
                name, summed = plain(column.name), default_agg(column) == "sum"
                other, asked = ("total", f"a total {name}") if summed else ("average", f"an average {name}")
                example = f"{asked} above {condition.numbers[0]}"
                raise NotUnderstoodError(f"Each row's {name}, or their {other}? Ask for instance which have {example}.")
            self.denied.update([column] if condition.denied else ())
            yield Filter(column, condition.op, condition.numbers)

    def _of_each(self, column: Column) -> bool:
        """Whether a condition on rows may mean a figure of what they belong to: "shops with revenue over 8000"."""
        whole = self.query_.subject or any(m.counted for m in self.query_.measures)
        if not self.query_.measures and not self.query_.groups:
            whole = whole or any(i.tables and self.base not in i.tables for i in self.draft.mentioned)
            named = [i for i in self.draft.mentioned if not self._numeric(i)]
            whole = whole or (bool(named) and all(self.base not in i.tables for i in self.draft.items))
        rows = [i for i in (self.draft.subject, *self.draft.mentioned) if i and i.tables]
        whole = whole or bool(self.draft.groups and not self.draft.wanted and not self.draft.rank and not rows)
        return bool(whole) and column.table == self.base and column.measures and default_agg(column) in {"sum", "avg"}

    def _compared(self, condition: Condition) -> Column:
        for item in (condition.after, condition.target):
            columns = [c for c in (item.columns if item else ()) if c.kind == "number"]
            if item and columns:
                self.used.add(id(item))
                keys = [c for c in columns if c.is_key and c.table == self.base]
                column = keys[0] if keys else self.places.column(columns, item.text)
                if item.text.casefold() in AGED and column.table not in {self.base, *self.places.spoken}:
                    raise NotUnderstoodError(f"I do not know the age of {plain(self.base)}.")
                return column
        hinted = {c for h in self.draft.hints for c in h.columns if c.measures and c.table == self.base}
        columns = list(hinted) if len(hinted) == 1 else [c for c in self.table.columns if c.measures]
        main = [c for c in columns if {"total", "amount"} & set(c.words)]
        found = main if len(main) == 1 else columns
        if len(found) != 1:
            raise NotUnderstoodError(f"I cannot tell what to compare with {condition.numbers[0]}; name a column.")
        return found[0]

    def _is_having(self, condition: Condition) -> bool:
        """Whether it is about a figure of each group: "shops with more than 500 sales", "average rating above 4"."""
        after, target = condition.after, condition.target
        of_group = any(target is group for group in self.draft.groups)  # "revenue by shop above 8000"
        counted = self._numeric(after) or (self._numeric(target) and not of_group)
        if self.query_.measures and self.query_.groups and not counted:
            return True
        if self._is_sum(condition):
            return True
        if after and after.tables and not any(c.measures for c in after.columns):
            return True
        if after and after.tables and self.base in after.tables and self.draft.subject:
            return True
        if not target or not any(w.target is target and w.agg for w in self.draft.wanted):
            return False
        return not any(w.agg == "count" for w in self.draft.wanted) or bool(target.tables and self.draft.subject)

    def _numeric(self, item: Item | None) -> bool:
        return item is not None and (bool(item.tables) or any(c.kind == "number" for c in item.columns))

    def _is_sum(self, condition: Condition) -> bool:
        """Whether it is about what they made together: "countries with revenue above 20000"."""
        target = condition.target
        if not target or condition.after or self.draft.wanted or self.draft.rank or not is_revenue(target.text):
            return False
        others = [i for i in (self.draft.subject, *self.draft.mentioned) if i and i is not target]
        return bool(self._own_measures(target)) and bool(others) and all(self.base not in i.tables for i in others)

    def _have(self, condition: Condition) -> None:
        if self.query_.having:
            raise NotUnderstoodError("I can hold each group against one figure only.")
        if condition.after and condition.after.tables:
            self.used.add(id(condition.after))
            if self.draft.wanted:
                self._fold()
            if self.query_.measures and self.query_.measures != (Measure("count"),):
                raise NotUnderstoodError("I cannot count and compute in one question; ask one after the other.")
            self._set(measures=(self._count(condition.after, distinct=False),))
        elif self._is_sum(condition) and condition.target:
            self.used.add(id(condition.target))
            self._set(measures=(Measure("sum", self._own_measures(condition.target)[0]),))
        if not self.query_.groups:
            raise NotUnderstoodError("I cannot tell for each of what to count.")
        if (
            condition.after
            and is_verb(condition.after.text)
            and any((self.places.steps(g.entity) or 0) > 1 for g in self.query_.groups if g.entity)
        ):
            raise NotUnderstoodError(f"I cannot tell of what “{condition.after.text}” is said here.")
        self._set(having=Having(condition.op, condition.numbers), order=self.query_.order or "desc", subject=None)

    def _fold(self) -> None:
        """Count the groups: "how many shops have more than 7 reviews"."""
        counted = [m for m in self.query_.measures if m.column is not None and m.agg == "distinct"]
        if len(self.draft.wanted) != 1 or self.query_.groups or len(counted) != 1 or len(self.query_.measures) != 1:
            raise NotUnderstoodError("I cannot count what was counted; ask which they are instead.")
        group = Group(entity=counted[0].counted) if counted[0].counted else Group(counted[0].column)
        self._set(groups=(group,), measures=(), folded="count")

    def _periods(self) -> Iterator[Filter]:
        whole = [i.period.year for i, excluded in self.draft.dates if i.period and i.period.is_year and not excluded]
        if len(self.draft.dates) == 1 and whole and whole[0]:
            self._months_of(whole[0], [])  # "in 2025 before June"
        if self.draft.months:
            raise NotUnderstoodError(f"Please say which year's {self.draft.months[0][0].text} you mean.")
        if len(self.draft.dates) > 1:
            raise NotUnderstoodError("I can take one period at a time; write it as “from ... to ...”.")
        for item, excluded in self.draft.dates:
            if excluded or item.period is None:
                raise NotUnderstoodError(f"I cannot leave out a period such as “{item.text}”.")
            near = sorted(self.draft.hints, key=lambda hint: abs(hint.start - item.start))
            named = sorted(self._dated(), key=lambda name: abs(name.start - item.start))
            column = self.places.date_column([*named[:1]] or near)
            self.used.update(id(name) for name in named[:1])
            if column.is_year:
                yield self._years(column, item)
            else:
                yield Filter(column, "period", period=item.period)

    def _months_of(self, year: int, others: list[tuple[Item, bool]]) -> None:
        """Take months without a year as those of this one."""
        months = [(replace(i, period=month_of(year, int(i.word), edge)), False) for i, edge in self.draft.months]
        if months:
            self.draft = replace(self.draft, dates=[*others, *months], months=[])

    def _years(self, column: Column, item: Item) -> Filter:
        years = item.period.years if item.period else None
        if years is None:
            raise NotUnderstoodError(f"{plain(column.table)} holds whole years only.")
        first, last = years
        if first == last:
            return Filter(column, "=", (str(first),))
        if first and last:
            return Filter(column, "between", (str(first), str(last)))
        return Filter(column, ">=", (str(first),)) if first else Filter(column, "<=", (str(last),))

    def _absent(self) -> Iterator[Filter]:
        for item in self.draft.absent:
            self.used.add(id(item))
            pointing = [t for t in item.tables if any(e.target.table == self.base for e in self.schema.edges(t))]
            if len(pointing) == 1:
                self._refuse_double(pointing[0])
                self._set(missing=Missing(self.base, pointing[0], tuple(self._of_absent(item, pointing[0]))))
                continue
            if missing := self._unlinked(item):
                self._set(missing=missing)
                continue
            named = [i for i in (self.draft.subject, *self.draft.mentioned, *self._counted()) if i and i.tables]
            if named and all(self.base not in i.tables for i in named):
                raise NotUnderstoodError(f"I do not know what “no {item.text}” means here.")
            columns = [c for c in item.columns if c.table == self.base]
            keys = [
                c for t in item.tables for e in self.schema.edges(self.base) if e.target.table == t for c in [e.source]
            ]
            if len(columns or keys) != 1:
                raise NotUnderstoodError(f"I do not know what “no {item.text}” means here.")
            yield self._none_of((columns or keys)[0])

    def _unlinked(self, item: Item) -> Missing | None:
        """Read "films without actors" as those to which no row leads that links them to one."""
        found: list[Missing] = []
        for table in self.schema.dependents([self.base]):
            links = self.schema.links(table)
            keys = [e.source for e in links if e.target.table in item.tables]
            own = [e for e in self.schema.edges(table) if e.target.table == self.base]
            if len(keys) == len(own) == 1 and own[0] in links:
                told = (Filter(keys[0], "told"),) if keys[0].nullable else ()
                found.append(Missing(self.base, table, told))
        return found[0] if len(found) == 1 else None

    def _refuse_double(self, table: str) -> None:
        """Refuse where rows point here by more than one key: nothing tells which of them is meant."""
        keys = [plain(e.source.name) for e in self.schema.edges(table) if e.target.table == self.base]
        if len(keys) > 1:
            raise NotUnderstoodError(f"{plain(table)} has {' and '.join(keys)}: I cannot tell which of them is meant.")

    def _none_of(self, column: Column) -> Filter:
        """Say that there is nothing: a number of things is 0 then, or not told at all where that is possible."""
        if not column.measures:
            return Filter(column, "null")
        if not self.schema.tables[column.table].described:
            raise NotUnderstoodError(f"I do not know yet whether every row has a {plain(column.name)}.")
        if not column.nullable:
            return Filter(column, "=", ("0",))
        return Filter(column, "none" if default_agg(column) == "sum" else "null")

    def _counted(self) -> list[Item | None]:
        return [w.target for w in self.draft.wanted]

    def _of_absent(self, item: Item, table: str) -> Iterator[Filter]:
        """Take the period that is said right after what is absent: "no orders in 2024"."""
        hints = [*self.draft.hints, *self._dated()]
        for found, excluded in self.draft.dates:
            between = [h for h in hints if item.end <= h.start < found.start]
            if excluded or found.period is None or found.start < item.end or between:
                continue
            places = replace(self.places, base=table)
            column = places.date_column([])
            if column.table != table or column.is_year:
                raise NotUnderstoodError(f"I cannot tell what “{found.text}” is about; ask without “no”.")
            self.draft = replace(self.draft, dates=[d for d in self.draft.dates if d[0] is not found])
            yield Filter(column, "period", period=found.period)
