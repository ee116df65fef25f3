"""Reads one partition's logs from the broker for ``verify``; one process each, since recomputing costs as much as computing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from schemas.codec import codec
from streams import topics
from streams.core.checkpoint import TIP, slot_key
from streams.core.segment import Assembler, Unit
from streams.errors import LogIntegrityError
from streams.ports.log import LogReader, TopicPartition
from streams.runtime.decode import decode
from streams.runtime.kafka import KafkaClient
from streams.settings import KafkaSettings
from tests.chainlog import VERIFIER
from tests.scale.ledger import COUNTS, ENTRIES, EVENTS, Ledger
from tests.scale.verify import Check, Verdict


async def units(reader: LogReader, topic: str, partition: int) -> AsyncIterator[Unit]:
    """Every unit of a marked log, each checked. Raises LogIntegrityError."""
    source = TopicPartition(topic, partition)
    first, stop = (await reader.bounds([source]))[source]
    assembler = Assembler(topic, partition, first, lambda record: VERIFIER.verify("Marker", record.value, record.raw), first=0)
    async for messages in reader.read_range(source, first, stop):
        for unit in assembler.feed(decode(source, messages)):
            yield unit
    if assembler.waiting:
        raise LogIntegrityError(f"{topic}/{partition}: {assembler.waiting} records and no marker behind them")


async def newest(reader: LogReader, topic: str, partition: int) -> dict[bytes, Any]:
    """Newest record of each key."""
    source = TopicPartition(topic, partition)
    first, stop = (await reader.bounds([source]))[source]
    found: dict[bytes, bytes | None] = {}
    async for messages in reader.read_range(source, first, stop):
        found.update((message.key, message.value) for message in messages if message.key is not None)
    return {key: codec().decode(value)[1] for key, value in found.items() if value is not None}


async def check(settings: KafkaSettings, partition: int) -> Verdict:
    client = KafkaClient(settings)
    one, other = client.reader(), client.reader()
    checked = Check(partition)
    try:
        source, output = units(one, EVENTS, partition), units(other, ENTRIES, partition)
        while True:
            pair = await anext(source, None), await anext(output, None)
            if pair == (None, None):
                break
            checked.pair(*pair)
        slots = await newest(one, topics.CHECKPOINTS, partition)
        checked.standing(await newest(one, COUNTS, partition), slots.get(slot_key(Ledger.name, partition, TIP)))
    except LogIntegrityError as error:
        checked.verdict.find("marker mismatch", str(error))
    finally:
        await one.close()
        await other.close()
    return checked.verdict


def _check(bootstrap: str, prefix: str, partition: int) -> Verdict:
    return asyncio.run(check(KafkaSettings(bootstrap=bootstrap, prefix=prefix), partition))


async def check_all(settings: KafkaSettings, partitions: int, processes: int) -> list[Verdict]:
    """A verdict for each partition."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = [
            loop.run_in_executor(pool, _check, settings.bootstrap, settings.prefix, partition)
            for partition in range(partitions)
        ]
        return list(await asyncio.gather(*jobs))
