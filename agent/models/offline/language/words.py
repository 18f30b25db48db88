"""English words: tokens of a question, the forms of a word, and the words of a name in a schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]+"|“[^”]+”|(?<!\w)'[^']+'(?!\w))
      | (?P<number>(?<![\w.])-?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:[kK]|\s+(?:thousand|million|billion))?(?!\w))
      | (?P<word>\w+(?:['\u2019.&]\w+)*)
      | (?P<mark><=|>=|<>|!=|[<>=&,%$€£¥])""",
    re.VERBOSE,
)
_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "indices": "index",
    "analyses": "analysis",
    "staff": "employee",
}
_SHORT = {
    "qty": "quantity",
    "amt": "amount",
    "dept": "department",
    "addr": "address",
    "desc": "description",
    "num": "number",
    "pct": "percent",
    "emp": "employee",
    "cust": "customer",
    "prod": "product",
    "txn": "transaction",
    "trx": "transaction",
    "wt": "weight",
    "dob": "birthdate",
    "whse": "warehouse",
    "wh": "warehouse",
    "loc": "location",
    "cat": "category",
    "ts": "time",
    "nm": "name",
    "ctry": "country",
    "prc": "price",
    "acct": "account",
    "bal": "balance",
    "yr": "year",
}
# Words that people use for one another. They count only where nothing in the schema is spelled as asked.
_SYNONYMS = (
    "revenue turnover income sales takings earnings",
    "salary pay wage earnings",
    "price cost fee fare charge",
    "employee worker colleague staffer",
    "customer client buyer",
    "shop store branch outlet",
    "product item article",
    "rating score star",
    "doctor physician",
    "town city",
    "nation country",
    "purchase order",
    "sale transaction",
    "supplier vendor",
    "job position role",
    "quantity unit piece",
    "kind type category",
)
# Short names of places, and how they are spelled in full.
_PLACES = {
    "us": ("united states", "united states of america", "usa"),
    "usa": ("united states", "united states of america", "us"),
    "u.s": ("united states", "united states of america", "usa", "us"),
    "u.s.a": ("united states", "united states of america", "usa", "us"),
    "uk": ("united kingdom", "great britain"),
    "u.k": ("united kingdom", "great britain", "uk"),
    "uae": ("united arab emirates",),
}
_PAST = {
    "sold": "sell",
    "selling": "sell",
    "sale": "sell",
    "sales": "sell",
    "paid": "pay",
    "bought": "buy",
    "made": "make",
    "wrote": "write",
    "written": "write",
    "spent": "spend",
    "given": "give",
    "gave": "give",
    "taken": "take",
    "took": "take",
    "began": "begin",
    "sent": "send",
    "kept": "keep",
    "held": "hold",
    "born": "birth",
    "died": "death",
    "built": "build",
    "left": "leave",
    "lent": "lend",
    "borrowed": "borrow",
    "seen": "see",
}
# Forms of verbs that look like nouns, where every row of a table may be said to do it.
_DO = (
    "work open deliver order hire visit book watch play join serve attend use rent ship start close happen write supply"
)
_TIMES = {"k": 3, "thousand": 3, "million": 6, "billion": 9}
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# What names of tables carry besides their meaning.
_PREFIXES = {"tbl", "dim", "fact", "fct", "vw", "stg"}
_HEAD = re.compile(
    r"[:;,(.]| of | that | which | who | in | for | from | to | at | by | when | where | before | after | it | they "
    r"| was "
)
_ARTICLES = {"the", "a", "an", "all", "each", "every", "one", "its", "their", "this"}
# Comments that start so do not name what they are about.
_NO_NOUN = {"what", "how", "whether", "number", "when", "where", "who", "time", "day", "date", "name"}
_COUNTED = re.compile(r"(?:number|count|amount) of (?!the |an? )([^\W\d_]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a question: a quoted text, a number, a word or a mark."""

    text: str
    kind: str
    start: int
    end: int

    @property
    def low(self) -> str:
        """The word in lower case, without a possessive."""
        return re.sub(r"['\u2019]s?$", "", self.text.casefold())

    @property
    def number(self) -> str | None:
        """The number that it says, as SQL spells it."""
        if self.kind == "number":
            figure, times = re.fullmatch(r"([-\d,.]+)\s*(\w*)", self.text.casefold()).groups()  # type: ignore[union-attr]
            value = Decimal(figure.replace(",", "")).scaleb(_TIMES.get(times, 0))
            return f"{value:f}" if times or figure.startswith(".") else figure.replace(",", "")
        return str(_NUMBERS.index(self.low)) if self.low in _NUMBERS else None


def tokens_of(text: str) -> list[Token]:
    """Split a question into tokens; blanks and other marks are dropped."""
    return [Token(m.group(), str(m.lastgroup), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def is_place(token: Token, before: Token | None, text: str) -> bool:
    """Tell whether a word is short for a place: "in the us" and "US revenue", but not "give us"."""
    if token.low not in _PLACES:
        return False
    shouted = token.text.isupper() and not text.isupper()
    return shouted or token.low != "us" or (before is not None and before.low == "the")


def places(phrase: str) -> tuple[str, ...]:
    """Return how a place is spelled whose short name ends a phrase."""
    *others, last = phrase.split() or [""]
    return tuple(" ".join((*others, name)) for name in _PLACES.get(last, ()))


@cache
def forms(word: str) -> frozenset[str]:
    """Return what a word may stand for: itself, its singulars, what it is short for."""
    word = word.casefold()
    found = {word, _IRREGULAR.get(word, word), _SHORT.get(word, word)}
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        single = word[:-1]
        found |= {single, _SHORT.get(single, single)}
        if word.endswith("ies"):
            found.add(word[:-3] + "y")
        if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
            found.add(word[:-2])
    return frozenset(found)


@cache
def stem(word: str) -> str:
    """Return what is left of a verb or noun without its endings, good for comparison only: opened, opens -> open."""
    word = word.casefold()
    if word in _PAST:
        return _PAST[word]
    for ending in ("ings", "ing", "ed", "ers", "er", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if word.endswith("er") and len(word) > 4:
        word = word[:-2]  # "ordered" like "orders"
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    word = f"{word[:-1]}y" if word.endswith("i") else word
    return _PAST.get(word, word)


def is_verb(word: str) -> bool:
    """Tell whether a word looks like a form of a verb."""
    word = word.casefold()
    if word in {"sale", "sales"}:
        return False
    known = stem(word) in _PAST.values() or stem(word) in {stem(verb) for verb in _DO.split()}
    return known or (len(word) > 4 and word.endswith(("ed", "ing")))


def is_participle(word: str) -> bool:
    """Tell whether a word says that something was done: closed, but not open."""
    word = word.casefold()
    return is_verb(word) and (word.endswith("ed") or not word.startswith(stem(word)))


def does(noun: str, verb: str) -> bool:
    """Tell whether a noun names who does what a verb says: suppliers supply, orders do not order."""
    found = [f for f in forms(noun) if f.endswith(("er", "or"))]
    return stem(noun) == stem(verb) and bool(found) and not verb.casefold().startswith(tuple(found))


def same(one: str, other: str) -> bool:
    """Tell whether two words are forms of one another."""
    return not forms(one).isdisjoint(forms(other))


@cache
def synonyms(word: str) -> frozenset[str]:
    """Return other words that people use for this one."""
    groups = [group.split() for group in _SYNONYMS]
    return frozenset(w for group in groups if any(same(word, w) for w in group) for w in group if not same(w, word))


def is_plural(word: str) -> bool:
    """Tell whether a word looks like a plural; a possessive is none: "the vehicle's make"."""
    word = word.casefold()
    if word.endswith(("'s", "\u2019s")):
        return False
    return word in _IRREGULAR or len(forms(word) - {word, _SHORT.get(word, word)}) > 0


@cache
def words_of(name: str) -> tuple[str, ...]:
    """Split the name of a table or column, such as `total_price`, `OrderDate` or `Order Lines`, into words."""
    parts = re.findall(r"[^\W\d_]+|\d+", name)
    words = [w for part in parts for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z\W\d_]+|\d+", part) or [part]]
    low = tuple(word.casefold() for word in words)
    return low[1:] if len(low) > 1 and low[0] in _PREFIXES else low


def spells(phrase: tuple[str, ...], name: tuple[str, ...]) -> bool:
    """Tell whether a phrase spells a name, word by word or written together."""
    if not phrase or not name:
        return False
    if len(phrase) == len(name):
        return all(same(a, b) for a, b in zip(phrase, name, strict=True))
    return same("".join(phrase), "".join(name))


@cache
def head_of(comment: str | None) -> tuple[str, ...]:
    """Return the noun that a comment starts with: `Revenue of the sale: ...` is about revenue."""
    text = _HEAD.split(f"{comment or ''} ", maxsplit=1)[0].casefold()
    words = [w for w in re.findall(r"[^\W\d_]+", text) if w not in _ARTICLES]
    return () if not words or words[0] in _NO_NOUN else tuple(words)


@cache
def counted_by(comment: str | None) -> str | None:
    """Return what a column of numbers counts: `Number of pieces sold` counts pieces."""
    found = _COUNTED.match(comment or "")
    return found[1].casefold() if found else None


@cache
def stems_of(comment: str | None) -> frozenset[str]:
    """Return the stems of what a comment says in general, without the values that it enumerates."""
    text = re.split(r":|such as|e\.g\.|for example", re.sub(r"\([^)]*\)", " ", comment or ""), maxsplit=1)[0]
    return frozenset(stem(form) for word in re.findall(r"[^\W\d_]+", text) for form in forms(word))
