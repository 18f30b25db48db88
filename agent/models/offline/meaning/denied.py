"""What is denied of somebody: "shops that never sold cakes" are those without a sale of cakes."""

from __future__ import annotations

from dataclasses import replace

from agent.models.offline.language.lexicon import Item
from agent.models.offline.meaning.groups import Groups
from agent.models.offline.meaning.places import AlmostError, NotUnderstoodError
from agent.models.offline.query import Filter, Measure, Missing, Query

_OPPOSITE = {"<>": "=", "not in": "in", "<=": ">", ">=": "<", "<": ">=", ">": "<=", "=": "<>"}


class Denials(Groups):
    """Resolves what is denied."""

    def _deny(self) -> None:
        """Look for those who have no such row, where it is not the rows themselves that are spoken of."""
        self._refuse_only()
        entity = self._denied_of()
        if not self.denied or (entity is None and self._about_rows()):
            return
        query = self.query_
        if entity and all(self.schema.path(entity, c.table) is not None for c in self.denied):
            return
        edges = [e for e in self.schema.edges(self.base) if e.target.table == entity]
        plain = not (query.groups or query.having or query.missing or query.shown or query.limit or query.ordered)
        if entity is None or len(edges) != 1 or not plain or len(query.measures) > 1:
            raise self._undeniable()
        own = [f for f in query.filters if self.schema.path(entity, f.column.table) is not None]
        inside = tuple(self._of_missing(f) for f in query.filters if f not in own)
        measures = (Measure("count"),) if query.measures else ()
        found = Query(entity, measures, filters=tuple(own), missing=Missing(entity, self.base, inside))
        self.query_ = replace(found, order=query.order)

    def _refuse_only(self) -> None:
        """Refuse "who only bought cakes": who has such rows may have others as well."""
        named = sorted((i for i in self.draft.items if i.named and not i.values), key=lambda item: item.start)
        whose = named[0].tables if named and not self._own_measures(named[0]) else ()
        entity = self._denied_of() or (whose[0] if len(whose) == 1 and self.base not in whose else None)
        own = [f for f in self.query_.filters if entity and self.schema.path(entity, f.column.table) is None]
        if self.draft.only and own:
            raise AlmostError("I cannot tell who has only such rows; ask for those who have some.")

    def _denied_of(self) -> str | None:
        """Return the table whose rows are asked for, where it is not the base."""
        counted = [m.counted for m in self.query_.measures if m.counted]
        return self.query_.subject or next(iter(counted), None)

    def _about_rows(self) -> bool:
        """Whether it is denied of the rows of the base: "sales that were not paid by card"."""
        denies, draft = self.draft.denies, self.draft
        ranked = draft.rank.target if draft.rank else None
        named = [draft.subject, *draft.mentioned, *(w.target for w in draft.wanted), ranked]
        before = [i for i in named if i and denies and i.start < denies.start]
        if not before:
            return True
        last = max(before, key=lambda item: item.start)
        return self.base in last.tables or any(c.measures and c.table == self.base for c in last.columns)

    def _of_missing(self, condition: Filter) -> Filter:
        """Return a condition as one on the rows that there are none of."""
        together = [f for f in self.query_.filters if f.column == condition.column]
        if condition.column.table != self.base or len(together) > 1:
            raise self._undeniable()
        if condition.column in self.denied:
            if condition.op not in _OPPOSITE:
                raise self._undeniable()
            return replace(condition, op=_OPPOSITE[condition.op])
        if condition.op != "period" and not self._said_after(condition):
            raise self._undeniable()
        return condition

    def _said_after(self, condition: Filter) -> bool:
        """Whether a condition is said after the denial, and so of what is denied."""
        denies = self.draft.denies
        items: list[Item] = [c.item for c in self.draft.chosen]
        places = [i.start for i in items if any(v.column == condition.column for v in i.values)]
        return denies is not None and bool(places) and min(places) > denies.start

    def _undeniable(self) -> NotUnderstoodError:
        said = self.draft.denies.text if self.draft.denies else "not"
        return NotUnderstoodError(f"I cannot tell of what “{said}” is said here; ask which did, instead.")
