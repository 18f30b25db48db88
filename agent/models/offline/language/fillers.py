"""Words that usually select nothing, where something is asked for by them: "offices in ME", "plays of Now"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.models.offline.language.grammar import CURRENCIES, GRAMMAR, NOUNS_OF_NOTHING, SKIP
from agent.models.offline.language.words import Token, is_place

# Where something must follow, and where what follows is the place, the kind or the maker of things.
PREPOSITIONS = frozenset(("in", "of", "for", "from", "with", "at", "by", "on", "to", "within", "into", "among"))
ARTICLES = frozenset(("a", "an", "the"))
# What may well stand after a preposition, or be written large to stress it.
_PRONOUNS = frozenset(("me", "us", "you", "our", "my", "your", "that", "this", "where", "there", "whom", "all", "any"))
_STRESSED = frozenset(("all", "any", "some", "the", "ever", "exactly", "actually", "is", "are", "was", "were"))
# Adjectives and greetings: before a noun they would tell which of them.
_ADJECTIVES = """
    live lived located based placed made recorded registered stored named called taken gone happened ok okay hi hello
    hey thanks thank please kindly currently yes well so actually ever if there
"""
_TELLING = frozenset(_ADJECTIVES.split())
_POLITE = frozenset(("please", "thanks", "too", "also", "now", "instead", "then", "again", "there", "only", "total"))
_NOUNS = frozenset(("row", "rows", "data", *NOUNS_OF_NOTHING))
_WEAK = frozenset(w for w, (kind, word) in GRAMMAR.items() if kind == "lean" and word == "weak")
_HELD = re.compile(r"(?:with|have|has|had|having) an? (\w+)")
_HEADS = frozenset(("count", "agg"))


def told(
    tokens: Sequence[Token], question: str, schemas: frozenset[str], is_name: Callable[[Token], bool]
) -> list[Token]:
    """Mark the tokens that must be taken for what they say, however little it usually is, as of the kind `told`.

    A currency beside a number is of the kind `beside`: it says of what the number is.
    """
    marked = []
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else None
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if following and any(c in ",;?!:." for c in question[token.end : following.start]):
            following = None
        says = is_place(token, before, question) or _says(token, tokens[:at], following, question, is_name)
        # The only schema there is says nothing; but "public plans" are some of them.
        says = says or bool(token.low in schemas and following and is_name(following) and _is_head(tokens[:at]))
        amount = token.low in CURRENCIES and any(t and t.number is not None for t in (before, following))
        marked.append(replace(token, kind="told" if says else "beside") if says or amount else token)
    return marked


def dangling(gaps: Sequence[Sequence[str]], asked: bool) -> str:
    """Return the last word of a question if something must follow it: "how many offices in".

    `gaps` are the words that select nothing; `asked` tells that what follows it was asked for: "which are they in".
    """
    last = gaps[-1][-1] if gaps and gaps[-1] else ""
    inverted = not {"where", "do", "does", "did"}.isdisjoint(word for gap in gaps for word in gap)
    return last if last in ARTICLES or (last in PREPOSITIONS and not asked and not inverted) else ""


def held(gap: Sequence[str]) -> str:
    """Return the word after "with a", which is a thing, though it usually selects nothing: "users with an access"."""
    found = _HELD.search(" ".join(gap))
    return found[1] if found else ""


def _says(
    token: Token, before: Sequence[Token], following: Token | None, question: str, is_name: Callable[[Token], bool]
) -> bool:
    word = token.low
    last = before[-1].low if before else ""
    shouted = bool(before) and token.text.isupper() and not question.isupper()
    if shouted and GRAMMAR.get(word, ("",))[0] in {"or", "lean"}:  # "offices in OR", "IT exams"
        return last in PREPOSITIONS or bool(following and is_name(following) and _is_head(before))
    large = bool(before) and token.text[0].isupper() and not question.isupper()
    if large and GRAMMAR.get(word, ("",))[0] == "lean" and last in PREPOSITIONS and following is None:
        return True  # "songs by Them"
    held = not {"with", "where", "whose"}.isdisjoint(t.low for t in before[-3:-1]) and is_name(before[-1])
    ordering = GRAMMAR.get(word, ("",))[0] in {"direction", "unit", "total", "part", "bound"}
    usual = (word in SKIP or word in GRAMMAR) and not ordering
    if held and following is None and usual and (large or word not in _POLITE):
        return True  # "with source each"
    if token.kind != "word" or word in CURRENCIES or (word not in SKIP and word not in _WEAK):
        return False
    stressed = word in _STRESSED or (word == "i" and following)
    if word in SKIP and shouted and not stressed:
        return True
    if following and is_name(following) and (word in _TELLING or word in _WEAK):
        return _is_head(before)
    if word in PREPOSITIONS or word in ARTICLES or word in _NOUNS or last not in PREPOSITIONS:
        return False
    ended = following is None or following.low in PREPOSITIONS or GRAMMAR.get(following.low, ("",))[0] == "by"
    place = last in {"in", "of", "from"} and word in {"me", "us"}
    return ended and (word not in _PRONOUNS or place or token.text[0].isupper())


def _is_head(before: Sequence[Token]) -> bool:
    """Whether a noun must follow: "how many", "total", "the number of"."""
    ends = [" ".join(t.low for t in before[len(before) - size :]) for size in (1, 2, 3) if size <= len(before)]
    last = before[-1].low if before else ""
    return any(GRAMMAR.get(end, ("",))[0] in _HEADS for end in ends) or last in {*ARTICLES, *PREPOSITIONS}
