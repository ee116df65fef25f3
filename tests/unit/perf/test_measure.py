"""A rate is held to what is aimed at, and says so when it is missed."""

from __future__ import annotations

from perf.measure import Figure, told


def test_what_is_aimed_at_is_met_or_missed() -> None:
    assert told(Figure("ours", 700, cpu=1.0), 600, "events").endswith("700, 117% of it: met")
    assert told(Figure("ours", 300, cpu=1.0), 600, "events").endswith("300, 50% of it: missed")
    assert told(Figure("ours", 300), 600, "events").endswith("missed"), "nothing measured is no success"
