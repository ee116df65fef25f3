"""One trace per block across processes: the producer's, the worker's stream agents' and, through memory.log, the next one's."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from connectors.chain.devchain import DevChain, DevNode, Step
from connectors.chain.devchain.steps import StepKind
from streams.settings import Settings
from streams.topics import BLOCKS, TRANSACTIONS, physical
from tests.e2e.processes import running
from tests.otlp import Receiver, Span, receiver

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

STAGES = {"intent", "memory", "lattice"}


def traces(found: Receiver) -> dict[bytes, list[Span]]:
    by: dict[bytes, list[Span]] = {}
    for span in found.spans:
        by.setdefault(span.trace, []).append(span)
    return by


def whole(found: Receiver) -> list[list[Span]]:
    return [spans for spans in traces(found).values() if STAGES | {"producer"} <= {span.name for span in spans}]


async def test_a_blocks_trace_goes_through_the_topics_from_process_to_process(kafka_settings: Settings) -> None:
    settings = kafka_settings
    with receiver() as otlp:
        settings.tracing.endpoint = otlp.url
        async with DevNode(DevChain(7, agents=4, transactions=4)) as node:
            settings.chain.rpc_url, settings.chain.poll_interval = node.url, 0.1
            async with (
                running(settings, "producer") as producer,
                running(settings, "worker", "--agents", ",".join(sorted(STAGES))) as worker,
            ):
                async with asyncio.timeout(90):
                    while len(whole(otlp)) < 3:
                        producer.check()
                        worker.check()
                        for _ in node.apply(Step(StepKind.ADVANCE)):
                            pass
                        await asyncio.sleep(0.5)
    for spans in whole(otlp):
        (root,) = [span for span in spans if span.name == "producer"]
        assert (root.parent, root.service) == (b"", "monmouth-producer")
        block = root.attributes["monmouth.block"]
        assert {span.attributes["monmouth.block"] for span in spans} == {block}
        memories = {span.attributes["monmouth.partition"]: span.id for span in spans if span.name == "memory"}
        for span in spans:
            if span.name in {"intent", "memory"}:
                assert (span.parent, span.service) == (root.id, "monmouth-worker")
            if span.name == "lattice":
                assert span.parent == memories[span.attributes["monmouth.partition"]], "it reads what memory wrote"
    names = [physical(settings.kafka.prefix, topic) for topic in (BLOCKS, TRANSACTIONS)]
    options = {"bootstrap_servers": settings.kafka.bootstrap, "auto_offset_reset": "earliest"}
    async with AIOKafkaConsumer(*names, **options) as consumer:
        records = [one for some in (await consumer.getmany(timeout_ms=5_000)).values() for one in some]
    assert {bool(one.headers) for one in records if one.topic.endswith(TRANSACTIONS) and one.key is not None} <= {False}
    marked = [dict(one.headers)["traceparent"] for one in records if one.headers]
    assert marked and all(len(value) == 55 and value.startswith(b"00-") for value in marked)
