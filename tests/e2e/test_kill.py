"""kill -9 of real worker and producer processes while blocks, reorgs and commands flow: nothing is lost, doubled or stale.

Moments are drawn from a seed, but hang on what the process has done since it started, so that each kill hits one at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from connectors.chain.devchain import DevChain, DevNode, ReorgPlan
from connectors.chain.devchain.steps import script
from connectors.chain.rpc import RpcSource
from schemas.records import MemoryCommand
from streams.cli.demo.observe import Observation
from streams.core.ids import command_memory_id
from streams.serving.commands import forget_command, store_command
from streams.settings import Settings
from tests.e2e.expected import letters
from tests.e2e.pipeline import agree, observing, rest, until
from tests.e2e.processes import Child, running
from tests.identity import command_log

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
AGENTS = ("memory", "lattice")
WORKER = ("worker", "--agents", ",".join(AGENTS))
INTERVAL = 0.12
PLAN = ReorgPlan(every=5, max_depth=6)


@dataclass
class World:
    """A chain that lives and agents that send commands, until ``stop``."""

    settings: Settings
    node: DevNode
    seed: int
    commands: list[MemoryCommand] = field(default_factory=list)
    stopping: bool = False

    async def live(self) -> None:
        """One step of the chain and one command an interval."""
        log, rng = command_log(self.settings), Random(self.seed)
        try:
            for number, step in enumerate(script(self.seed, 10**6, PLAN)):
                for _ in self.node.apply(step):
                    await asyncio.sleep(INTERVAL)
                await log.send(self.command(rng, number))
                if self.stopping:
                    return
        finally:
            await log.stop()

    def command(self, rng: Random, number: int) -> MemoryCommand:
        """A STORE, or one time in four a FORGET of an earlier one."""
        agent, command_id = rng.choice(self.node.chain.agents), rng.randbytes(16)
        stores = [command for command in self.commands if command["op"] == "STORE"]
        if stores and rng.random() < 0.25:
            victim = rng.choice(stores)
            memory_id = command_memory_id(victim["agent"], victim["id"])
            command = forget_command(victim["agent"], command_id, memory_id, 1_700_000_000)
        else:
            text = f"note {number} of {agent.hex()[:8]}".encode()
            command = store_command(
                agent,
                command_id,
                text,
                media_type="text/plain",
                kind="SEMANTIC",
                importance=0.5,
                tags=[],
                timestamp=1_700_000_000,
            )
        self.commands.append(command)
        return command


@asynccontextmanager
async def living(settings: Settings, seed: int) -> AsyncIterator[tuple[World, asyncio.Task[None]]]:
    kafka = settings.kafka
    kafka.session_timeout_ms, kafka.heartbeat_interval_ms = 2_000, 400
    async with DevNode(DevChain(seed, transactions=10)) as node:
        settings.chain.rpc_url, settings.chain.poll_interval = node.url, 0.1
        world = World(settings, node, seed)
        task = asyncio.create_task(world.live(), name="world")
        try:
            yield world, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def come_to_rest(world: World, task: asyncio.Task[None], seen: Observation) -> None:
    """Stops the world, waits for the pipeline, and compares all of its outputs with the oracle."""
    world.stopping = True
    await task
    source = RpcSource(world.node.url, level="header")
    try:
        head = await source.head()
        await rest(seen, head, AGENTS)
        expected = await agree(world.settings, source, head, AGENTS, commands=world.commands, seconds=30)
    finally:
        await source.close()
    assert expected.world.count > 50
    assert len(seen.reorgs) > 3
    assert await letters(world.settings) == []


async def at_work(seen: Observation, child: Child, rng: Random, task: asyncio.Task[None]) -> None:
    """Waits until the stream agents got on by some steps, and then a moment more."""
    due = seen.reached("lattice") + rng.randint(3, 14)
    await until(lambda: seen.reached("lattice") >= due, task, what=f"step {due}")
    child.check()
    await asyncio.sleep(rng.random() * INTERVAL * 2)


@pytest.mark.parametrize("seed", [11])
async def test_kill_9_of_worker_and_producer_again_and_again(kafka_settings: Settings, seed: int) -> None:
    rng = Random(seed)
    async with living(kafka_settings, seed) as (world, task), observing(kafka_settings) as seen, AsyncExitStack() as stack:
        producer = await stack.enter_async_context(running(kafka_settings, "producer"))
        for number in count():
            worker = await stack.enter_async_context(running(kafka_settings, *WORKER))
            await at_work(seen, worker, rng, task)
            if number == 6:
                break
            if number % 3 == 1:
                producer.kill()
                producer = await stack.enter_async_context(running(kafka_settings, "producer"))
            worker.kill()
        await come_to_rest(world, task, seen)


async def share(settings: Settings) -> None:
    """Waits until each stream agent has two members, which share its partitions one to one."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap)
    await admin.start()
    try:
        for agent in AGENTS:
            async with asyncio.timeout(30):
                while await members(admin, settings.kafka.prefix + agent) != 2:
                    await asyncio.sleep(0.2)
    finally:
        await admin.close()


async def members(admin: AIOKafkaAdminClient, group: str) -> int:
    """Members of a group that is at rest; 0 while it rebalances."""
    try:
        (answer,) = await admin.describe_consumer_groups([group])
    except KafkaError as error:  # nobody has joined yet
        assert error.retriable
        return 0
    ((_, _, state, _, _, found, *_),) = answer.groups
    return len(found) if state == "Stable" else 0


@pytest.mark.parametrize("seed", [12])
async def test_the_other_worker_takes_over_from_a_killed_one(kafka_settings: Settings, seed: int) -> None:
    rng = Random(seed)
    async with living(kafka_settings, seed) as (world, task), observing(kafka_settings) as seen, AsyncExitStack() as stack:
        await stack.enter_async_context(running(kafka_settings, "producer"))
        workers = [await stack.enter_async_context(running(kafka_settings, *WORKER)) for _ in range(2)]
        for _ in range(3):
            await share(kafka_settings)
            await at_work(seen, workers[0], rng, task)
            workers.pop(0).kill()
            await at_work(seen, workers[0], rng, task)  # all partitions get on, so one has taken over
            workers.append(await stack.enter_async_context(running(kafka_settings, *WORKER)))
        workers.pop(0).kill()
        await come_to_rest(world, task, seen)
