"""The stream agent webhook as a worker runs it, on a real broker: a receiver that fails, one that refuses, and dead letters."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner
from prometheus_client import REGISTRY

from schemas.codec import codec
from schemas.defaults import plain_command
from streams import topics
from streams.cli import cli
from streams.cli.wiring import agent_factories
from streams.runtime.job import Limits
from streams.runtime.worker import run_worker
from streams.settings import Settings
from streams.vault.sealing import sealed_records
from streams.webhook_settings import WebhookSettings
from tests.chainlog import SIGNER, VERIFIER, ChainLog, partition_of
from tests.integration.runtime.kafkalog import ChainWriter, wait_for
from tests.receiver import SECRET, Place, receiving

pytestmark = pytest.mark.kafka
QUICK = replace(Limits(), pauses=(0.5, 1.0, 1.5))
AGENTS = [bytes([number]) * 20 for number in range(1, 4)]
TEXTS = {agent: [f"{number}-{count}" for count in range(4)] for number, agent in enumerate(AGENTS)}
TROUBLE, POISON = "1-0", "0-1"


class Desk:
    """Takes a command by the text that its id is: TROUBLE at the third try, POISON when it was told to."""

    def __init__(self, place: Place) -> None:
        self.taken: defaultdict[str, list[str]] = defaultdict(list)
        self.order: list[str] = []
        self.tries: Counter[str] = Counter()
        self.mended = False
        place.answer = self.answer

    async def answer(self, request: web.Request, raw: bytes) -> web.Response:
        record = json.loads(raw)["record"]
        text = bytes.fromhex(record["id"][2:]).decode().rstrip(".")
        self.tries[text] += 1
        if text == TROUBLE and self.tries[text] <= 2:
            return web.Response(status=503 if self.tries[text] == 1 else 429)
        if text == POISON and not self.mended:
            return web.Response(status=422)
        self.taken[record["agent"]].append(text)
        self.order.append(text)
        return web.Response(status=202)


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        factories = agent_factories(settings, ["webhook"], stack)
        task = asyncio.create_task(run_worker(settings, factories, VERIFIER, SIGNER, stop, limits=QUICK))
        try:
            yield task
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)


async def write(settings: Settings) -> None:
    chain = ChainLog(topic=topics.MEMORY_LOG)
    for _ in range(3):
        chain.add([])
    async with ChainWriter(settings) as writer:
        await writer.publish(chain)
        with sealed_records(settings):
            for agent, own in TEXTS.items():
                for text in own:
                    command = {**plain_command(text.encode().ljust(16, b"."), agent, "STORE", 1), "content": b"private"}
                    value = codec().encode("MemoryCommand", command)
                    await writer.raw(topics.COMMANDS, partition_of(agent, settings.kafka.partitions), agent, value)


async def dlq(settings: Settings, *words: str) -> str:
    """``monmouth dlq``, as an operator runs it."""
    kafka = settings.kafka
    environment = {"MONMOUTH_KAFKA__BOOTSTRAP": kafka.bootstrap, "MONMOUTH_KAFKA__PREFIX": kafka.prefix}
    done = await asyncio.to_thread(CliRunner(env=environment).invoke, cli, ["dlq", *words])
    assert done.exit_code == 0, done.output
    return done.output


def deferred() -> float:
    labels = {"agent": "webhook", "topic": topics.RETRIES[0]}
    return REGISTRY.get_sample_value("monmouth_runtime_deferred_total", labels) or 0.0


async def test_a_receiver_that_fails_and_one_record_that_it_refuses(kafka_settings: Settings) -> None:
    settings, before = kafka_settings, deferred()
    await write(settings)
    async with receiving() as place:
        desk = Desk(place)
        settings.webhook = WebhookSettings.model_validate({"url": place.url, "secret": SECRET.decode()})

        async def all_but_poison() -> bool:
            return sum(map(len, desk.taken.values())) == 11

        async def letters() -> list[dict[str, Any]]:
            said = await dlq(settings, "list", "--json", "--stream-agent", "webhook")
            return [json.loads(line) for line in said.splitlines()]

        async def mended() -> bool:
            return POISON in desk.taken["0x" + AGENTS[0].hex()]

        async with working(settings) as task:
            await wait_for(all_but_poison, task)
            await wait_for(letters, task)
            (letter,) = await letters()
            assert desk.taken == {"0x" + who.hex(): [text for text in own if text != POISON] for who, own in TEXTS.items()}
            assert max(desk.order.index("0-3"), desk.order.index("2-3")) < desk.order.index(TROUBLE)
            assert (letter["error"], letter["attempts"]) == ("ReceiverRefusedError", 1)
            assert "answered 422" in letter["reason"]
            assert letter["id"] in {post.id for post in place.posts}
            assert deferred() >= before + 4
            desk.mended = True
            assert "1 records sent again" in await dlq(settings, "replay", letter["id"])
            await wait_for(mended, task)
            assert await letters() == []
        assert all(post.genuine for post in place.posts)
        assert not any(b"private" in post.raw or b"private".hex().encode() in post.raw for post in place.posts)
