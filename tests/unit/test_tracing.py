"""Tracing: off it is nothing at all; on, spans of a batch are few, and what others wrote in a header breaks nothing."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streams.errors import ConfigurationError
from streams.settings import Settings, TracingSettings
from streams.tracing import MOST_LINKS, MOST_SPANS, BlockSpans, Tracing, appending, current, parent_of, traced, using

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ON = Settings(tracing=TracingSettings(endpoint="http://127.0.0.1:1"))


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(kept: InMemorySpanExporter) -> Tracing:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return Tracing(provider)


class Batch:
    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []

    def append(self, **said: Any) -> None:
        self.taken.append(said)


def test_off_nothing_is_imported_and_records_are_appended_as_ever() -> None:
    with traced(Settings(), "worker", "w"):
        assert current() is None
    batch = Batch()
    assert appending(batch, {}) == batch.append
    code = "import sys, streams.cli.worker, streams.cli.producer; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_only_the_records_named_carry_a_header() -> None:
    batch = Batch()
    append = appending(batch, {b"marker": [("traceparent", PARENT)]})
    append(timestamp=None, key=b"k", value=b"record")
    append(timestamp=None, key=None, value=b"marker")
    assert [list(said["headers"]) for said in batch.taken] == [[], [("traceparent", PARENT)]]


def test_a_span_goes_on_where_the_header_says(tracing: Tracing, kept: InMemorySpanExporter) -> None:
    span = tracing.begin("memory", PARENT, number=3)
    ((name, value),) = tracing.headers(span)
    span.end()
    (found,) = kept.get_finished_spans()
    assert name == "traceparent" and value.startswith(PARENT[:36]) and value != PARENT
    assert found.parent is not None and format(found.parent.span_id, "016x") == "b7ad6b7169203331"
    assert found.attributes == {"monmouth.number": 3}


@pytest.mark.parametrize("value", [b"", b"junk", b"\xff\xfe", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"x" * 10_000])
def test_a_header_that_says_nothing_begins_a_trace_of_its_own(tracing: Tracing, value: bytes) -> None:
    assert parent_of(SimpleNamespace(headers=[("other", b"x"), ("traceparent", value)])) == value
    span = tracing.begin("memory", value)
    assert span.get_span_context().is_valid and span.parent is None
    span.end()


def test_records_without_headers_have_no_parent() -> None:
    assert parent_of(SimpleNamespace(headers=())) is None
    assert parent_of(SimpleNamespace(headers=[("other", b"x")])) is None


def test_a_large_batch_gets_few_spans_and_links_for_the_rest(tracing: Tracing, kept: InMemorySpanExporter) -> None:
    count = MOST_SPANS + MOST_LINKS + 5
    spans = BlockSpans(tracing, "memory", [(bytes([0, at]), at, PARENT) for at in range(count)], partition=1)
    assert len(spans.headers) == MOST_SPANS
    spans.end()
    *single, linked = kept.get_finished_spans()
    assert len(single) == MOST_SPANS
    assert len(linked.links) == MOST_LINKS
    assert linked.attributes == {"monmouth.partition": 1, "monmouth.links_left_out": 5}


def test_what_failed_says_so_without_its_text(tracing: Tracing, kept: InMemorySpanExporter) -> None:
    BlockSpans(tracing, "memory", [(b"h", 1, PARENT)]).end(ValueError("a secret"))
    (found,) = kept.get_finished_spans()
    assert not found.status.is_ok
    assert "secret" not in found.to_json()


def test_using_ends_with_its_block(tracing: Tracing) -> None:
    with using(tracing):
        assert current() is tracing
    assert current() is None


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigurationError) as refused, traced(ON, "worker", "w"):
        raise AssertionError
    assert "monmouth[tracing]" in refused.value.hint
