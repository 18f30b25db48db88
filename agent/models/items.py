# ruff: noqa: RUF001
"""From a question's words to items: words of the grammar, names of the schema, values, numbers, periods, unknowns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from agent.models.dates import Period, periods
from agent.models.schema import Column, Schema
from agent.models.words import Token, forms, head_of, same, spells, tokens_of

# Phrases of the grammar: kind of item, and what it means there.
_GRAMMAR: dict[str, tuple[str, str]] = {}


def _learn(kind: str, meaning: str, phrases: str) -> None:
    _GRAMMAR.update({phrase.strip(): (kind, meaning) for phrase in phrases.split(",")})


_learn(
    "count", "count", "how many,number of,count of,count,total number of,total count of,the number of,amount of rows"
)
_learn("agg", "sum", "total,sum,how much,sum of,total of,overall,combined,total sum of")
_learn("agg", "avg", "average,mean,avg")
_learn("agg", "median", "median")
_learn("agg", "min", "minimum,min")
_learn("agg", "max", "maximum,max")
_learn("rank", "desc", "top,highest,largest,biggest,greatest,most,best")
_learn("rank", "asc", "bottom,lowest,smallest,least,fewest,worst")
_learn("recent", "desc", "latest,newest,most recent,last,recent")
_learn("recent", "asc", "earliest,oldest,first")
_learn("common", "desc", "most common,most frequent,most popular,most often used")
_learn("common", "asc", "least common,least frequent,least popular,rarest")
_learn("by", "by", "by,per,for each,for every,each,every,grouped by,group by,broken down by,split by,in each,in every")
_learn("order", "by", "sorted by,ordered by,sort by,order by,ranked by,rank by")
_learn("compare", ">", "more than,greater than,higher than,larger than,bigger than,above,over,exceeding,>")
_learn("compare", "<", "less than,lower than,smaller than,fewer than,below,under,<")
_learn("compare", ">=", "at least,no less than,>=,not less than")
_learn("compare", "<=", "at most,no more than,up to,<=,not more than")
_learn("compare", "=", "equal to,equals,equal,=,exactly")
_learn("compare", "<>", "not equal to,!=,<>")
_learn("compare", "between", "between")
_learn(
    "not", "not", "not,no,without,except,except for,excluding,other than,but not,isn't,aren't,outside,outside of,never"
)
_learn("not", "not", "non,neither,nor,wasn't,weren't,don't,doesn't,didn't,haven't,hasn't,apart from,minus,unless,lack")
_learn("distinct", "distinct", "different,distinct,unique")
_learn("unit", "year", "year,years,yearly,annual,annually")
_learn("unit", "quarter", "quarter,quarters,quarterly")
_learn("unit", "month", "month,months,monthly")
_learn("unit", "week", "week,weeks,weekly")
_learn("unit", "day", "day,days,daily")
_learn("list", "list", "list,show,show me,give,give me,display,find,get,tell,tell me,print")
_learn("which", "which", "which,what,who,what's,whose")
_learn("and", "and", "and,as well as,&")
_learn("or", "or", "or")
_learn("when", "when", "when")
_learn("lean", "lean", "what about,how about,only,just,now,same,also,same for,the same for,instead,too,then,only for")
_SKIP = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "in",
        "on",
        "at",
        "from",
        "for",
        "to",
        "with",
        "where",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "having",
        "there",
        "their",
        "its",
        "it",
        "they",
        "them",
        "me",
        "us",
        "our",
        "we",
        "i",
        "you",
        "your",
        "please",
        "can",
        "could",
        "would",
        "my",
        "that",
        "than",
        "as",
        "this",
        "these",
        "those",
        "all",
        "any",
        "some",
        "ok",
        "okay",
        "so",
        "but",
        "rows",
        "row",
        "records",
        "record",
        "entries",
        "located",
        "based",
        "come",
        "comes",
        "made",
        "ones",
        "one",
        "exist",
        "exists",
        "total's",
        "value",
        "values",
        "if",
        "then",
        ",",
        "got",
        "belong",
        "belongs",
    ]
)
_SKIP_PHRASES = ("in total", "on average", "i want to know", "i would like to know", "do you know", "in the data")
_LONGEST = 4


@dataclass(frozen=True)
class Item:
    """A piece of a question: `kind` and what goes with it."""

    kind: str
    text: str
    start: int
    end: int
    word: str = ""
    table: str | None = None
    columns: tuple[Column, ...] = ()
    number: str | None = None
    period: Period | None = None
    weak: bool = False
    """Whether a value of the same text would be the better reading."""


# What was looked up: the columns in which a phrase, in lower case, stands as a value.
Values = Mapping[str, Sequence[Column]]


@dataclass(frozen=True)
class Lexicon:
    """All that a question's words may mean: the schema, the values that were looked up, and today."""

    schema: Schema
    today: date
    values: Values = field(default_factory=dict)


def items_of(question: str, lexicon: Lexicon) -> list[Item]:
    """Turn a question into items, from left to right; the longest reading of the words wins."""
    items: list[Item] = []
    dates = list(periods(question, lexicon.today))
    tokens = [t for t in tokens_of(question) if not any(d.start <= t.start < d.end for d in dates)]
    by_start = {d.start: d for d in dates}
    at = 0
    starts = sorted([*by_start, *(t.start for t in tokens)])
    for start in starts:
        if start in by_start:
            found = by_start[start]
            text = question[found.start : found.end]
            of_number = found.of_bare_year and items and any(c.measures for c in items[-1].columns)
            kind = "date" if found.period and not of_number else "unknown"
            items.append(Item(kind, text, found.start, found.end, period=found.period))
            continue
        if at < len(tokens) and tokens[at].start == start:
            run = _run(tokens[at:], question)
            item, used = _longest(run, items, lexicon)
            at += used
            items.append(item)
        # A start inside of what was read as one item is passed over.
    return items


def _run(tokens: Sequence[Token], question: str) -> list[Token]:
    """Return the tokens that one item may be made of: no period and no end of a clause lies between them."""
    run = [tokens[0]]
    for token in tokens[1:6]:
        gap = question[run[-1].end : token.start]
        if token.text == "," or any(c in ",;?!:" for c in gap) or any(c.isalnum() for c in gap):
            break
        run.append(token)
    return run


def _longest(run: list[Token], before: list[Item], lexicon: Lexicon) -> tuple[Item, int]:
    if run[0].kind == "quoted":
        return _value((run[0],), lexicon, run[0].text[1:-1]) or _plain("unknown", run[:1]), 1
    for size in range(min(len(run), 6), 0, -1):
        part = tuple(run[:size])
        found = _value(part, lexicon) or (_name(part, before, lexicon) if size <= _LONGEST else None)
        found = found or _grammar(part)
        if found:
            return found, size
    return _weak(run[0], lexicon) or _plain("number" if run[0].kind == "number" else "unknown", run[:1]), 1


def _plain(kind: str, part: Sequence[Token], **more: object) -> Item:
    text = " ".join(t.text for t in part)
    if kind == "number":
        return Item(kind, text, part[0].start, part[-1].end, number=text.replace(",", ""))
    return Item(kind, text, part[0].start, part[-1].end, **more)  # type: ignore[arg-type]  # fields by name


def _grammar(part: Sequence[Token]) -> Item | None:
    phrase = " ".join(t.text.casefold().replace("’", "'") for t in part)
    if phrase in _GRAMMAR:
        kind, meaning = _GRAMMAR[phrase]
        return _plain(kind, part, word=meaning)
    return _plain("skip", part) if phrase in _SKIP or phrase in _SKIP_PHRASES else None


def _value(part: Sequence[Token], lexicon: Lexicon, text: str | None = None) -> Item | None:
    phrase = text.casefold() if text is not None else " ".join(t.text.casefold() for t in part)
    columns = tuple(lexicon.values.get(phrase, ()))
    return _plain("value", part, word=phrase, columns=columns) if columns else None


def _name(part: Sequence[Token], before: list[Item], lexicon: Lexicon) -> Item | None:
    """Read the words as the name of a table or column."""
    words = tuple(t.low for t in part if t.kind == "word")
    if len(words) != len(part):
        return None
    phrase = " ".join(words)
    in_grammar = len(part) == 1 and (phrase in _GRAMMAR or phrase in _SKIP)
    wanted = bool(before) and before[-1].kind in {"agg", "by", "rank", "order"}
    if in_grammar and not (wanted and phrase not in _SKIP and _GRAMMAR[phrase][0] not in {"unit", "rank", "by"}):
        return None
    tables = lexicon.schema.tables.values()
    named = [t.name for t in tables if spells(words, t.words)]
    if len(named) == 1:
        return _plain("table", part, table=named[0])
    columns = [c for t in tables for c in t.columns if spells(words, c.words) or spells(words, _bare(c))]
    if columns:
        return _plain("column", part, word=phrase, columns=tuple(columns))
    return None


def _bare(column: Column) -> tuple[str, ...]:
    """Leave away what names of columns carry beside their meaning: is_active, has_garden."""
    return column.words[1:] if column.kind == "bool" and column.words[0] in {"is", "has", "was"} else ()


def _weak(token: Token, lexicon: Lexicon) -> Item | None:
    """Read a word as a part of a name, or as what a comment says that a table or column is."""
    if token.kind != "word":
        return None
    word, tables = token.low, lexicon.schema.tables.values()
    columns = [c for t in tables for c in t.columns]
    by_comment = [c for c in columns if any(same(word, w) for w in head_of(c.comment)[-1:])]
    part_of = [c for c in columns if not c.is_key and any(same(word, w) for w in c.words)]
    both = [c for c in by_comment if c in part_of]
    heads = [t.name for t in tables if any(same(word, w) for w in head_of(t.comment)[-1:])]
    heads = heads or [t.name for t in tables if same(word, t.words[-1])]
    found = tuple(both or by_comment or part_of)
    keys = tuple(c for c in columns if c.is_key and c.words[:-1] and spells((word,), c.words[:-1]))
    if len(heads) == 1:
        return _plain("table", [token], word=word, table=heads[0], columns=found, weak=True)
    return _plain("column", [token], word=word, columns=found or keys, weak=True) if found or keys else None


def phrases(question: str, items: Sequence[Item], wanted: Sequence[Item]) -> list[str]:
    """Return the texts, in lower case, that the wanted items may be values of, alone and with their neighbours."""
    found: dict[str, None] = {}
    soft = {"unknown", "skip", "value", "and", "column", "number"}
    for item in wanted:
        at = items.index(item)
        for first in range(max(0, at - 3), at + 1):
            for last in range(at + 1, min(len(items), at + 4) + 1):
                part = items[first:last]
                text = question[part[0].start : part[-1].end]
                if all(i.kind in soft for i in part) and not any(c in ",;?!:" for c in text):
                    found.update(dict.fromkeys(_spellings(text)))
    return list(found)


def _spellings(text: str) -> set[str]:
    words = [t.text.strip("\"'“”").casefold() for t in tokens_of(text)]
    phrase = " ".join(words)
    return {phrase, *(" ".join([*words[:-1], form]) for form in forms(words[-1]))} if words else set()
