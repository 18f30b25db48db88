"""How much a word takes in: all at once, each of them, the same as another, any one."""

from __future__ import annotations

from agent.models.offline.language.grammar import SCALES
from agent.models.offline.language.lexicon import Item
from agent.models.offline.language.orders import Orders
from agent.models.offline.language.words import is_participle, is_plural, is_verb

# Words before "all" with which something is said of all of them.
_TELLING = frozenset(("have", "has", "had", "is", "are", "was", "were", "do", "does", "did", "where", "with"))


def any_one(item: Item) -> bool:
    """Tell whether any one row is spoken of: "of a booking", "does a shop have"; not "with an order"."""
    *before, article = item.gap or ("",)
    return (
        bool(item.tables)
        and article in {"a", "an"}
        and not {"of", "for", "does", "do", "in", "by", "from"}.isdisjoint(before)
    )


def is_done(item: Item) -> bool:
    """Tell whether a name is that of dates on which something was done, if at all: closed, shipped."""
    dates = not item.tables and bool(item.columns) and all(c.kind == "date" and c.nullable for c in item.columns)
    return dates and is_participle(item.text)


class Scope(Orders):
    """Tells where one row, or all of them together, are spoken of."""

    def _compares_same(self, item: Item) -> bool:
        """Tell whether it is about what is the same in two rows: "in the same country as", "on the same day"."""
        following = self._peek("name", "unit", "hint", "unknown", "value")
        beside = following is not None and not {"for", "in", "with", "from", "of", "on", "at"} & {*following.gap}
        said = any(i.named or i.kind in {"agg", "count"} for i in self.items[: self.at - 1])
        return said or (beside and item.text.casefold().endswith("same"))

    def _says_of_all(self, item: Item) -> bool:
        """Tell whether something is said of all at once: "whose bookings are all", "have all passengers"."""
        if "all" not in item.gap:
            return False
        before = item.gap[: item.gap.index("all")]
        said = self._before()
        named = any(i.named for i in self.items[: self.at - 1])
        tells = not _TELLING.isdisjoint(before)
        did = said is not None and said.kind == "hint" and is_verb(said.text)
        return (tells and (named or self.at == 1)) or (did and named and not self.draft.wanted)

    def _is_state(self, item: Item) -> bool:
        """Tell whether a table's name says how something is now: "on loan", but not "on flight 7" or "in the shop"."""
        computed = any(w.target and self._measures(w.target) for w in self.draft.wanted)
        if computed or "." in item.text or item.columns or is_plural(item.text) or not item.tables:
            return False
        said = any(i.named for i in self.items[: self.at - 1])
        return said and item.gap[-1:] in {("on",), ("in",)} and not self._peek("value", "number", "name")

    def _does_to_each(self, item: Item) -> bool:
        """Tell whether somebody must have done it to each: "who booked every cabin", but not "sold each month"."""
        before, following = self._before(), self._peek("name")
        verbs = [*item.gap, before.text if before is not None and before.kind == "hint" else ""]
        if self.at == 1 and {"did", "do", "does", "is", "are"} & {*item.gap}:
            return True
        does = any(w in {"have", "has", "had", "where"} or is_verb(w) for w in verbs)
        return following is not None and does and not self.draft.wanted and not self.draft.rank

    def _divides(self, name: Item) -> bool:
        """Tell whether a figure would be divided: "revenue per kilometre", but not "reviews per rating"."""
        figures = [
            self.draft.subject,
            *self.draft.mentioned,
            *(w.target for w in self.draft.wanted if w.agg != "count"),
        ]
        words = {word for column in name.columns for word in column.words}
        computed = any(i is not None and self._measures(i) for i in figures)
        return computed and self._measures(name) and name.kind != "unit" and words.isdisjoint(SCALES)

    def _ranks_figures(self) -> bool:
        """Tell whether it is ranked what was counted or computed, and not which rows: "the most sales"."""
        for at, item in enumerate(self.items[self.at :], self.at):
            following = self.items[at + 1] if at + 1 < len(self.items) else None
            if item.kind == "rank" and item.word in {"desc", "asc"}:
                counting = item.text.casefold() in {"most", "fewest", "least"}
                figure = following is None or not following.named or self._measures(following)
                return counting or figure
        return False

    def _are_rows(self, name: Item) -> bool:
        """Tell whether a name is that of rows which can be counted: "top 3 books by loans"."""
        return bool(name.tables) and not name.columns and is_plural(name.text)

    def _ends(self) -> bool:
        """Tell whether nothing follows but what to divide by: neither by whom it was done, nor when."""
        grouped = self._peek("by") and self._peek("name", "unit", ahead=1)
        return bool(grouped or self._peek("end") or self.at == len(self.items))

    def _is_column(self, *, numbers: bool = False) -> bool:
        """Tell whether a word that computes is the name of a column here, as nothing follows to compute with."""
        item = self._peek("name" if numbers else "agg")
        following = self._peek("name", "value", "hint", "distinct", "count", "agg", "unknown", ahead=1)
        return item is not None and self._measures(item) and (following is None or bool(following.gap))

    def _happens(self, item: Item) -> bool:
        """Tell whether a name is what rows may have done: "how many members left", where `left` is a date."""
        said = self.last is not None and bool(self.last.tables) and self.draft.asks != "when"
        return is_done(item) and said and self._ends() and not self.draft.rank

    def _is_role(self, item: Item) -> bool:
        """Tell whether a name is that of a key to those whose kind it is as well: "with captain Ann"."""
        kinds = {v.column.table for v in item.values}
        return any(c.references and c.references[0] in kinds for c in item.columns)

    def _as_value(self, item: Item) -> bool:
        return not item.tables or bool({"in", "for", "with", "is", "are", "of", "from"}.intersection(item.gap))
