"""Traces across the topics: what became of a block, from the producer through stream agents to what reads see.

The context travels as W3C ``traceparent`` in the headers of markers and notifications, of which there is one per block and
partition, never in records. Invariants: off, as it is unless ``tracing.endpoint`` is set, nothing is imported, no header is
written or looked for, and no record costs more; on, a batch of blocks gets one span per block up to ``MOST_SPANS`` and one that
links to the others; an exporter that is away never holds up the work, spans are dropped instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from streams.errors import ConfigurationError
from streams.settings import Settings

HEADER = "traceparent"
MOST_SPANS = 32
MOST_LINKS = 128

Headers = list[tuple[str, bytes]]


class Tracing:
    """``provider``: of OpenTelemetry's SDK."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._trace = trace
        self._tracer = provider.get_tracer("monmouth")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, name: str, parent: bytes | None = None, **attributes: str | int) -> Any:
        """A span that begins now; ``parent``: its traceparent."""
        return self._tracer.start_span(name, context=self._context(parent), attributes=_named(attributes))

    def linked(self, name: str, others: Iterable[bytes], began_ns: int, **attributes: str | int) -> None:
        """One span for many blocks, from ``began_ns`` to now."""
        contexts = [self._trace.get_current_span(self._context(other)).get_span_context() for other in others]
        links = [self._trace.Link(context) for context in contexts[:MOST_LINKS] if context.is_valid]
        attributes["links_left_out"] = len(contexts) - len(links)
        self._tracer.start_span(name, links=links, start_time=began_ns, attributes=_named(attributes)).end()

    def headers(self, span: Any) -> Headers:
        """What a record carries on, for the spans of who reads it."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, self._trace.set_span_in_context(span))
        return [(HEADER, carrier[HEADER].encode())] if HEADER in carrier else []

    def _context(self, parent: bytes | None) -> Any:
        return self._propagator.extract({HEADER: parent.decode("ascii", "replace")}) if parent else None

    def failed(self, span: Any, error: BaseException) -> None:
        """Ends a span of what did not happen."""
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, type(error).__name__))
        span.end()


_current: list[Tracing] = []


def current() -> Tracing | None:
    """None where tracing is off."""
    return _current[-1] if _current else None


def parent_of(record: Any) -> bytes | None:
    """The traceparent that a record of the client carries."""
    for name, value in record.headers or ():
        if name == HEADER:
            return bytes(value)
    return None


def appending(batch: Any, headers: Mapping[bytes, Headers]) -> Callable[..., Any]:
    """How records are put into a batch of the client: those whose value is in ``headers`` with theirs."""
    append: Callable[..., Any] = batch.append
    if not headers:
        return append

    def traced(*, timestamp: int | None, key: bytes | None, value: bytes | None) -> Any:
        return append(timestamp=timestamp, key=key, value=value, headers=headers.get(value or b"", []))

    return traced


@contextmanager
def using(tracing: Tracing) -> Iterator[None]:
    """Traces with it until the end of the block."""
    _current.append(tracing)
    try:
        yield
    finally:
        _current.remove(tracing)


@contextmanager
def traced(settings: Settings, component: str, instance: str) -> Iterator[None]:
    """Traces this process for the block, where the settings name an endpoint. Raises ConfigurationError without the extra."""
    if not settings.tracing.endpoint:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            "tracing.endpoint is set, and OpenTelemetry is not installed", "Install it: pip install 'monmouth[tracing]'"
        ) from None
    resource = Resource.create({"service.name": f"monmouth-{component}", "service.instance.id": instance})
    sampler = ParentBased(TraceIdRatioBased(settings.tracing.share))
    provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{settings.tracing.endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
    try:
        with using(Tracing(provider)):
            yield
    finally:
        provider.shutdown()


def _named(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {f"monmouth.{name}": value for name, value in attributes.items()}


Traced = tuple[bytes, int, bytes]
"""Hash, number and traceparent of a block."""


class BlockSpans:
    """Spans of one batch of blocks in one stage; ``headers`` by block hash, for what is written about them."""

    def __init__(
        self, tracing: Tracing, stage: str, blocks: Sequence[tuple[bytes, int, bytes]], **attributes: str | int
    ) -> None:
        """``blocks``: hash, number and traceparent of each."""
        self._tracing = tracing
        self._stage = stage
        self._attributes = attributes
        self._began = time.time_ns()
        self._rest = [parent for _, _, parent in blocks[MOST_SPANS:]]
        self._spans = {
            hash_: tracing.begin(stage, parent, block=hash_.hex(), number=number, **attributes)
            for hash_, number, parent in blocks[:MOST_SPANS]
        }
        self.headers = {hash_: tracing.headers(span) for hash_, span in self._spans.items()}

    def end(self, error: BaseException | None = None) -> None:
        """What the batch did is done, or not."""
        for span in self._spans.values():
            if error is None:
                span.end()
            else:
                self._tracing.failed(span, error)
        if self._rest and error is None:
            self._tracing.linked(self._stage, self._rest, self._began, **self._attributes)
