"""What a producer that was fenced leaves in the log of its process: nothing but its error."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import ProducerFenced

from streams.errors import FencedError
from streams.ports.log import TopicPartition
from streams.runtime.kafka.names import Names
from streams.runtime.kafka.producer import KafkaProducer
from streams.settings import KafkaSettings


async def test_batches_that_fail_together_are_one_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = KafkaProducer(KafkaSettings(), Names("p."), "agent", 0)
    accumulator = producer._producer._message_accumulator
    monkeypatch.setattr(accumulator, "_txn_manager", None)  # no broker has given it an id

    async def send_batch(batch: Any, topic: str, *, partition: int) -> Any:
        return await accumulator.add_batch(batch, KafkaPartition(topic, partition), 1)

    monkeypatch.setattr(producer._producer, "send_batch", send_batch)
    places = [TopicPartition("memory.log", number) for number in range(3)]
    sending = asyncio.create_task(producer.send({place: [(b"k", b"v")] for place in places}))
    await asyncio.sleep(0.05)
    accumulator.fail_all(ProducerFenced())
    with pytest.raises(FencedError):
        await sending
    del sending
    accumulator._batches.clear()
    gc.collect()
    await asyncio.sleep(0)
    assert not [record for record in caplog.records if "never retrieved" in record.getMessage()]
    producer._producer._closed = True  # it was never started
