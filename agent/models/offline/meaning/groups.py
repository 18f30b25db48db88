"""Of what and for each of what: "which shops", "by country", "per month", "who"."""

from __future__ import annotations

from dataclasses import replace

from agent.models.offline.language.lexicon import Item
from agent.models.offline.meaning.places import NotUnderstoodError
from agent.models.offline.meaning.ranks import Ranks
from agent.models.offline.query import Group, Measure
from agent.models.offline.schema import plain

NO_PEOPLE = "I see no people that this could be about."


class Groups(Ranks):
    """Resolves subjects and groups."""

    def _subject(self) -> None:
        subject = self.draft.subject
        if subject is None and not self.draft.groups and self._having_asked():
            # "Shops with more than 7 reviews" are groups, as "which shops have more than 7 reviews" are.
            held = [c.after or c.target for c in self.draft.conditions]
            named = [i for i in self.draft.mentioned if id(i) not in self.used and all(i is not h for h in held)]
            subject = named[0] if len(named) == 1 else None
        if subject is None and self._have_some():
            subject = self.draft.mentioned[0]
        if subject is None or id(subject) in self.used:
            if self.draft.asks == "who":
                self._who()
            elif self.draft.asks == "when" and not self.query_.measures and not self.draft.rank:
                self._set(shown=(self.places.date_column([*self.draft.hints, *self._dated()]),))
            elif self.draft.asks == "which" and subject is None and not self.query_.measures and not self.draft.rank:
                self._what()
            return
        self.used.add(id(subject))
        those = self._having_asked() and any(map(self._is_people, subject.tables))  # "members who ordered twice"
        if self.draft.asks == "who" and subject.tables and self.draft.hints and not self.draft.rank and not those:
            self._who()  # "who supplies the shops": not the shops
            return
        computing = bool(self.query_.measures or (self.draft.rank and self.draft.rank.kind == "measure"))
        entity = self.places.entity(subject.tables, subject.text) if subject.tables else None
        if self.draft.asks == "when" and entity == self.base:
            return
        if computing or self._having_asked():
            self._group_subject(subject, entity)
        elif entity is not None:
            self._set(subject=entity if entity != self.base else None)
        elif subject.columns:
            self._columns_of(subject)
        else:
            raise self.places.no_way(subject.tables, subject.text)

    def _have_some(self) -> bool:
        """Tell whether those are asked for that have some of the rows: "customers with orders"."""
        named = self.draft.mentioned
        if len(named) != 2 or self.query_.measures or self.draft.groups or self.draft.rank or self.draft.wanted:
            return False
        whose, rows = named
        having = not {"with", "have", "had", "having"}.isdisjoint(rows.gap) and self.base in rows.tables
        return having and self.places.entity(whose.tables, whose.text) not in {None, self.base}

    def _columns_of(self, subject: Item) -> None:
        column = self.places.column(subject.columns, subject.text)
        labels = {c for t in self.schema.tables.values() for c in t.labels}
        asked = self.draft.chosen or self.draft.conditions or self.draft.dates or self.draft.rank
        if self.draft.asks == "who" and column.is_key and not asked:
            # Each row has another: "who is the manager?"
            raise NotUnderstoodError(f"I cannot tell whose “{subject.text}” is meant; name somebody.")
        picked = any(v.column in labels for c in self.draft.chosen for v in c.item.values)
        if picked or column.is_key or column.measures or self.draft.rank:
            self._set(shown=self._shown(column))
        else:
            self._set(groups=(Group(column),))

    def _group_subject(self, subject: Item, entity: str | None) -> None:
        if entity == self.base:
            return
        own = self._own_column(subject)
        if own or (entity is None and subject.columns):
            column = self.places.column(own or subject.columns, subject.text)
            self._set(groups=(Group(column),))
        elif entity is not None:
            self._set(groups=(Group(entity=entity),))
        else:
            raise self.places.no_way(subject.tables, subject.text)

    def _having_asked(self) -> bool:
        return any(self._is_having(c) for c in self.draft.conditions)

    def _who(self) -> None:
        doers = [t for hint in self.draft.hints for t in self._doers(hint)]
        if self.base in doers or (not doers and self._is_people(self.base)):
            return
        reached = doers or [t for t in self.schema.neighbours([self.base]) if self._is_people(t)]
        entity = self.places.entity(reached[:1], "who")
        if entity is None:
            raise NotUnderstoodError(NO_PEOPLE)
        if any(m.counted == entity for m in self.query_.measures):
            return  # "the number of members who ordered"
        if self.draft.rank or self.query_.measures:
            self._set(groups=(Group(entity=entity),))
        else:
            self._set(subject=entity)

    def _what(self) -> None:
        """Read "what does X deliver": the column whose comment says `What it delivers`."""
        columns = [c for h in self.draft.hints for c in h.columns if (c.comment or "").casefold().startswith("what")]
        if columns:
            self._set(shown=(self.places.column(columns, self.draft.hints[0].text),))

    def _groups(self) -> None:
        rows = [i for i in self.draft.groups if self.base in i.tables and not self._own_column(i)]
        if rows and all(m.agg in {"avg", "median", "min", "max"} for m in self.query_.measures):
            # "The average quantity per sale", and "the name of each shop", are about single rows anyway.
            self.draft = replace(self.draft, groups=[i for i in self.draft.groups if i not in rows])
        groups = [*self.query_.groups, *map(self.group, self.draft.groups)]
        if groups and not self.query_.measures and self.draft.groups:
            self._set(measures=(Measure("count"),), subject=None)
        self._set(groups=tuple(dict.fromkeys(groups)))

    def group(self, item: Item) -> Group:
        """Resolve what to compute for each of."""
        own = self._own_column(item)
        if item.kind == "unit" and not any(c.is_year and self.places.steps(c.table) is not None for c in item.columns):
            column = self.places.date_column([*self.draft.hints, *self._dated()])
            if column.is_year:
                if item.word != "year":
                    raise NotUnderstoodError(f"{plain(column.table)} holds whole years only.")
                return Group(column)
            return Group(column, unit=item.word)
        if own:
            return Group(self.places.column(own, item.text))
        entity = self.places.entity(item.tables, item.text)
        if entity == self.base:
            raise NotUnderstoodError(f"Each row of {plain(self.base)} is one of the {item.text} already.")
        if entity is not None:
            return Group(entity=entity)
        keys = [c for c in item.columns if c.is_key and c.table == self.base]
        if keys:
            return self._by_key(keys[0])
        if not item.columns:
            raise self.places.no_way(item.tables, item.text)
        return Group(self.places.column(item.columns, item.text))
