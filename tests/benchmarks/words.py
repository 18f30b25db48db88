"""Text of a given length that compresses about as well as prose, the same in every run."""

from __future__ import annotations

import random
from functools import lru_cache

LETTERS = "etaoinshrdlcumwfgypbvk"


@lru_cache(maxsize=4096)
def text(seed: str, size: int) -> str:
    """Return random words of three to nine letters, `size` characters in all."""
    dice = random.Random(seed)
    words: list[str] = []
    length = 0
    while length < size:
        words.append("".join(dice.choices(LETTERS, k=dice.randint(3, 9))))
        length += len(words[-1]) + 1
    return " ".join(words)[:size]
