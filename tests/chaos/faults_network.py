"""Faults of the network between the product's processes on one side, brokers and node on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

from tests.chaos.proxy import Direction
from tests.chaos.stage import Stage
from tests.checker.events import Kill, Start

AWAY = 9.0
"""Seconds without a network: longer than a worker's session."""
SLOW = 15.0
DELAY, JITTER = 0.1, 0.15
LOSS = (5.0, 25.0)
"""Seconds that one direction is lost, from and to: some requests are given up meanwhile, and arrive afterwards all the same."""


async def cut_network(stage: Stage, random: Random) -> None:
    """Every connection to brokers and node is cut; new ones are cut again at once, then refused for longer than a session."""
    async with _struck(stage, "cut"):
        for _ in range(3):
            await stage.network.cut()
            await asyncio.sleep(random.random())
        await stage.network.refuse()
        await asyncio.sleep(AWAY)


async def slow_network(stage: Stage, random: Random) -> None:
    """Everything between clients, brokers and node takes a tenth of a second or more, each way, for fifteen seconds."""
    async with _struck(stage, "slow"):
        stage.network.slow(DELAY, JITTER)
        await asyncio.sleep(SLOW)


async def lose_requests(stage: Stage, random: Random) -> None:
    """For some seconds nothing arrives at a broker, at all of them, or at the node, which can still be heard; then it does."""
    await _lose(stage, random, "requests")


async def lose_answers(stage: Stage, random: Random) -> None:
    """For some seconds a broker, all of them, or the node hear everything and cannot be heard; then they can."""
    await _lose(stage, random, "answers")


async def forget_connections(stage: Stage, random: Random) -> None:
    """All connections to the brokers go silent for good and nobody is told, as by a restarted firewall; new ones are well."""
    brokers = [name for name in stage.network.proxies if name != "node"]
    async with _struck(stage, "connections forgotten"):
        stage.network.forget(*brokers)


async def _lose(stage: Stage, random: Random, direction: Direction) -> None:
    brokers = [name for name in stage.network.proxies if name != "node"]
    names = random.choice([[random.choice(brokers)], brokers, ["node"]])
    async with _struck(stage, f"no {direction}: {', '.join(names)}"):
        stage.network.lose(direction, *names)
        await asyncio.sleep(random.uniform(*LOSS))


@asynccontextmanager
async def _struck(stage: Stage, fault: str) -> AsyncIterator[None]:
    stage.recorder.say(Kill(process="network", fault=fault))
    try:
        yield
    finally:
        await stage.network.heal()
    stage.recorder.say(Start(process="network"))


NETWORK: dict[str, Callable[[Stage, Random], Awaitable[None]]] = {
    "cut-network": cut_network,
    "slow-network": slow_network,
    "lose-requests": lose_requests,
    "lose-answers": lose_answers,
    "forget-connections": forget_connections,
}
