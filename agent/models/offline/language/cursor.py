"""Walking along the items of a clause."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.models.offline.language.draft import Chosen, Draft
from agent.models.offline.language.lexicon import Item
from agent.models.offline.language.words import is_participle, is_plural, stem, words_of
from agent.models.offline.schema import parts_of

if TYPE_CHECKING:
    from agent.models.offline.schema import Column


class Cursor:
    """Walks along the items of a clause and fills in its draft."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.at = 0
        self.draft = Draft()
        self.negated = False
        self.denied = False
        """Whether the negation denies what somebody did."""
        self.last: Item | None = None
        self.distinct = False

    def _peek(self, *kinds: str, ahead: int = 0) -> Item | None:
        place = self.at + ahead
        item = self.items[place] if place < len(self.items) else None
        return item if item and (item.kind in kinds or ("name" in kinds and item.named)) else None

    def _take(self, *kinds: str) -> Item | None:
        item = self._peek(*kinds)
        if item:
            self.at += 1
        return item

    def _noun(self) -> Item | None:
        """Take the name that follows, and the values and yes-or-no columns that stand before it: "small shops"."""
        while item := self._peek("value", "name", "hint"):
            following = self._peek("name", ahead=1)
            own = tuple(c for c in item.columns if following and c.table in following.tables)
            if own and not item.tables and all(c.kind == "bool" for c in own):
                item = narrowed(item, own)  # "active users", where the active customers are marked in another way
            adjective = item.kind == "value" or (is_flag(item) and following) or (item.values and following)
            if item.kind == "hint" and following and not following.gap:
                self.at += 1
                self.draft.hints.append(item)
                if following.tables and is_participle(item.text):
                    self.draft.done = item  # "cancelled orders"
            elif adjective and (not following or not following.gap):
                self.at += 1
                self.draft.chosen.append(Chosen(item, self.negated, denied=self.negated and self.denied))
                self.negated = False
            elif item.kind in {"value", "hint"}:
                return None
            else:
                break
            if not following:
                return None
        name = self._take("name")
        return (self._qualified(name) or name) if name else None

    def _before(self) -> Item | None:
        return self.items[self.at - 2] if self.at >= 2 else None

    def _qualified(self, item: Item) -> Item | None:
        """Keep to the columns of the table that is named beside a column: "country of the supplier"."""
        if not item.columns and not item.tables:
            return None
        following = self._peek("name")
        if following and following.tables and "of" in following.gap and item.columns:
            columns = tuple(c for c in item.columns if c.table in following.tables)
            if columns:
                self.at += 1
                return narrowed(item, columns)
        if (
            following
            and following.kind != "hint"  # "which shop opened first" asks for the shop
            and item.tables
            and not is_plural(item.text)
            and following.columns
            and not following.gap
            and "," not in following.gap
        ):
            columns = tuple(c for c in following.columns if c.table in item.tables)
            if columns and not following.tables:
                self.at += 1
                return narrowed(following, columns)
        return None

    def _measures(self, item: Item) -> bool:
        return bool(item.columns) and any(c.measures for c in item.columns) and (not item.tables or item.sure == 3)

    def _number_before(self) -> int | None:
        before = self._before()
        return self._limit_of(before) if before and before.kind == "number" else None

    def _limit_of(self, number: Item | None) -> int | None:
        """Return how many rows a number asks for; none or fewer cannot be shown."""
        limit = limit_of(number)
        if number and not limit:
            self.draft.lost.append(number.text)
        return limit


def done_by(verb: Item) -> tuple[str, ...]:
    """Return the tables that are named after what a verb does: ordered, orders."""
    words = {t: tuple(map(stem, words_of(parts_of(t)[-1]))) for t in verb.tables}
    done = tuple(t for t in verb.tables if stem(verb.text) in words[t])
    return tuple(t for t in done if len(words[t]) == 1) or done


def limit_of(number: Item | None) -> int | None:
    """Return how many rows a number asks for."""
    return int(number.number) if number and number.number and number.number.isdecimal() else None


def is_flag(item: Item) -> bool:
    return bool(item.columns) and not item.tables and all(c.kind == "bool" for c in item.columns)


def narrowed(item: Item, columns: tuple[Column, ...]) -> Item:
    return replace(item, tables=(), columns=columns)
