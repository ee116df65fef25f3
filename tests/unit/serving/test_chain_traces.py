"""The gateway's view of the chain goes on with the trace that a notification carries."""

from __future__ import annotations

from types import SimpleNamespace

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from schemas.codec import codec
from streams.serving.chain import ChainTail
from streams.settings import KafkaSettings
from streams.signing import Signer, Verifier
from streams.tracing import Tracing, using
from tests.steps import block, notification, step_new

SIGNER = Signer(b"\x05" * 32)
PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_traced_notification_gets_a_span_and_garbage_none() -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tail = ChainTail(KafkaSettings(), Verifier([SIGNER.public]), 1.0)
    value = codec().encode(
        "BlockNotification", SIGNER.sign("BlockNotification", notification(step_new(0, block(0, 0, bytes(32)))))
    )
    headers = [("traceparent", PARENT)]
    records = [
        SimpleNamespace(value=one, headers=headers, partition=0, offset=at, timestamp=0)
        for at, one in enumerate((value, b"junk"))
    ]
    with using(Tracing(provider)):
        await tail._fold(records)
    (span,) = kept.get_finished_spans()
    assert span.name == "gateway"
    assert span.parent is not None and format(span.parent.span_id, "016x") == "b7ad6b7169203331"
    assert tail.view.head is not None and span.attributes is not None
    assert span.attributes["monmouth.block"] == tail.view.head.hash.hex()
