"""Items that mean something else because of what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.models.offline.language.grammar import GRAMMAR
from agent.models.offline.language.lexicon import Item
from agent.models.offline.language.words import same, spells, tokens_of
from agent.models.offline.schema import Schema

_KINDS = {"kinds of", "types of", "sorts of", "different kinds of", "different types of"}
# What columns are called that say of which kind a row is.
_SAYING_KINDS = ("type", "kind", "category", "sort", "class", "model", "species", "genre")


def together(items: Sequence[Item], schema: Schema) -> list[Item]:
    """Read each item once more beside its neighbours."""
    return _of_kinds(_parted(items, schema), schema)


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
