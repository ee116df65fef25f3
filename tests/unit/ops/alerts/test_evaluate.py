"""What expressions come to on given samples."""

from __future__ import annotations

import math

import pytest

from streams.ops.alerts.evaluate import evaluate, holding, increase
from streams.ops.alerts.expression import Metric, parse
from streams.ops.alerts.series import Sample, Series

NOW = 1_000.0


def series(**pasts: list[float] | dict[str, list[float]]) -> Series:
    """Values a second apart, the last one now; by the label ``l`` where there are several."""
    found = Series(600)
    for name, past in pasts.items():
        for label, values in (past if isinstance(past, dict) else {"": past}).items():
            labels = (("l", label),) if label else ()
            found.add(Sample(f"monmouth_{name}", labels, NOW - len(values) + 1 + at, value) for at, value in enumerate(values))
    return found


def value(text: str, past: Series) -> object:
    return evaluate(parse(text), past, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", 4.0),
        ("avg(a[10s])", 2.5),
        ("min(a[10s])", 1.0),
        ("max(a[10s])", 4.0),
        ("sum(a[2s])", 9.0),
        ("count(a[1s])", 2.0),
        ("last(a[10s])", 4.0),
        ("delta(a[10s])", 3.0),
        ("increase(a[10s])", 3.0),
        ("rate(a[10s])", 1.0),
        ("deriv(a[10s])", 1.0),
        ("predict_linear(a[10s], 1m)", 64.0),
        ("abs(1 - a)", 3.0),
        ("a * 2 + 1", 9.0),
        ("0 - a", -4.0),
    ],
)
def test_functions_over_time(text: str, expected: float) -> None:
    assert value(text, series(a=[1.0, 2.0, 3.0, 4.0])) == {(): expected}


def test_a_trend_is_the_line_that_fits_best() -> None:
    past = series(a=[0.0, 4.0, 2.0, 6.0])
    assert value("deriv(a[10s])", past) == {(): pytest.approx(1.6)}
    assert value("predict_linear(a[10s], 10s)", past) == {(): pytest.approx(5.4 + 16)}
    assert value("deriv(a[10s])", series(a=[1.0])) == {}, "one value has no slope"


@pytest.mark.parametrize("last", [math.inf, -math.inf, math.nan, 1e308])
@pytest.mark.parametrize("text", ["deriv(a[10s])", "predict_linear(a[10s], 4h)"])
def test_what_no_line_fits_has_no_trend(text: str, last: float) -> None:
    assert value(text, series(a=[1.0, last, last])) == {}
    assert holding(parse(f"{text} > 1"), series(a=[1.0, last, last]), NOW) == {}


def test_growth_by_labels_is_a_sum_and_a_percentile_is_of_all_together() -> None:
    past = Series(600)
    for n, slow in (("1", 0.0), ("2", 1.0)):
        for at in range(11):
            for le, count in (("50.0", 10 - 10 * slow), ("100.0", 10.0), ("+Inf", 10.0)):
                labels = (("kind", "k"), ("le", le), ("n", n))
                past.add([Sample("monmouth_took_ms_bucket", labels, NOW - 10 + at, count * at)])
            past.add([Sample("monmouth_done_total", (("kind", "k"), ("n", n)), NOW - 10 + at, 2.0 * at)])
    together = (("kind", "k"),)
    assert value("increase(done_total[10s]) by (kind)", past) == {together: 40.0}
    assert value("rate by (kind) (done_total[10s])", past) == {together: pytest.approx(4.0)}
    assert value("p90(took_ms[10s]) by (kind)", past) == {together: pytest.approx(90.0)}
    apart = value("p90(took_ms[10s])", past)
    assert isinstance(apart, dict)
    assert sorted(apart.values()) == [pytest.approx(45.0), pytest.approx(95.0)]


def test_unless_keeps_what_the_other_side_has_not() -> None:
    past = series(a={"x": [9.0], "y": [9.0]}, b={"x": [9.0], "y": [1.0]})
    x, y = (("l", "x"),), (("l", "y"),)
    assert value("a > 5 unless b > 5", past) == {y: 9.0}
    assert value("a > 5 unless sum(b) > 5", past) == {}
    assert value("a > 5 unless sum(b) > 50", past) == {x: 9.0, y: 9.0}
    assert value("sum(a) > 5 unless b > 5", past) == {}
    assert value("sum(a) > 5 unless b > 50", past) == {(): 18.0}
    assert value("1 > 0 unless 2 > 1", past) == 0.0


def test_an_aggregate_by_labels_has_a_value_for_each_set_of_them() -> None:
    past = Series(600)
    for agent, partition, number in [("m", "0", 3.0), ("m", "1", 7.0), ("i", "0", 1.0), ("i", "1", math.nan)]:
        past.add([Sample("monmouth_a", (("agent", agent), ("partition", partition)), NOW, number)])
    assert value("max by (agent) (a)", past) == {(("agent", "m"),): 7.0, (("agent", "i"),): 1.0}
    assert value("count by (partition) (a)", past) == {(("partition", "0"),): 2.0, (("partition", "1"),): 1.0}
    assert value("max by (other) (a)", past) == {(): 7.0}, "a label that none has"
    assert value("max by (agent) (none)", past) == {}


def test_a_counter_that_falls_began_anew() -> None:
    assert increase([5.0, 7.0, 1.0, 2.0]) == 4.0


def test_comparisons_keep_the_series_for_which_they_hold() -> None:
    past = series(a={"x": [1.0], "y": [5.0]}, b={"x": [9.0]})
    assert value("a > 2", past) == {(("l", "y"),): 5.0}
    assert value("2 < a", past) == {(("l", "y"),): 5.0}
    assert value("b - a", past) == {(("l", "x"),): 8.0}
    assert value("a > 0 and b > 0", past) == {(("l", "x"),): 1.0}
    assert value("a > 0 and sum(a) > 5", past) == {(("l", "x"),): 1.0, (("l", "y"),): 5.0}
    assert value("a > 0 and sum(a) > 6", past) == {}
    assert value("b or a", past) == {(("l", "x"),): 9.0, (("l", "y"),): 5.0}
    assert value('a{l!="x"}', past) == {(("l", "y"),): 5.0}
    assert value("sum(a)", past) == {(): 6.0}
    assert value("count(nothing)", past) == {}


def test_what_has_no_data_is_not_there() -> None:
    past = series(a=[1.0])
    assert holding(parse("missing < 5"), past, NOW) == {}
    assert holding(parse("a < 5"), past, NOW + 31) == {}, "its source is silent"
    assert value("rate(a[10s])", past) == {}, "one sample says nothing of a rate"
    assert holding(parse("a / 0 > 1"), past, NOW) == {}
    assert holding(parse("a / 0"), past, NOW) == {}
    assert holding(parse("1 > 0"), past, NOW) == {(): 1.0}
    assert holding(parse("1 > 2"), past, NOW) == {}


def buckets(*counts: float) -> Series:
    past = Series(600)
    for bound, count in zip(("10.0", "100.0", "+Inf"), counts, strict=True):
        labels = (("le", bound), ("l", "x"))
        past.add([Sample("monmouth_h_bucket", labels, NOW - 10, 5.0), Sample("monmouth_h_bucket", labels, NOW, 5.0 + count)])
    return past


def test_percentiles_are_those_of_the_range_and_not_of_all_time() -> None:
    assert value("p50(h[60s])", buckets(0, 10, 10)) == {(("l", "x"),): 55.0}
    assert value("p95(h[60s])", buckets(10, 10, 10)) == {(("l", "x"),): 9.5}
    assert value("p95(h[60s])", buckets(0, 0, 10)) == {(("l", "x"),): 100.0}, "no more than the highest bound is known"
    assert value("p95(h[60s])", buckets(0, 0, 0)) == {}, "nothing happened"


def test_short_names() -> None:
    past = Series(600)
    for status, count in (("200", 90.0), ("500", 10.0)):
        labels = (("status", status),)
        past.add([Sample("monmouth_http_request_latency_ms_count", labels, NOW - at, count * (10 - at)) for at in (10, 0)])
    assert value("error_rate", past) == {(): pytest.approx(0.1)}
    assert value("availability_percentage", past) == {(): pytest.approx(90.0)}
    calm = Series(600)
    calm.add([Sample("monmouth_http_request_latency_ms_count", (("status", "200"),), NOW - at, 10.0 - at) for at in (5, 0)])
    assert value("error_rate", calm) == {(): 0.0}
    assert holding(parse("error_rate > 0.1"), calm, NOW) == {}


def test_the_past_is_bounded() -> None:
    past = Series(10, limit=2)
    past.add(Sample("monmouth_a", (), float(at), float(at)) for at in range(100))
    (times, _) = past.window(Metric("monmouth_a", (), 3_600.0), 99.0)[()]
    assert times[0] >= 89.0
    past.add([Sample("monmouth_b", (), 99.0, 1.0), Sample("monmouth_c", (), 99.0, 1.0)])
    assert past.refused == 1
    past.forget(200.0)
    past.add([Sample("monmouth_c", (), 200.0, 1.0)])
    assert past.refused == 1
    assert math.isclose(past.newest(Metric("monmouth_c"), 200.0)[()], 1.0)
