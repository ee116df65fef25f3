"""Spans of time that a question names: "in May 2023", "on 13 October", "last week", "three days ago".

Relative ones count from a given moment, so that the same question about the same memories has the same answer at any hour.
Invariant: pure; a span is half open, in unix seconds, UTC.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator

from streams.retrieval.cues import MONTHS

Span = tuple[int, int]
DAY = 86_400
MAX_SPANS = 4
_MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTHS)
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_NUMBERS |= {"nine": 9, "ten": 10, "eleven": 11, "twelve": 12}
_UNIT = {"day": 1, "week": 7, "month": 30, "year": 365}
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\b\.?,?(?: (\d{{4}}))?")
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}}))?")
_MONTH_ALONE = re.compile(
    rf"\b(?:(?:in|of|during|since|late|early|mid|last|this) )({_MONTH})\b(?! \d{{1,2}}\b)|\b({_MONTH}),? (\d{{4}})\b"
)
_MONTH_YEAR = re.compile(rf"\b({_MONTH}),?(?: of)? (\d{{4}})\b")
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_AGO = re.compile(rf"\b(\d{{1,3}}|{'|'.join(_NUMBERS)}) (day|week|month|year)s? ago\b")
_LAST = re.compile(r"\b(last|this|past|previous) (week|weekend|month|year)\b")
_NEAR = re.compile(r"\b(today|yesterday|tonight)\b")


def spans(question: str, now: int) -> list[Span]:
    """Spans named, the most exact kinds first; at most MAX_SPANS. What is no date of the calendar is passed over."""
    text = " ".join(question.lower().split())
    found: list[Span] = []
    for read in (_days, _months, _years, _relative):
        for span, taken in list(read(text, now)):
            found.append(span)
            text = text.replace(taken, " ", 1)
    return found[:MAX_SPANS]


def _days(text: str, now: int) -> Iterator[tuple[Span, str]]:
    for match in _ISO.finditer(text):
        yield from _of_day(int(match[1]), int(match[2]), int(match[3]), match[0])
    for match in _DAY_FIRST.finditer(text):
        month = _month(match[2])
        yield from _of_day(_year(match[3], month, now), month, int(match[1]), match[0])
    for match in _MONTH_FIRST.finditer(text):
        month = _month(match[1])
        yield from _of_day(_year(match[3], month, now), month, int(match[2]), match[0])


def _months(text: str, now: int) -> Iterator[tuple[Span, str]]:
    for match in _MONTH_YEAR.finditer(text):
        yield from _of_month(int(match[2]), _month(match[1]), match[0])
    if _MONTH_YEAR.search(text):
        return
    for match in _MONTH_ALONE.finditer(text):
        month = _month(match[1] or match[2])
        yield from _of_month(_year(match[3], month, now), month, match[0])


def _years(text: str, _: int) -> Iterator[tuple[Span, str]]:
    for match in _YEAR.finditer(text):
        year = int(match[1])
        yield (_start(year, 1, 1), _start(year + 1, 1, 1)), match[0]


def _relative(text: str, now: int) -> Iterator[tuple[Span, str]]:
    today = now - now % DAY
    for match in _AGO.finditer(text):
        count = _NUMBERS.get(match[1]) or int(match[1])
        unit = _UNIT[match[2]] * DAY
        middle = today - count * unit
        yield (middle - unit // 2, middle + max(DAY, unit // 2)), match[0]
    for match in _LAST.finditer(text):
        days = _UNIT["week" if match[2] == "weekend" else match[2]] * DAY
        end = now + 1
        yield ((end - days, end) if match[1] in ("this", "past") else (end - 2 * days, end)), match[0]
    for match in _NEAR.finditer(text):
        begin = today - DAY if match[1] == "yesterday" else today
        yield (begin, begin + DAY), match[0]


def _of_day(year: int, month: int, day: int, taken: str) -> Iterator[tuple[Span, str]]:
    if 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]:
        begin = _start(year, month, day)
        yield (begin, begin + DAY), taken


def _of_month(year: int, month: int, taken: str) -> Iterator[tuple[Span, str]]:
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    yield (_start(year, month, 1), _start(*after, 1)), taken


def _month(name: str) -> int:
    return next(number for number, full in enumerate(MONTHS, 1) if full.startswith(name))


def _year(said: str | None, month: int, now: int) -> int:
    """The year said, or that of the last such month that has begun."""
    if said:
        return min(9_998, max(1, int(said)))
    today = dt.datetime.fromtimestamp(min(max(now, 0), 250_000_000_000), dt.UTC)
    return today.year if month <= today.month else today.year - 1


def _start(year: int, month: int, day: int) -> int:
    return calendar.timegm((min(9_999, max(1, year)), month, day, 0, 0, 0))
