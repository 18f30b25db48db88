"""What catalogs outside of this database said lately about how principals see their tables.

The database knows the labels of its own tables. About others it asks, in an error, and is told with the next try what
the principal's own credentials could see (`Principal.sees`). An answer counts for a minute.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkpointer.principal import Principal

# How long an answer counts, and how long no answer: whoever cannot be reached is not asked at every read.
_SECONDS, _SECONDS_OF_SILENCE = 60.0, 5.0
_MOST = 10_000


class Answers:
    """The answers for the principals of one pool. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: OrderedDict[tuple[str, int], tuple[bool, float]] = OrderedDict()

    def of(self, principal: Principal) -> list[int] | None:
        """Return n for each label n that the principal was lately found to hold, -n for those that they do not.

        None where there is nobody to ask.
        """
        if principal.sees is None:
            return None
        now = time.monotonic()
        with self._lock:
            for key in [key for key, (_, until) in self._said.items() if until <= now]:
                del self._said[key]
            said = {label: held for (name, label), (held, _) in self._said.items() if name == principal.name}
        return [label if held else -label for label, held in said.items()]

    def ask(self, principal: Principal, question: str) -> None:
        """Ask how the principal sees tables now; it may take as long as their catalog does.

        Args:
            principal: Whose credentials ask.
            question: The labels, as JSON: a list of number, source and fingerprint for each.
        """
        assert principal.sees is not None
        labels = [(int(label), str(source), str(fingerprint)) for label, source, fingerprint in json.loads(question)]
        said: dict[str, tuple[str | None, float]] = {}
        for source in {source for _, source, _ in labels}:
            now = time.monotonic()
            try:
                said[source] = principal.sees(source), now + _SECONDS
            except Exception:  # noqa: BLE001 - whatever it is: unknown is withheld
                said[source] = None, now + _SECONDS_OF_SILENCE
        with self._lock:
            for label, source, fingerprint in labels:
                seen, until = said[source]
                self._said[principal.name, label] = seen == fingerprint, until
                self._said.move_to_end((principal.name, label))
            while len(self._said) > _MOST:
                self._said.popitem(last=False)
