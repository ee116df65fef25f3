"""Pages of metrics: read as prometheus_client's own parser reads them, and refused where they are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.ops.alerts.page import PageReader
from streams.ops.alerts.series import Sample


class All:
    """Every name."""

    def __contains__(self, name: object) -> bool:
        return True


def parsed(text: str, at: float) -> list[Sample]:
    return [
        Sample(sample.name, tuple(sorted({**sample.labels, "target": "t"}.items())), at, float(sample.value))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


@given(st.lists(st.tuples(st.text(max_size=8), st.floats(allow_nan=False)), min_size=1, max_size=5))
def test_pages_are_read_as_the_library_reads_them_the_first_time_and_after(values: list[tuple[str, float]]) -> None:
    registry = CollectorRegistry()
    level = Gauge("monmouth_level", "A level.", ["l"], registry=registry)
    moved = Counter("monmouth_moves_total", "Moves.", registry=registry)
    took = Histogram("monmouth_took_ms", "Time.", buckets=(1, 10), registry=registry)
    reader = PageReader("t", All())
    for at, (label, value) in enumerate(values):
        level.labels(label).set(value)
        moved.inc()
        took.observe(abs(value))
        text = generate_latest(registry).decode()
        assert sorted(reader.read(text, at), key=repr) == sorted(parsed(text, at), key=repr)


def test_only_what_is_wanted_is_read() -> None:
    reader = PageReader("t", {"a"})
    for _ in range(2):
        assert [sample.name for sample in reader.read('a 1\nb 2\na{x="y z"} 3\n', 0)] == ["a", "a"]


def test_a_line_with_a_time_is_read_anew_each_time() -> None:
    reader = PageReader("t", {"a"})
    assert [s.value for s in reader.read("a 1 1000\n", 0)] == [1]
    assert [s.value for s in reader.read("a 2 1000\n", 0)] == [2]
    assert [s.value for s in reader.read("a 1 2000\n", 0)] == [1]


@pytest.mark.parametrize("text", ["<html>", "a one\n", 'a{b="c} 1\n', "{} 1"])
def test_what_is_no_page_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        list(PageReader("t", All()).read(text, 0))
