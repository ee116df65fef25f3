"""Which series a rule looks at is found once, and stays right as series come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.ops.alerts.expression import Matcher, Metric
from streams.ops.alerts.series import Sample, Series

KEEP = 10.0
METRICS = [
    Metric("m"),
    Metric("m", (Matcher("l", "=", "a"),)),
    Metric("m", (Matcher("l", "!=", "a"),)),
    Metric("m", (Matcher("l", "=~", "a|b"), Matcher("k", "=", ""))),
]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x"]), st.floats(0, 8)), max_size=30))
def test_matching_is_what_a_look_at_every_series_would_find(steps: list[tuple[str, str, float]]) -> None:
    series, seen, now = Series(KEEP), dict[tuple[tuple[str, str], ...], tuple[float, float]](), 0.0
    for value, (letter, other, wait) in enumerate(steps):
        now += wait
        series.forget(now)
        seen = {labels: past for labels, past in seen.items() if past[0] >= now - KEEP}
        labels = (("l", letter), *([("k", other)] if other else []))
        series.add([Sample("m", labels, now, value)])
        seen[labels] = now, value
        for metric in METRICS:
            expected = {
                labels: past[1]
                for labels, past in seen.items()
                if all(matcher.matches(dict(labels)) for matcher in metric.matchers)
            }
            assert series.newest(metric, now) == expected
