"""Reports: what is written is read back, what is beyond a limit is cut where we write and refused where we read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import SchemaError, codec
from streams.ops import reports
from streams.ops.reports import AlertRecord, HealthPart, HealthReport, MetricReport, MetricSample, Window, series_of
from tests.samples import SAMPLES

names = st.text(max_size=30)
labels = st.dictionaries(names, names, max_size=4)
numbers = st.floats(allow_nan=False)
scores = st.floats(0, 1)
times = st.integers(0, 2**60)
statuses: Any = st.sampled_from(["healthy", "degraded", "failed"])
samples = st.builds(MetricSample, names, st.sampled_from(["COUNTER", "GAUGE", "HISTOGRAM"]), labels, numbers)
parts = st.builds(HealthPart, names, statuses, scores, names, numbers)
metric_reports = st.builds(
    MetricReport, names, names, times, st.lists(samples, max_size=4).map(tuple), times, st.integers(0, 9)
)
health_reports = st.builds(HealthReport, names, names, times, statuses, scores, st.lists(parts, max_size=4).map(tuple))
alerts = st.builds(AlertRecord, names, labels, names, st.sampled_from(["firing", "resolved"]), times, numbers, names)
windows = st.builds(
    Window, names, names, labels, st.integers(1, 3600), times, times, st.booleans(), st.integers(0, 9),
    st.dictionaries(names, numbers, max_size=4),
)  # fmt: skip
BEYOND = "x" * (reports.MOST_TEXT + 1)


@given(st.one_of(metric_reports, health_reports, alerts, windows))
def test_what_is_written_is_read_back(report: Any) -> None:
    assert type(report).from_value(report.to_value()) == report


@pytest.mark.parametrize("kind", [MetricReport, HealthReport, AlertRecord])
def test_the_sample_of_each_record_is_one(kind: Any) -> None:
    value = codec().encode(kind.__name__, SAMPLES[kind.__name__])
    assert kind.from_value(value).to_value() == value


def test_the_series_in_a_windows_record_is_that_of_its_name_and_labels() -> None:
    window = Window.from_value(codec().encode("OpsWindow", SAMPLES["OpsWindow"]))
    assert window.key == b'rate/10/monmouth_rag_queries_total{component="gateway"}/1700000000000'
    assert codec().decode(window.to_value())[1] == SAMPLES["OpsWindow"]


@given(st.tuples(names, labels), st.tuples(names, labels))
def test_two_series_have_two_texts(one: tuple[str, dict[str, str]], other: tuple[str, dict[str, str]]) -> None:
    if "{" not in one[0] + other[0] and not any(set('={},"') & set(name) for name in (*one[1], *other[1])):
        assert (series_of(*one) == series_of(*other)) == (one == other)


@pytest.mark.parametrize("count", [reports.MOST_SAMPLES + 7, reports.MOST_SAMPLES])
def test_samples_beyond_the_number_or_size_are_left_out_and_counted(count: int) -> None:
    sample = MetricSample("n", "GAUGE", {}, 1.0)
    long = replace(sample, labels={"l": BEYOND})
    wide = replace(sample, labels={str(number): "y" * reports.MOST_NAME for number in range(reports.MOST_LABELS)})
    many = MetricReport("worker", "w", 1, (long, *[sample] * count), dropped=2)
    read = MetricReport.from_value(many.to_value())
    assert (len(read.samples), read.dropped) == (reports.MOST_SAMPLES, 3 + count - reports.MOST_SAMPLES)
    heavy = MetricReport("worker", "w", 1, (wide,) * 1000)
    assert len(heavy.to_value()) <= reports.MOST_BYTES
    read = MetricReport.from_value(heavy.to_value())
    assert 100 < len(read.samples) < 1000
    assert len(read.samples) + read.dropped == 1000


def test_texts_and_parts_are_cut_and_the_worst_parts_stay() -> None:
    fine, bad = HealthPart("p", "healthy", 1.0), HealthPart("q", "failed", 0.0, BEYOND)
    report = HealthReport("c" * 500, "i", 1, "failed", 0.5, (*[fine] * reports.MOST_PARTS, bad))
    read = HealthReport.from_value(report.to_value())
    assert len(read.parts) == reports.MOST_PARTS
    assert read.parts[0].name == "q" and len(read.parts[0].detail) == reports.MOST_TEXT
    assert read.key == report.key


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("MetricReport", "component", BEYOND),
        ("MetricReport", "instance", BEYOND),
        ("MetricReport", "samples", [{"name": BEYOND, "kind": "GAUGE", "labels": {}, "value": 1.0}]),
        ("MetricReport", "samples", [{"name": "n", "kind": "GAUGE", "labels": {}, "value": 1.0}] * (reports.MOST_SAMPLES + 1)),
        ("MetricReport", "samples", [{"name": "n", "kind": "GAUGE", "labels": {"l": BEYOND * 1100}, "value": 1.0}]),
        ("HealthReport", "score", 1.5),
        ("HealthReport", "score", float("nan")),
        ("HealthReport", "parts", SAMPLES["HealthReport"]["parts"] * (reports.MOST_PARTS + 1)),
        ("HealthReport", "parts", [{**SAMPLES["HealthReport"]["parts"][0], "detail": BEYOND}]),
        ("HealthReport", "parts", [{**SAMPLES["HealthReport"]["parts"][0], "score": -1.0}]),
        ("AlertRecord", "labels", {"l": BEYOND}),
        ("AlertRecord", "labels", {str(number): "" for number in range(reports.MOST_LABELS + 1)}),
        ("AlertRecord", "summary", BEYOND),
        ("OpsWindow", "values", {str(number): 0.0 for number in range(reports.MOST_VALUES + 1)}),
        ("OpsWindow", "kind", BEYOND),
    ],
)
def test_what_is_beyond_a_limit_is_refused(name: str, field: str, value: Any) -> None:
    kind = Window if name == "OpsWindow" else getattr(reports, name)
    with pytest.raises(SchemaError):
        kind.from_value(codec().encode(name, {**SAMPLES[name], field: value}))


@pytest.mark.parametrize("kind", [MetricReport, HealthReport, AlertRecord, Window])
@pytest.mark.parametrize("value", [None, b"", b"junk", codec().encode("Erasure", SAMPLES["Erasure"])])
def test_what_is_no_such_record_is_refused(kind: Any, value: bytes | None) -> None:
    with pytest.raises(SchemaError):
        kind.from_value(value)


def test_labels_that_do_not_fit_are_no_other_alerts() -> None:
    with pytest.raises(SchemaError):
        AlertRecord("r", {"l": BEYOND}, "info", "firing", 1, 1.0).to_value()
