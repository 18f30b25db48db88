"""Keep what requests and answers hold out of the SDK's debug log: rows, SQL, and tokens that were minted."""

from __future__ import annotations

import logging
import re

_STATUS = re.compile(r"< \d{3} ")


class _WithoutBodies(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        first, *rest = record.getMessage().split("\n")
        if rest:
            record.msg, record.args = "\n".join([first, *filter(_STATUS.match, rest)]), ()
        return True


_filter = _WithoutBodies()


def hide_bodies() -> None:
    """Let the SDK log which requests it sends and what status comes back, and nothing more. Doing it again is free."""
    logging.getLogger("databricks.sdk").addFilter(_filter)
