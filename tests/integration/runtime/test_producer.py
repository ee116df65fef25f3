"""The transactional producer on a real broker, where another one takes its id over in the middle of its work."""

from __future__ import annotations

import asyncio
import gc
import os

import pytest

from streams import topics
from streams.errors import FencedError
from streams.ports.log import LogError, TopicPartition
from streams.runtime.kafka.client import KafkaClient
from streams.settings import Settings

pytestmark = pytest.mark.kafka

TARGETS = [TopicPartition(topic, n) for topic in (topics.INTENTS, topics.MEMORY_LOG, topics.ROOTS) for n in range(2)]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_fenced_producer_says_so_once(kafka_settings: Settings, begun: bool) -> None:
    """Every batch in flight fails; one error is raised, and none is left that nobody looked at."""
    complaints: list[str] = []

    def complain(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if "Future exception" in str(context["message"]):  # a task of the client's own may still trip over itself
            complaints.append(str(context))

    asyncio.get_running_loop().set_exception_handler(complain)
    client = KafkaClient(kafka_settings.kafka)
    old, new = client.producer("tally", 0), client.producer("tally", 0)
    outputs = {target: [(b"k", os.urandom(400_000)) for _ in range(6)] for target in TARGETS}
    await old.start()
    await old.begin()
    if begun:
        await old.send({TARGETS[0]: [(b"k", b"v")]})
    await new.start()
    with pytest.raises((FencedError, LogError)):
        await old.send(outputs)
        await old.commit()
    await old.close()
    del old
    for _ in range(3):
        await asyncio.sleep(0.05)
        gc.collect()
    await new.begin()
    await new.send({target: [(b"k", b"v")] for target in TARGETS})
    await new.commit()
    await new.close()
    assert complaints == []
