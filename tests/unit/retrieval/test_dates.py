"""Spans of time in questions."""

from __future__ import annotations

import calendar

import pytest

from streams.retrieval.dates import DAY, MAX_SPANS, spans

NOW = calendar.timegm((2023, 8, 20, 15, 0, 0))


def day(year: int, month: int, date: int) -> int:
    return calendar.timegm((year, month, date, 0, 0, 0))


@pytest.mark.parametrize(
    ("question", "begin", "end"),
    [
        ("what was it on October 13, 2022?", day(2022, 10, 13), day(2022, 10, 14)),
        ("what was it on 13 October 2022", day(2022, 10, 13), day(2022, 10, 14)),
        ("on the 3rd of may", day(2023, 5, 3), day(2023, 5, 4)),
        ("on 2022-12-31", day(2022, 12, 31), day(2023, 1, 1)),
        ("what happened in May 2023", day(2023, 5, 1), day(2023, 6, 1)),
        ("in December", day(2022, 12, 1), day(2023, 1, 1)),
        ("in 2021?", day(2021, 1, 1), day(2022, 1, 1)),
        ("yesterday", day(2023, 8, 19), day(2023, 8, 20)),
        ("what did he do this week", NOW + 1 - 7 * DAY, NOW + 1),
        ("three days ago", day(2023, 8, 17) - DAY // 2, day(2023, 8, 17) + DAY),
    ],
)
def test_span(question: str, begin: int, end: int) -> None:
    assert spans(question, NOW) == [(begin, end)]


@pytest.mark.parametrize("question", ["may I ask?", "February 31, 2023 or 2023-13-45", "version 20", "", "march on"])
def test_what_is_no_date_names_no_day(question: str) -> None:
    assert all(end - begin >= 365 * DAY for begin, end in spans(question, NOW))


def test_a_question_full_of_dates_costs_no_more() -> None:
    assert len(spans(" ".join(f"in {year}" for year in range(1950, 2050)), NOW)) == MAX_SPANS


def test_any_moment_will_do() -> None:
    for now in (-(1 << 40), 0, 1 << 60):
        assert isinstance(spans("in May, or last week", now), list)
