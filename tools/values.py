"""Values of databases as JSON values."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any


def to_json(value: Any) -> Any:
    """Return a JSON value: decimals as numbers where a float holds them exactly, else as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return str(value)


def size(row: list[Any]) -> int:
    """Return the bytes of a row as JSON."""
    return len(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _number(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and value.adjusted() < 18:
        return int(value)
    as_float = float(value)
    return as_float if math.isfinite(as_float) and Decimal(repr(as_float)) == value else str(value)
