"""Objectives: what they count of a report, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.ops.reports import MetricReport, MetricSample
from streams.ops.slo.objectives import default_objectives, load_objectives, named, objectives_of
from tests.exporter import exporting
from tests.monitoring import scraped

ROW = '[[objective]]\nname = "a"\ntarget = 0.9\ntotal = "t"\nbad = "b"\n'


def report(**values: float) -> MetricReport:
    names = {
        "ok": ("monmouth_http_request_latency_ms_count", {"status": "200", "route": "/x"}),
        "failed": ("monmouth_http_request_latency_ms_count", {"status": "503", "route": "/x"}),
        "asked": ("monmouth_rag_query_latency_ms_count", {}),
        "quick": ("monmouth_rag_query_latency_ms_bucket", {"le": "100.0"}),
        "slower": ("monmouth_rag_query_latency_ms_bucket", {"le": "200.0"}),
    }
    return MetricReport(
        "g", "1", 1, tuple(MetricSample(names[key][0], "COUNTER", names[key][1], values[key]) for key in values)
    )


def test_what_the_default_objectives_count() -> None:
    availability, latency, errors = default_objectives()
    assert (availability.target, latency.target, errors.target) == (0.999, 0.95, 0.999)
    assert availability.counted(report(ok=90, failed=10)) == (100, 10)
    assert availability.counted(report(ok=90)) == (90, 0)
    assert availability.counted(report(asked=5)) is None
    assert latency.counted(report(asked=10, quick=7, slower=9)) == (10, 3)
    assert errors.counted(report(ok=1)) is None


def test_their_counters_are_what_processes_serve() -> None:
    with exporting() as process:
        process.run("metric('monmouth_http_request_latency_ms').labels('/x', 'GET', '503').observe(5)")
        process.run("metric('monmouth_rag_query_latency_ms').observe(250)")
        process.run("metric('monmouth_runtime_records_total').labels('memory').inc(4)")
        process.run("metric('monmouth_runtime_dead_letters_total').labels('memory').inc()")
        samples = tuple(MetricSample(name, "COUNTER", labels, value) for name, labels, value in scraped(process.target))
        found = {
            name: objective.counted(MetricReport("g", "1", 1, samples))
            for name, objective in named(default_objectives()).items()
        }
    assert found == {"availability": (1, 1), "latency": (1, 1), "errors": (4, 1)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "is not TOML"),
        ("", "holds other than"),
        (ROW * 2, "two objectives called a"),
        (ROW.replace("0.9", "1.0"), "target"),
        (ROW.replace('bad = "b"\n', ""), "give bad or good"),
        (ROW + 'good = "g"\n', "give bad or good"),
        (ROW.replace('"t"', '"rate(t[5m])"'), "is no metric"),
        (ROW.replace('"t"', '"t["'), "the expression"),
        (ROW + "colour = 1\n", "colour"),
        (ROW + "least_bad = 0\n", "least_bad"),
    ],
)
def test_what_is_wrong_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        objectives_of(text, "here")
    assert said in refused.value.message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_objectives(tmp_path / "slo.toml")
