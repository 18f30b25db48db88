"""What Postgres sends for types that JSON lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.string import TextLoader

if TYPE_CHECKING:
    import psycopg

# Python has no infinite dates, no year 10000 and no months in an interval: their ISO text has.
_AS_TEXT = ("date", "time", "timetz", "timestamp", "timestamptz", "interval", "bytea", "uuid", "inet", "cidr")


def read_as_json(conn: psycopg.Connection[Any]) -> None:
    """Make a connection return the types that JSON lacks as the text that Postgres prints."""
    for name in _AS_TEXT:
        conn.adapters.register_loader(name, TextLoader)
    # Ranges, multiranges and composites have loaders of their own; their text is shorter and says the same.
    for info in conn.adapters.types:
        if info.name.endswith(("range", "multirange")):
            conn.adapters.register_loader(info.oid, TextLoader)
