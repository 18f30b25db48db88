# ruff: noqa: RUF001, SIM102
"""Dates and periods in a question: "in March 2025", "between 2024-01-01 and 2024-03-31", "last month"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

_MONTHS = {
    m: i for i, m in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?)"
)
_YEAR = r"(?:19|20)\d\d(?![\d-])"
_SURE = "|".join(
    (
        rf"(?:the\s+)?(?:last|past|previous|first)\s+\d+\s+(?:days?|weeks?|months?|quarters?|years?)\s+(?:of|in)\s+{_YEAR}",
        rf"(?:the\s+)?(?:first|last|final)\s+(?:month|quarter|half)\s+(?:of|in)\s+{_YEAR}",
        r"\d{4}-\d{2}-\d{2}(?!\d)",
        r"\d{4}-(?:0[1-9]|1[0-2])(?![\d-])",
        rf"\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}",
        rf"{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+{_YEAR}",
        rf"{_MONTH},?\s+(?:of\s+)?{_YEAR}",
        rf"q[1-4],?\s+(?:of\s+)?{_YEAR}",
        rf"(?:the\s+)?(?:first|second|third|fourth|1st|2nd|3rd|4th)\s+quarter\s+(?:of\s+)?{_YEAR}",
        rf"h[12],?\s+(?:of\s+)?{_YEAR}",
        rf"(?:the\s+)?(?:first|second|1st|2nd)\s+half\s+(?:of\s+)?{_YEAR}",
        r"the\s+(?:19|20)\d0s",
        r"today|yesterday",
        r"(?:this|last|previous)\s+(?:week|month|quarter|year)",
        r"(?:the\s+)?(?:last|past|previous)\s+\d+\s+(?:days?|weeks?|months?|years?)",
    )
)
_ANY = rf"(?:{_SURE}|{_YEAR})"
# What takes its year, or its month and year, from the end of the range: "from May to July 2025", "1 to 15 May 2025".
_PART = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?(?:\s+(?:of\s+)?{_MONTH})?|{_MONTH}(?:\s+\d{{1,2}}(?:st|nd|rd|th)?)?)"
_TO = r"(?:to|until|till|through|up\s+to)"
_IN = r"(?:in|during|for|of|on|from|over|within|throughout)\s+(?:the\s+)?(?:years?\s+|month\s+of\s+)?"
_PATTERNS = (
    rf"(?P<op>between|from)\s+(?P<a>{_ANY})\s+(?:and|to|until|till|through|up\s+to)\s+(?P<b>{_ANY})",
    rf"(?P<op>between|from)\s+(?P<a>{_PART})\s+(?:and|{_TO})\s+(?P<b>{_SURE})",
    rf"(?:{_IN})?(?P<a>{_MONTH})\s*(?P<op>to|until|till|through|–)\s*(?P<b>{_MONTH},?\s+(?:of\s+)?{_YEAR})",
    rf"(?:{_IN})?(?P<list>{_MONTH}(?:(?:\s*,\s*|\s+(?:and|or)\s+){_MONTH})*,?\s+(?:and|or)\s+{_MONTH}),?\s+(?:of\s+)?(?P<year>{_YEAR})",
    rf"(?P<op>after|since|from)\s+(?P<a>{_ANY})\s+(?:and|but)\s+(?P<end>before|until|till|up\s+to)\s+(?P<b>{_ANY})",
    rf"(?:{_IN})?(?P<a>{_ANY})\s+(?:or|and)\s+(?P<op>later|earlier)",
    rf"(?:{_IN})?(?P<a>{_ANY})\s*(?P<op>to|until|till|through|and|or|–)\s*(?P<b>{_ANY})",
    rf"(?P<op>since|after|before|until|till|through|up\s+to|as\s+of)\s+(?:the\s+)?(?:year\s+)?(?P<a>{_ANY})",
    rf"(?P<op>from)\s+(?P<a>{_ANY})\s+on(?:wards?)?",
    rf"(?P<op>{_IN})(?P<a>{_ANY})",
    rf"(?P<a>{_SURE})",
    rf"(?:^|(?<=\band\s)|(?<=\babout\s)|(?<=\bonly\s)|(?<=\byear\s)|(?<=\bthe\s))(?P<a>{_YEAR})",
)
_COMPILED = [re.compile(rf"(?<![\w-])(?:{p})(?![\w-])", re.IGNORECASE) for p in _PATTERNS]


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` (included) until `until` (not included); None leaves an end open."""

    first: date | None
    until: date | None
    also: Period | None = None
    """Another one that counts as well: "January and March"."""

    @property
    def years(self) -> tuple[int | None, int | None] | None:
        """First and last year if it is made of whole years; a None leaves an end open."""
        if self.also or any(day and (day.month, day.day) != (1, 1) for day in (self.first, self.until)):
            return None
        return self.first.year if self.first else None, self.until.year - 1 if self.until else None

    @property
    def year(self) -> int | None:
        """The year that it lies in."""
        if self.also or not self.first or not self.until:
            return None
        last = self.until - timedelta(days=1)
        return last.year if self.first.year == last.year else None

    @property
    def is_year(self) -> bool:
        """Whether it is one whole year."""
        return self.year is not None and self.years == (self.year, self.year)

    def __str__(self) -> str:
        """Say it with both ends included."""
        if self.also:
            return f"{replace(self, also=None)} or {self.also}"
        last = self.until - timedelta(days=1) if self.until else None
        if self.first == last:
            return f"on {self.first}"
        if self.first and last:
            return f"from {self.first} to {last}"
        return f"from {self.first} on" if self.first else f"until {last}"


@dataclass(frozen=True, slots=True)
class Found:
    """A period, where it stands in the text, and the words that led to it."""

    period: Period | None
    start: int
    end: int
    of_bare_year: bool = False


def month_of(year: int, month: int, edge: str = "") -> Period:
    """Return a month as a period, or what is before, after, since or until it in its year."""
    first, until = _month(year, month)
    if edge in {"before", "until"}:
        return Period(date(year, 1, 1), first if edge == "before" else until)
    if edge in {"after", "since"}:
        return Period(until if edge == "after" else first, date(year + 1, 1, 1))
    return Period(first, until)


def periods(text: str, today: date) -> Iterator[Found]:
    """Find the periods of a text from left to right; one that cannot be understood has None for its period."""
    at = 0
    while found := _next(text, at):
        yield Found(_period(found, today), found.start(), found.end(), _is_bare(found))
        at = found.end()


def _next(text: str, at: int) -> re.Match[str] | None:
    every = [m for pattern in _COMPILED if (m := pattern.search(text, at))]
    return min(every, key=lambda m: (m.start(), -m.end()), default=None)


def _is_bare(found: re.Match[str]) -> bool:
    return re.fullmatch(rf"of\s+{_YEAR}", found[0], re.IGNORECASE) is not None


def _period(found: re.Match[str], today: date) -> Period | None:
    groups = found.groupdict()
    op = " ".join((groups.get("op") or "in").lower().split())
    try:
        if groups.get("list"):
            months = [_MONTHS[name[:3].lower()] for name in re.findall(_MONTH, groups["list"], re.IGNORECASE)]
            return _joined([_month(int(groups["year"]), month) for month in sorted({*months})])
        other = _atom(groups["b"], today) if groups.get("b") else None
        one = _atom(_completed(groups["a"], groups.get("b") or ""), today)
    except ValueError:
        return None
    if groups.get("end") and other:
        first = one[1] if op == "after" else one[0]
        until = other[0] if groups["end"].lower() == "before" else other[1]
        return Period(first, until) if first < until else None
    if other:
        if op in {"and", "or"}:
            return _joined(sorted([one, other]))
        return Period(one[0], other[1]) if one[0] < other[1] else None
    if op in {"since", "as of", "later"} or (op == "from" and re.search(r"\son(wards?)?$", found[0], re.IGNORECASE)):
        return Period(one[0], None)
    if op == "after":
        return Period(one[1], None)
    if op == "before":
        return Period(None, one[0])
    return Period(None, one[1]) if op in {"until", "till", "through", "up to", "earlier"} else Period(*one)


def _completed(part: str, whole: str) -> str:
    """Complete the start of a range from its end: May from July 2025, the 1st from 15 May 2025."""
    if not re.fullmatch(_PART, part, re.IGNORECASE):
        return part
    year = re.search(_YEAR, whole)
    month = re.search(_MONTH, part, re.IGNORECASE) or re.search(_MONTH, whole, re.IGNORECASE)
    day = re.search(r"\d+", part)
    if not year or not month or bool(day) != bool(re.search(r"\d", re.sub(_YEAR, "", whole))):
        raise ValueError(part)
    return f"{day[0] if day else ''} {month[0]} {year[0]}".strip()


def _joined(parts: list[tuple[date, date]]) -> Period | None:
    """Put periods together, in order, that follow one another or stand apart."""
    (first, until), *others = parts
    if not others:
        return Period(first, until)
    rest = _joined(others)
    if rest is None or rest.first is None or rest.first < until:
        return None
    return replace(rest, first=first) if rest.first == until else Period(first, until, also=rest)


def _atom(text: str, today: date) -> tuple[date, date]:
    """Return the first day, and the day after the last one."""
    low = re.sub(r"^the\s+", "", text.lower())
    if low in {"today", "yesterday"}:
        day = today - timedelta(days=low == "yesterday")
        return day, day + timedelta(days=1)
    if part := re.fullmatch(rf"(last|past|previous|first)\s+(\d+)\s+(\w+?)s?\s+(?:of|in)\s+({_YEAR})", low):
        return _part_of_year(int(part[4]), int(part[2]), part[3], first=part[1] == "first")
    if part := re.fullmatch(rf"(first|last|final)\s+(month|quarter|half)\s+(?:of|in)\s+({_YEAR})", low):
        return _part_of_year(int(part[3]), 1, part[2], first=part[1] == "first")
    if re.match(r"(this|last|past|previous)\b", low):
        return _relative(low, today)
    if iso := re.fullmatch(r"(\d{4})-(\d\d)(?:-(\d\d))?", low):
        return _month(int(iso[1]), int(iso[2])) if iso[3] is None else _day(int(iso[1]), int(iso[2]), int(iso[3]))
    if decade := re.fullmatch(r"(\d{3}0)s", low):
        return date(int(decade[1]), 1, 1), date(int(decade[1]) + 10, 1, 1)
    year = int(re.findall(r"\d{4}", low)[-1])
    if half := re.match(r"h(\d)|(first|second|1st|2nd)\s+half", low):
        second = half[1] == "2" or (half[2] or "")[:1] in {"s", "2"}
        return (date(year, 7, 1), date(year + 1, 1, 1)) if second else (date(year, 1, 1), date(year, 7, 1))
    if quarter := re.match(r"q?(\d|first|second|third|fourth)[a-z]*\s+(?:quarter\s+)?(?:of\s+)?\d{4}", low):
        if low.startswith("q") or "quarter" in low:
            number = {"f": 1, "s": 2, "t": 3}.get(quarter[1][0]) if quarter[1].isalpha() else int(quarter[1])
            return _quarter(year, 4 if quarter[1] == "fourth" else number or 1)
    if month := re.search(_MONTH, low):
        day_of_month = re.search(r"\b(\d{1,2})(?:st|nd|rd|th)?\b", low)
        number = _MONTHS[month[0][:3]]
        return _day(year, number, int(day_of_month[1])) if day_of_month else _month(year, number)
    return date(year, 1, 1), date(year + 1, 1, 1)


def _part_of_year(year: int, number: int, unit: str, *, first: bool) -> tuple[date, date]:
    months = number * {"month": 1, "quarter": 3, "half": 6}.get(unit, 0)
    if not 0 < months <= 12:
        raise ValueError(unit)
    if first:
        return date(year, 1, 1), _month(year, months)[1]
    return date(year, 13 - months, 1), date(year + 1, 1, 1)


def _relative(low: str, today: date) -> tuple[date, date]:
    if counted := re.search(r"(\d+)\s+(day|week|month|year)", low):
        number, unit = int(counted[1]), counted[2]
        tomorrow = today + timedelta(days=1)
        if unit in {"day", "week"}:
            return tomorrow - timedelta(days=number * (7 if unit == "week" else 1)), tomorrow
        months = number * (12 if unit == "year" else 1)
        year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
        last = _month(year, month + 1)[1] - timedelta(days=1)
        return min(date(year, month + 1, min(today.day, 28)), last) + timedelta(days=1), tomorrow
    before = not low.startswith("this")
    if low.endswith("week"):
        monday = today - timedelta(days=today.weekday() + 7 * before)
        return monday, monday + timedelta(days=7)
    if low.endswith("year"):
        return date(today.year - before, 1, 1), date(today.year - before + 1, 1, 1)
    if low.endswith("quarter"):
        year, quarter = divmod(today.year * 4 + (today.month - 1) // 3 - before, 4)
        return _quarter(year, quarter + 1)
    year, month = divmod(today.year * 12 + today.month - 1 - before, 12)
    return _month(year, month + 1)


def _day(year: int, month: int, day: int) -> tuple[date, date]:
    found = date(year, month, day)
    return found, found + timedelta(days=1)


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


def _quarter(year: int, quarter: int) -> tuple[date, date]:
    return _month(year, 3 * quarter - 2)[0], _month(year, 3 * quarter)[1]
