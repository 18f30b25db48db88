"""Load the SQL of this package: queries by name, and migration scripts, with psql's variables filled in."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from psycopg import sql

_VARIABLE = re.compile(r""":"(?P<identifier>\w+)"|:'(?P<literal>\w+)'""")
_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$\n?", re.MULTILINE)


def script(name: str, **variables: str) -> str:
    """Return the text of `checkpointer/sql/<name>` with psql's `:"x"` and `:'x'` replaced by quoted values."""
    return _fill((files("checkpointer") / "sql" / name).read_text("utf-8"), variables)


@lru_cache(maxsize=16)
def queries(schema: str) -> dict[str, bytes]:
    """Return every statement of `queries.sql` by its name, for tables in `schema`."""
    # In a statement with parameters a percent sign is psycopg's.
    text = script("queries.sql", schema=schema.replace("%", "%%"))
    blocks = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    texts = dict(zip(blocks[1::2], blocks[2::2], strict=True))
    return {name: _COMMENT.sub("", _spliced(text, texts)).strip().encode() for name, text in texts.items()}


def _spliced(text: str, texts: dict[str, str]) -> str:
    return _INCLUDE.sub(lambda include: _spliced(texts[include[1]], texts), text)


def _fill(text: str, variables: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match["identifier"]:
            return sql.Identifier(variables[match["identifier"]]).as_string(None)
        return sql.Literal(variables[match["literal"]]).as_string(None)

    # A name may hold what ends a function's body.
    delimiter = "$mooring$"
    while any(delimiter in given for given in variables.values()):
        delimiter = f"{delimiter[:-1]}_$"
    return _VARIABLE.sub(value, text.replace("$$", delimiter))
