"""Commands copied to a pipeline under another prefix, on a real broker."""

from __future__ import annotations

import uuid

import pytest
from aiokafka import AIOKafkaProducer

from infra.carry import carry_commands
from infra.topics import TopicError, apply
from streams.settings import KafkaSettings, Settings
from streams.topics import COMMANDS, physical
from tests.e2e.readback import read

pytestmark = pytest.mark.kafka
RECORDS = [(0, b"a", b"1"), (1, b"b", b"2"), (0, b"a", b"3"), (1, None, b"no command")]


async def write(kafka: KafkaSettings, transaction: str, commit: bool) -> None:
    """RECORDS in one transaction."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=f"{kafka.prefix}{transaction}")
    await producer.start()
    try:
        await producer.begin_transaction()
        for partition, key, value in RECORDS:
            await producer.send_and_wait(physical(kafka.prefix, COMMANDS), value, key, partition=partition)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def test_commands_are_copied_once_in_order_and_without_what_was_aborted(kafka_settings: Settings) -> None:
    old = kafka_settings.kafka
    new = old.model_copy(update={"prefix": f"t{uuid.uuid4().hex[:12]}."})
    with pytest.raises(TopicError, match="has 0 partitions"):
        await carry_commands(new, old.prefix)
    await apply(new)
    await write(old, "aborted", commit=False)
    await write(old, "committed", commit=True)
    assert await carry_commands(new, old.prefix) == len(RECORDS)
    held = {number: [(entry.key, entry.value) for entry in found] for number, found in (await read(new, COMMANDS)).items()}
    assert held == {n: [(key, value) for partition, key, value in RECORDS if partition == n] for n in (0, 1)}
    with pytest.raises(TopicError, match="is not empty"):
        await carry_commands(new, old.prefix)
