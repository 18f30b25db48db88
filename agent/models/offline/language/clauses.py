"""Where a question falls apart into several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.models.offline.language.lexicon import Item


def clauses(items: Sequence[Item]) -> list[list[Item]]:
    """Split the items where a second thing to compute begins: "how many A, and the average B"."""
    starts = [0]
    heads = {"count", "agg"}
    for i, item in enumerate(items[1:], 1):
        before = items[i - 1]
        opened = item.kind in heads or (item.kind in {"which", "list", "who", "when"} and i + 1 < len(items))
        joined = before.kind == "and" or "," in item.gap
        content = items[starts[-1] : i]
        asked = any(x.kind in heads | {"which", "rank"} for x in content)
        listed = any(x.kind == "list" for x in content) and any(x.tables for x in content)
        whole = any(x.named for x in content) and (asked or listed)
        if opened and joined and whole:
            starts.append(i)
    found = [list(items[a:b]) for a, b in zip(starts, [*starts[1:], len(items)], strict=True)]
    return [_trimmed(part) for part in found]


def _trimmed(items: list[Item]) -> list[Item]:
    """End a clause where what joins it to the next begins."""
    return [*items[:-1], replace(items[-1], kind="end")] if items and items[-1].kind == "and" else items
