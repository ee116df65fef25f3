"""Writes the input of a scale run. argv: settings as JSON, records, events of a block and partition, seed.

Prints a line of JSON now and then: {"records": so far}. Idempotent, acknowledged by all in-sync replicas; a broker that dies
meanwhile costs time, and what cannot be written ends it with an error.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from aiokafka import AIOKafkaProducer

from streams.settings import Settings
from streams.topics import physical
from tests.scale.history import Size, history
from tests.scale.ledger import EVENTS

REQUEST_MS = 120_000
AHEAD = 64
"""Batches under way at most, so that memory stays flat."""


async def write(settings: Settings, size: Size, seed: int) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka.bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=256 * 1024,
        request_timeout_ms=REQUEST_MS,
        metadata_max_age_ms=5_000,
    )
    await producer.start()
    topic, sent, told = physical(settings.kafka.prefix, EVENTS), [], time.monotonic()
    records = 0
    try:
        for records, parts in history(size, seed):
            for partition, pairs in enumerate(parts):
                batch = producer.create_batch()
                for key, value in pairs:
                    assert batch.append(timestamp=None, key=key, value=value) is not None, "a block fits a batch"
                sent.append(await producer.send_batch(batch, topic, partition=partition))
            if len(sent) >= AHEAD:
                await asyncio.gather(*sent)
                sent.clear()
            if time.monotonic() - told > 1:
                print(json.dumps({"records": records}), flush=True)
                told = time.monotonic()
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    print(json.dumps({"records": records}), flush=True)


if __name__ == "__main__":
    said = Settings.model_validate_json(sys.argv[1])
    asyncio.run(write(said, Size(int(sys.argv[2]), said.kafka.partitions, int(sys.argv[3])), int(sys.argv[4])))
