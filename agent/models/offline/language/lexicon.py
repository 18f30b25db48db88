"""From a question's words to items: words of the grammar, names of the schema, values, numbers, periods, unknowns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from agent.models.offline.language.dates import Period, periods
from agent.models.offline.language.fillers import ARTICLES, told
from agent.models.offline.language.grammar import (
    AGED,
    CURRENCIES,
    GRADED,
    GRAMMAR,
    LONGEST,
    NOUNS,
    NOUNS_OF_NOTHING,
    PRICES,
    SKIP,
    SKIP_PHRASES,
    VERBS,
    VERBS_OF_NOTHING,
)
from agent.models.offline.language.words import (
    Token,
    counted_by,
    forms,
    head_of,
    is_plural,
    is_verb,
    places,
    same,
    spells,
    stem,
    stems_of,
    synonyms,
    tokens_of,
)
from agent.models.offline.schema import Column, Schema, Table

# How sure a reading as a name is.
SPELLED, COMMENTED, PARTLY = 3, 2, 1


@dataclass(frozen=True, slots=True)
class Value:
    """Texts that stand in a column and that a phrase means, spelled as they are stored."""

    column: Column
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """A piece of a question with everything that it may mean."""

    text: str
    start: int
    end: int
    kind: str
    """A kind of the grammar, or name, value, number, date, hint, unknown."""
    word: str = ""
    """What it means in the grammar."""
    tables: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    sure: int = 0
    soft: bool = False
    """Whether the columns are named by their comments only, while a table is spelled."""
    values: tuple[Value, ...] = ()
    number: str | None = None
    period: Period | None = None
    gap: tuple[str, ...] = ()
    """Words before it that select nothing."""

    @property
    def named(self) -> bool:
        """Whether it may be the name of a table or column."""
        return bool(self.tables or self.columns)


@dataclass(frozen=True)
class Lexicon:
    """All that a question's words may mean: the schema, the values that were looked up, and today."""

    schema: Schema
    today: date
    values: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    """What stands in the data, by phrase in lower case."""


def items_of(question: str, lexicon: Lexicon) -> list[Item]:
    """Turn a question into items, from left to right; the longest reading of the words wins."""
    items: list[Item] = []
    gap: list[str] = []
    for item in _read(question, lexicon):
        if item.kind == "skip":
            gap.extend(item.text.casefold().split())
        else:
            items.append(replace(item, gap=tuple(gap)))
            gap = []
    if gap and items:
        items.append(Item("", len(question), len(question), "end", gap=tuple(gap)))
    return items


def _read(question: str, lexicon: Lexicon) -> Iterator[Item]:
    dates = list(periods(question, lexicon.today))
    tokens = [t for t in tokens_of(question) if not any(d.start <= t.start < d.end for d in dates)]
    schemas = frozenset(t.schema.casefold() for t in lexicon.schema.tables.values())
    tokens = told(tokens, question, schemas, lambda token: _names((token,), lexicon.schema).named)
    by_start = {d.start: d for d in dates}
    at, before = 0, None
    for start in sorted([*by_start, *(t.start for t in tokens)]):
        if found := by_start.get(start):
            text = question[found.start : found.end]
            yield Item(text, found.start, found.end, "date" if found.period else "unknown", period=found.period)
        elif at < len(tokens) and tokens[at].start == start:
            run = _run(tokens[at:], question)
            noun = at > 0 and tokens[at - 1].low in ARTICLES and run[0].low in VERBS_OF_NOTHING
            item, used = _longest(run, lexicon, Item("", 0, 0, "by") if noun else before)
            at += used
            before = before if item.kind == "skip" else item
            yield item
        # A start inside of what was read as one item is passed over.


def _run(tokens: Sequence[Token], question: str) -> list[Token]:
    """Return the tokens that one item may be made of: no period and no end of a clause lies between them."""
    run = [tokens[0]]
    for token in tokens[1:6]:
        gap = question[run[-1].end : token.start]
        if token.text == "," or any(c in ",;?!:" for c in gap) or any(c.isalnum() for c in gap):
            break
        run.append(token)
    return run


def _longest(run: list[Token], lexicon: Lexicon, before: Item | None) -> tuple[Item, int]:
    for size in range(len(run), 0, -1):
        if item := _item(tuple(run[:size]), lexicon, before):
            return item, size
    token = run[0]
    if token.number is not None:
        return Item(token.text, token.start, token.end, "number", number=token.number), 1
    return _hint(token, lexicon) or Item(token.text, token.start, token.end, "unknown"), 1


def _item(part: tuple[Token, ...], lexicon: Lexicon, before: Item | None) -> Item | None:
    """Read the tokens as one item, or None; `before` is the item before."""
    text = " ".join(t.text for t in part)
    phrase = text.strip("\"“”'").casefold().replace("\u2019", "'")
    quoted = part[0].kind == "quoted" or any(t.kind == "told" for t in part)
    kind, word = ("", "") if quoted else GRAMMAR.get(phrase, ("", ""))
    if not quoted and phrase in GRADED:
        direction, noun = GRADED[phrase]
        columns = _graded(noun, lexicon.schema)
        return _made(part, "rank", word=direction, columns=columns, sure=COMMENTED)
    if not quoted and phrase in AGED:
        ages = tuple(c for t in lexicon.schema.tables.values() for c in t.columns if c.measures and "age" in c.words)
        kind = ("compare" if AGED[phrase] else "name") if ages else "unknown"
        return _made(part, kind, word=AGED[phrase], columns=ages, sure=COMMENTED)
    values = _values(phrase, lexicon)
    names = _names(part, lexicon.schema) if len(part) <= LONGEST else Item("", 0, 0, "")
    meant = phrase in NOUNS_OF_NOTHING and names.sure >= COMMENTED
    meant = meant or (phrase in VERBS_OF_NOTHING and names.sure == SPELLED and not _may_be_verb(phrase, before))
    if phrase in SKIP and not quoted and (phrase not in CURRENCIES or part[0].kind == "beside"):
        values = ()  # it says nothing here, though it may elsewhere
    if not kind and not quoted and (phrase in SKIP or phrase in SKIP_PHRASES) and not values and not meant:
        return _made(part, "skip")
    if kind == "month" and (not part[0].text[0].isupper() and phrase in {"may", "march"}):
        kind = ""
    if kind and len(part) > 1:
        return _made(part, kind, word=word)
    if kind or names.named or values:
        kind = kind or ("name" if names.named else "value")
        return _made(
            part,
            kind,
            word=word,
            tables=names.tables,
            columns=names.columns,
            sure=names.sure,
            soft=names.soft,
            values=values,
        )
    return None


def _may_be_verb(word: str, before: Item | None) -> bool:
    """Tell whether it may be what somebody does: "shops make" and "who makes", but not "by make" or "vehicle make"."""
    if before is None or before.kind != "name":
        return before is None or before.kind in {"who", "value", "hint", "unknown", "date"}
    return is_plural(before.text.split()[-1]) != is_plural(word)


def _values(phrase: str, lexicon: Lexicon) -> tuple[Value, ...]:
    """Find a phrase among the values, or its singular: "how many recruiters"."""
    if phrase in lexicon.values:
        return tuple(lexicon.values[phrase])
    return next((tuple(lexicon.values[s]) for s in _spellings(phrase) if s in lexicon.values), ())


def _made(part: Sequence[Token], kind: str, **more: object) -> Item:
    text = " ".join(t.text for t in part)
    return Item(text, part[0].start, part[-1].end, kind, **more)  # type: ignore[arg-type]  # fields by name


def _names(part: tuple[Token, ...], schema: Schema) -> Item:
    """Read the tokens as the name of tables and columns; the surest readings only."""
    spoken = tuple(word for t in part for word in t.low.strip("\"“”'").split())
    words = tuple(word for each in spoken for word in each.split("_") if word)
    tables, columns = tuple(schema.tables.values()), tuple(c for t in schema.tables.values() for c in t.columns)
    schemas = {t.schema.casefold() for t in tables} - {"public"}
    joined = len(part) == 1 or any(t.kind == "quoted" for t in part) or (len(schemas) > 1 and spoken[0] in schemas)
    phrase = ".".join(spoken) if joined else ""  # "public plans" names no schema
    named = [t.name for t in tables if phrase in t.spellings or spells(words, t.words)]
    spelled = [c for c in columns if _spelled(words, c, schema.tables[c.table])]
    if named or spelled:
        # The name of a table may be the noun of a column too: salaries, and the amount of a salary.
        about = spelled or [c for c in _commented(words, columns) if c.measures]
        return replace(_named(part, named, about, SPELLED), soft=not spelled)
    if len(part) == 1 and part[0].number is not None:
        return _named(part, (), (), 0)
    found = _commented(words, columns)
    heads = [t.name for t in tables if spells(words, head_of(t.comment)[-len(words) :]) or spells(words, t.kernel)]
    if found or heads:
        return _named(part, heads, [c for c in found if c.measures or not heads], COMMENTED)
    if len(part) > 1 or part[0].kind == "mark":
        return _named(part, (), (), 0)
    return _guessed(part, tables, columns)


def _guessed(part: tuple[Token, ...], tables: Sequence[Table], columns: Sequence[Column]) -> Item:
    word = part[0].low
    if word in GRAMMAR or word in SKIP or is_verb(word):
        return _named(part, (), (), 0)
    ends = [t.name for t in tables if same(word, t.words[-1])]
    parts = [c for c in columns if not c.is_key and _partly(word, c)]
    if ends or parts:
        return _named(part, ends, parts, PARTLY)
    others = synonyms(word)
    named = [t.name for t in tables if any(spells((w,), t.words) for w in others)]
    spelled = [c for c in columns if any(_means(w, c) for w in others)]
    if named or spelled:
        return _named(part, named, spelled, PARTLY)
    keys = [c for c in columns if c.is_key and c.words[:-1] and spells((word,), c.words[:-1])]
    return _named(part, (), keys, PARTLY)


def _named(part: tuple[Token, ...], tables: Sequence[str], columns: Sequence[Column], sure: int) -> Item:
    return _made(part, "name", tables=tuple(tables), columns=tuple(columns), sure=sure)


def _spelled(words: tuple[str, ...], column: Column, table: Table) -> bool:
    own = column.words
    if spells(words, own):
        return True
    if column.kind == "bool" and own[0] in {"is", "has", "was"} and spells(words, own[1:]):
        return True
    # `name` for employee_name in employees.
    return (
        len(own) > len(table.words)
        and spells(table.words, own[: len(table.words)])
        and (spells(words, own[len(table.words) :]) and not column.is_key)
    )


def _commented(words: tuple[str, ...], columns: Sequence[Column]) -> list[Column]:
    """Find the columns whose comment says that they are this."""
    if len(words) == 1:
        word = words[0]
        if is_verb(word):
            return []
        counted = [c for c in columns if c.measures and (noun := counted_by(c.comment)) and same(word, noun)]
        return counted or [c for c in columns if any(same(word, w) for w in head_of(c.comment)[-1:])]
    return [c for c in columns if spells(words, head_of(c.comment))]


def _partly(word: str, column: Column) -> bool:
    """Tell whether a word is a part of a name that may stand for it: "price" in unit_price, but not "unit"."""
    if column.measures and any(same(column.words[-1], noun) for noun in PRICES):
        return same(word, column.words[-1])
    return any(same(word, w) for w in column.words)


def _means(word: str, column: Column) -> bool:
    return not column.is_key and (
        any(same(word, w) for w in column.words) or any(same(word, w) for w in head_of(column.comment)[-1:])
    )


def _graded(noun: str, schema: Schema) -> tuple[Column, ...]:
    """Find what each table has of a noun, by the best word for it: the price of one, the fee of another."""
    found: list[Column] = []
    for table in schema.tables.values():
        columns = [c for c in table.columns if c.measures]
        found += next(filter(None, ([c for c in columns if _is_called(c, word)] for word in NOUNS[noun])), [])
    return tuple(found)


def _is_called(column: Column, word: str) -> bool:
    return any(same(word, w) for w in (*head_of(column.comment)[-1:], *column.words))


def _hint(token: Token, lexicon: Lexicon) -> Item | None:
    """Read a word as one that names or comments use, in whatever form."""
    if token.kind != "word" or len(token.low) < 3:
        return None
    tables = lexicon.schema.tables.values()
    own = stem(token.low)
    columns = tuple(c for t in tables for c in t.columns if own in stems_of(c.comment) or own in map(stem, c.words))
    if noun := VERBS.get(own):
        columns = (*columns, *_graded(noun, lexicon.schema))
    about = tuple(t.name for t in tables if own in stems_of(t.comment) or own in map(stem, t.words))
    schemas = {t.schema.casefold() for t in tables}
    if not columns and not about and ((own == "sell" and is_verb(token.low)) or schemas == {token.low}):
        return _made([token], "skip")
    if not columns and not about:
        return None
    return Item(token.text, token.start, token.end, "hint", tables=about, columns=columns)


def phrases(question: str, items: Sequence[Item], wanted: Sequence[Item]) -> list[str]:
    """Return the texts, in lower case, that the wanted items may be values of, alone and with their neighbours."""
    found: dict[str, None] = {}
    for token in tokens_of(question):
        if token.low in CURRENCIES:
            found.update(dict.fromkeys((token.low, CURRENCIES[token.low])))
    soft = {"unknown", "hint", "value", "and", "name", "number", "edge", "month", "compare", "not", "skip"}
    for item in wanted:
        at = items.index(item)
        for first in range(max(0, at - 3), at + 1):
            for last in range(at + 1, min(len(items), at + 4) + 1):
                part = items[first:last]
                text = question[part[0].start : part[-1].end]
                if all(i.kind in soft for i in part) and not any(c in ",;?!:" for c in text):
                    # With the words before it: "in repair", "on the road".
                    texts = [" ".join((*part[0].gap[len(part[0].gap) - n :], text)) for n in range(4)]
                    found.update(dict.fromkeys(form for text in texts for form in _spellings(text)))
    return list(found)


def _spellings(text: str) -> list[str]:
    """Return a text in lower case with the forms of its last word, always in the same order."""
    words = [t.text.strip("\"'“”").casefold() for t in tokens_of(text)]
    phrase = " ".join(words)
    spelled = {phrase, *(" ".join([*words[:-1], form]) for form in forms(words[-1]))} if words else set()
    spelled |= {CURRENCIES[phrase]} if phrase in CURRENCIES else set()
    spelled |= {text.casefold()} if re.search(r"\w[-/+:.]\w", text) else set()  # "PG-13"
    return sorted({*spelled, *places(phrase)})
