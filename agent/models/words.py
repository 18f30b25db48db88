# ruff: noqa: RUF001
"""English words: tokens of a question, the forms of a word, and the words of a name in a schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]+"|“[^”]+”|(?<!\w)'[^']+'(?!\w))
      | (?P<number>(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?!\w))
      | (?P<word>\w+(?:['’.&]\w+)*)
      | (?P<mark><=|>=|<>|!=|[<>=&,%])""",
    re.VERBOSE,
)
_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "indices": "index",
    "analyses": "analysis",
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
}
# What names of tables carry besides their meaning.
_PREFIXES = {"tbl", "dim", "fact", "fct", "vw", "stg"}
_HEAD = re.compile(
    r"[:;,(.]| of | that | which | who | in | for | from | to | at | by | when | where | before | after "
)
_ARTICLES = {"the", "a", "an", "all", "each", "every", "one", "its", "their", "this"}
# Comments that start so do not name what they are about.
_NO_NOUN = {"what", "how", "whether", "number", "when", "where", "who", "time", "day", "date", "name"}


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
        return re.sub(r"['’]s?$", "", self.text.casefold())


def tokens_of(text: str) -> list[Token]:
    """Split a question into tokens; blanks and other marks are dropped."""
    return [Token(m.group(), str(m.lastgroup), m.start(), m.end()) for m in _TOKEN.finditer(text)]


@cache
def forms(word: str) -> frozenset[str]:
    """Return what a word may stand for: itself, its singulars, what it is short for."""
    word = word.casefold()
    found = {word, _IRREGULAR.get(word, word), _SHORT.get(word, word)}
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        found.add(word[:-1])
        if word.endswith("ies"):
            found.add(word[:-3] + "y")
        if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
            found.add(word[:-2])
    return frozenset(found)


def same(one: str, other: str) -> bool:
    """Tell whether two words are forms of one another."""
    return not forms(one).isdisjoint(forms(other))


def is_plural(word: str) -> bool:
    """Tell whether a word looks like a plural."""
    word = word.casefold()
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
def context_of(comment: str | None) -> frozenset[str]:
    """Return the words of what a comment says in general, without the values that it enumerates."""
    text = re.split(r":|such as|e\.g\.|for example", re.sub(r"\([^)]*\)", " ", comment or ""), maxsplit=1)[0]
    return frozenset(form for word in re.findall(r"[^\W\d_]+", text) for form in forms(word))
