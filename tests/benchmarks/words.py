"""Text of a given length that compresses about as well as prose, the same in every run."""

from __future__ import annotations

import random
from functools import lru_cache

LETTERS = "etaoinshrdlcumwfgypbvk"
VOCABULARY = 20_000


@lru_cache(maxsize=1)
def _words() -> list[str]:
    dice = random.Random("words")
    return ["".join(dice.choices(LETTERS, k=dice.randint(3, 9))) for _ in range(VOCABULARY)]


@lru_cache(maxsize=4096)
def text(seed: str, size: int) -> str:
    """Return random words of three to nine letters, `size` characters in all."""
    words = random.Random(seed).choices(_words(), k=size // 4 + 1)
    return " ".join(words)[:size]
