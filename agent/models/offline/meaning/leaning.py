"""Whether a clause leans on the question before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.models.offline.language.draft import Draft, Wanted
from agent.models.offline.language.grammar import EXTREMES
from agent.models.offline.query import Query


def has_head(draft: Draft) -> bool:
    """Whether it says by itself what it is about."""
    asked = any(w.target for w in draft.wanted)
    about = draft.subject or draft.asks == "who"
    ranked = bool(draft.rank and (draft.rank.target or draft.rank.kind == "recent") and about)
    tables = bool(draft.subject or any(i.tables for i in draft.mentioned))
    return asked or ranked or tables


def leans(draft: Draft) -> bool:
    if draft.lean in {"strong", "refer"} or draft.months or (draft.figured and not draft.subject):
        return True
    if draft.sorted and not (draft.subject or draft.mentioned or draft.groups or draft.asks):
        return True
    if draft.part and not (draft.wanted or draft.asks or draft.subject or draft.groups or draft.rank):
        return not draft.figures
    if not has_head(draft):
        return not draft.figures or bool(draft.lean)
    counting = any(w.agg == "count" and w.target and w.target.tables for w in draft.wanted)
    return bool(draft.lean) and not counting and not (draft.asks == "list" and draft.subject)


def is_figure_alone(draft: Draft) -> bool:
    """Whether it names a figure and nothing else, which is of the rows before: "average price" after "in 2024"."""
    rows = draft.subject or draft.chosen or draft.dates or draft.conditions or draft.months or draft.absent
    more = rows or draft.groups or draft.asks or draft.total or draft.hints or draft.lost or draft.order
    figures = [w.target for w in draft.wanted] if draft.wanted else draft.figures
    if draft.rank:
        figures = [] if draft.wanted or draft.rank.limit or draft.rank.kind != "measure" else [draft.rank.target]
    measured = all(i is not None and any(c.measures for c in i.columns) for i in figures)
    named = 0 if draft.wanted or draft.rank else len(figures)
    return bool(figures) and measured and not (more or draft.lean) and len(draft.mentioned) == named


def as_figure(draft: Draft) -> Draft:
    """Read "highest price" as the highest price there is."""
    rank = draft.rank
    if rank is None or rank.word not in EXTREMES:
        return draft
    return replace(draft, rank=None, wanted=[Wanted(EXTREMES[rank.word], rank.target)])


def as_total(draft: Draft, previous: Sequence[Query]) -> Draft:
    """Read "and the total?" as that of the figures before, where they have no column of that name."""
    alone = draft.mentioned if not (draft.wanted or draft.subject or draft.groups or draft.rank) else []
    bases = {query.base for query in previous}
    if bases and len(alone) == 1 and alone[0].kind == "agg" and bases.isdisjoint(c.table for c in alone[0].columns):
        return replace(draft, mentioned=[], wanted=[Wanted(alone[0].word)])
    return draft


def counts_again(draft: Draft, before: Query) -> bool:
    """Whether it counts the rows before, as they were asked for: "and the number of reviews?" after their average."""
    tables = [t for w in draft.wanted if w.agg == "count" and w.target for t in w.target.tables]
    bare = not (draft.groups or draft.chosen or draft.dates or draft.conditions or draft.total or draft.rank)
    return bool(draft.lean and bare and before.base in tables and (before.filters or before.groups))


def may_lean(draft: Draft) -> bool:
    return draft.subject is None or bool(draft.lean)
