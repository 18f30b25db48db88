"""The id of a response: where its turn is, so that any process finds it in the database.

It names a session and the message that asked, and says nothing about who may see them: whoever reads a response reads
the session, under their own rights.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex

_PREFIX = "resp_"
# How far clocks of replicas may differ, in seconds.
_AHEAD = 300


@dataclass(frozen=True, slots=True)
class Locator:
    """What the id of a response says.

    Attributes:
        who: Tells for whom it was made, without their name.
        owner: Whose session it is, where it is somebody else's.
        session: Its thread id.
        question: The id of the message that was asked.
        begun: When, in seconds since 1970.
    """

    who: str
    owner: str | None
    session: str
    question: str
    begun: int

    def is_of(self, name: str) -> bool:
        """Tell whether it was made for somebody."""
        return self.who == _fold(name)


def response_id(name: str, owner: str | None, session: str, question: str) -> str:
    """Return a new id for a response to somebody."""
    said = [_fold(name), owner, session, question, int(time.time()), token_hex(4)]
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return _PREFIX + urlsafe_b64encode(text.encode()).decode().rstrip("=")


def locator_of(given: str) -> Locator | None:
    """Read an id; None for one that is none of ours."""
    text = given.removeprefix(_PREFIX)
    try:
        who, owner, session, question, begun, _ = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError):
        return None
    names = (who, session, question, owner or "")
    if not all(isinstance(each, str) for each in names) or not isinstance(begun, int):
        return None
    if not 0 <= begun < time.time() + _AHEAD:
        return None
    return Locator(who, owner or None, session, question, begun)


def _fold(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:12]
