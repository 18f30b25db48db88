"""When a value of a tool's result, or the text of an answer, says the same as a value that Postgres returned."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

PERIODS = ("year", "quarter", "month")
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_NUMBER = re.compile(
    r"(?<![\w.])[-−]?(?:\d{1,3}(?:[,\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?(?![\w])"  # noqa: RUF001
)
_DATE = re.compile(r"\b\d{4}-\d\d(?:-\d\d)?\b(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:\+00(?::?00)?|Z)?)?")
_LONGEST = 100


def from_json(value: Any) -> Any:
    """Return what Postgres returned, from a catalog's JSON: days, times and decimals that were texts there."""
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"-?\d+\.\d+", value):
        return Decimal(value)
    with suppress(ValueError):
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return date.fromisoformat(value)
        if re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", value):
            return datetime.fromisoformat(value)
    return value


def same(expected: Any, actual: Any, column: str = "") -> bool:
    """Tell whether a JSON value of a tool's result is the expected value. `column` may be the name of a period."""
    if expected is None or actual is None:
        return expected is actual
    if column in PERIODS:
        return _plain(_without_time(str(actual))) in spellings(expected, column)
    if isinstance(expected, bool) or isinstance(actual, bool):
        return str(expected).lower() == str(actual).lower()
    if isinstance(expected, datetime):
        seconds = str(actual).replace("T", " ")[:19]
        return len(seconds) >= len("2025-01-01") and expected.isoformat(" ")[:19].startswith(seconds)
    if isinstance(expected, date):
        return str(actual)[:10] == expected.isoformat()
    if isinstance(expected, int | float | Decimal):
        number = _number(actual)
        return number is not None and close(float(expected), number)
    return str(expected) == str(actual)


def shown(expected: Any, text: str, column: str = "") -> bool:
    """Tell whether the text of an answer contains the expected value. NULL need not be said."""
    if expected is None:
        return True
    if column in PERIODS:
        return _any_of(spellings(expected, column), text)
    if isinstance(expected, bool):
        return _any_of({"true", "yes"} if expected else {"false", "no", "not"}, text)
    if isinstance(expected, date):
        return _any_of(_spelled_day(expected), text)
    if isinstance(expected, int | float | Decimal):
        return any(close(float(expected), number) for number in numbers(text))
    wanted = _plain(str(expected))
    return wanted[:_LONGEST] in _plain(text)


def close(expected: float, actual: float) -> bool:
    """Tell whether two numbers are the same, or one the other rounded to two digits after the point or more."""
    if math.isclose(expected, actual, rel_tol=1e-6, abs_tol=1e-9):
        return True
    # Half up or half even, whichever the rounding was.
    return any(
        abs(expected - actual) <= 0.5 * 10**-digits + 1e-9 and math.isclose(actual, round(actual, digits), abs_tol=1e-9)
        for digits in range(2, 7)
    )


@lru_cache(maxsize=256)
def numbers(text: str) -> tuple[float, ...]:
    """Return the numbers that stand in a text, in order, without those that are part of a date."""
    found = _NUMBER.findall(_DATE.sub(" ", text))
    return tuple(float(re.sub("[,\u202f\u00a0]", "", n.replace("−", "-"))) for n in found)  # noqa: RUF001


def spellings(expected: Any, column: str) -> set[str]:
    """Return the ways to write a year (2025), a quarter (2025-Q1) or a month (2025-03), in lower case."""
    year, _, part = str(expected).partition("-")
    if column == "year":
        return {year, f"{year}.0", f"{year}-01-01"}
    if column == "quarter":
        first = f"{year}-{3 * int(part[1:]) - 2:02}-01"
        return {_plain(way) for way in (f"{year}-{part}", f"{year} {part}", f"{part} {year}", f"{year}{part}", first)}
    month = int(part)
    name = _MONTHS[month - 1]
    numeric = (f"{year}-{part}", f"{year}-{part}-01", f"{year}-{month}", f"{year}/{part}", f"{month}/{year}")
    named = (f"{part}/{year}", f"{name} {year}", f"{name[:3]} {year}", f"{year} {name}", f"{year} {name[:3]}")
    return {_plain(way) for way in (*numeric, *named)}


def _spelled_day(day: date) -> set[str]:
    name = _MONTHS[day.month - 1]
    months = (name, name[:3])
    return {day.isoformat()[:10]} | {
        way.lower() for m in months for way in (f"{day.day} {m} {day.year}", f"{m} {day.day}, {day.year}")
    }


def _any_of(ways: set[str], text: str) -> bool:
    plain = _plain(text)
    return any(re.search(rf"(?<!\w){re.escape(way)}(?![\d])", plain) for way in ways)


def _plain(text: str) -> str:
    return " ".join(text.replace("\\", "").replace("*", "").replace("`", "").casefold().split())


def _without_time(text: str) -> str:
    return text[:10] if re.match(r"\d{4}-\d\d-\d\d", text) else text


def _number(actual: Any) -> float | None:
    try:
        return float(actual)
    except (TypeError, ValueError):
        return None
