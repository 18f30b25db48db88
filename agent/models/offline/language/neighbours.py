"""Items that mean something else because of what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agent.models.offline.language.grammar import GRAMMAR
from agent.models.offline.language.lexicon import PARTLY, SPELLED, Item
from agent.models.offline.language.words import is_plural, same, spells, tokens_of
from agent.models.offline.schema import Schema

_KINDS = {"kinds of", "types of", "sorts of", "different kinds of", "different types of"}
# What columns are called that say of which kind a row is.
_SAYING_KINDS = ("type", "kind", "category", "sort", "class", "model", "species", "genre")


def together(items: Sequence[Item], schema: Schema) -> list[Item]:
    """Read each item once more beside its neighbours."""
    return _held(_modifying(_of_kinds(_parted(_of_count(items, schema), schema), schema)), schema)


def _of_count(items: Sequence[Item], schema: Schema) -> list[Item]:
    """Read "sum of count in lectures" as that of the column count, where there is one."""
    found = list(items)
    for at, (before, item) in enumerate(pairwise(items), 1):
        computed = before.kind == "agg" and item.kind == "count" and tokens_of(item.text)[0].low == "count"
        rows = next((i for i in items[at + 1 :] if i.tables), None)
        columns = tuple(c for t in schema.tables.values() for c in t.columns if c.measures and c.words == ("count",))
        if computed and rows:
            columns = tuple(c for c in columns if any(_reaches(schema, c.table, t) for t in rows.tables))
        if computed and columns:
            found[at] = replace(item, kind="name", word="", tables=(), columns=columns, sure=SPELLED)
    return found


def _modifying(items: Sequence[Item]) -> list[Item]:
    """Read what stands before the rows as a value, if it is one: a "full professor" has not to do with a full name."""
    found = list(items)
    for at, item in enumerate(found[:-1]):
        column = _beside(found, at + 1)
        rows = column if column and column.tables else _beside(found, at + 2)
        guessed = item.kind == "name" and item.sure == PARTLY and item.columns and not item.tables
        if not guessed or not column or not rows or not rows.tables or rows.kind != "name":
            continue
        if item.values:
            found[at] = replace(item, kind="value", tables=(), columns=())
        elif not is_plural(item.text) and not any(same(item.text, c.words[-1]) for c in item.columns):
            found[at] = replace(item, kind="hint")
    return found


def _held(items: Sequence[Item], schema: Schema) -> list[Item]:
    """Read "high priority orders" and "rating 5 reviews" as the rows whose column holds the value."""
    found = list(items)
    for at in range(len(found) - 3, -1, -1):
        rows = _rows_after(found, at + 2)
        one, other = found[at], _beside(found, at + 1)
        if rows is None or other is None or _beside(found, at + 2) is None:
            continue
        column, held = (other, one) if other.columns and one.kind != "name" else (one, other)
        if not column.columns and held.columns:
            column, held = held, column
        near = [c for c in column.columns if any(_reaches(schema, t, c.table) for t in rows.tables)]
        values = tuple(v for v in held.values if v.column in near)
        numbers = tuple(c for c in near if c.kind == "number")
        if column.kind != "name" or column.tables:
            continue
        if values:
            value = replace(held, kind="value", tables=(), columns=(), values=values, gap=one.gap)
            found[at : at + 2] = [replace(value, start=one.start, end=other.end)]
        elif held is other and held.kind == "number" and numbers and rows is found[at + 2]:
            column = replace(column, columns=numbers, gap=("with",))
            found[at : at + 3] = [replace(rows, gap=one.gap), column, held]
    return found


def _beside(items: Sequence[Item], at: int) -> Item | None:
    """Return the item there if it follows on the one before it and may belong to the same noun."""
    item = items[at] if at < len(items) else None
    return item if item and not item.gap and (item.named or item.values or item.kind == "number") else None


def _rows_after(items: Sequence[Item], at: int) -> Item | None:
    """Return the name of the rows that values lead to: "high priority urgent work orders"."""
    while (item := _beside(items, at)) and item.kind == "value":
        at += 1
    return item if item and item.tables and item.kind == "name" else None


def _reaches(schema: Schema, start: str, end: str) -> bool:
    return start == end or bool(schema.ways(start, end))


def _parted(items: Sequence[Item], schema: Schema) -> list[Item]:
    """Read "total amount of invoices" as the total of their amounts, where only something else has a total amount."""
    found: list[Item] = []
    for item, following in zip(items, [*items, None][1:], strict=True):
        first, rest = tokens_of(item.text)[:1], tokens_of(item.text)[1:]
        kind, word = GRAMMAR.get(first[0].low, ("", "")) if first else ("", "")
        tables = following.tables if following and "of" in following.gap else ()
        columns = [c for t in tables for c in schema.tables[t].columns]
        own = tuple(c for c in columns if rest and spells(tuple(t.low for t in rest), c.words))
        if item.kind == "name" and kind == "agg" and own and not item.tables and not {*item.columns} & {*columns}:
            start = item.start + rest[0].start
            found.append(
                replace(item, text=item.text[: rest[0].start].strip(), end=start, kind=kind, word=word, columns=())
            )
            found.append(replace(item, text=item.text[rest[0].start :], start=start, columns=own, gap=()))
        else:
            found.append(item)
    return found


def _of_kinds(items: Sequence[Item], schema: Schema) -> list[Item]:
    """Read "kinds of aircraft" as their models; where no one column says the kind, nothing can be made of it."""
    found = list(items)
    for at, item in enumerate(found[:-1]):
        following = found[at + 1]
        if item.text.casefold() not in _KINDS or not following.tables or following.columns:
            continue
        columns = [c for t in following.tables for c in schema.tables[t].columns]
        told = [c for c in columns if any(same(c.words[-1], kind) for kind in _SAYING_KINDS) and not c.is_key]
        if len(told) == 1:
            found[at + 1] = replace(following, tables=(), columns=(told[0],))
        else:
            found[at] = replace(item, kind="lost")
    return found
