"""Records that are tried again later, on a real broker, by two workers in turn: once each, in the order of their key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from schemas.codec import codec
from schemas.defaults import plain_command
from streams import topics
from streams.runtime.job import AgentFactory, Limits
from streams.runtime.worker import run_worker
from streams.settings import Settings
from tests.chainlog import SIGNER, VERIFIER, partition_of
from tests.integration.runtime.kafkalog import ChainWriter, read_all, wait_for
from tests.integration.runtime.test_worker import grown
from tests.unit.runtime.test_deferral import Place, Post, by_agent

pytestmark = pytest.mark.kafka
QUICK = replace(Limits(), pauses=(0.5, 1.0, 1.5))
AGENTS = [bytes([number]) * 20 for number in range(1, 4)]


@asynccontextmanager
async def posting(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(settings, [AgentFactory(Post, Post)], VERIFIER, SIGNER, stop, limits=QUICK))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def test_a_failing_receiver_and_a_restart(kafka_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    monkeypatch.setattr(Post, "place", place, raising=False)
    place.fails.update({"1-0": 2, "2-1": 1, "0-1": 99})
    texts = {agent: [f"{number}-{count}" for count in range(3)] for number, agent in enumerate(AGENTS)}
    settings = kafka_settings
    async with ChainWriter(settings) as writer:
        await writer.publish(grown(3))
        for agent, own in texts.items():
            for text in own:
                command = {**plain_command(text.encode().ljust(16, b"."), agent, "STORE", 1), "content": text.encode()}
                value = codec().encode("MemoryCommand", command)
                await writer.raw(topics.COMMANDS, partition_of(agent, settings.kafka.partitions), agent, value)

    async def some() -> bool:
        return len(place.got) >= 3

    async def all_but_one() -> bool:
        return len(place.got) == 8

    async with posting(settings) as task:
        await wait_for(some, task)
    async with posting(settings) as task:
        await wait_for(all_but_one, task)
    assert by_agent(place) == {agent: [text for text in own if text != "0-1"] for agent, own in texts.items()}
    dead = [codec().decode(value or b"")[1] for _, value in await read_all(settings, topics.DLQ, 0)]
    assert [(letter["error"], letter["attempts"]) for letter in dead] == [("StoreError", 4)]
