"""Faults on the brokers: killed, paused, restarted in turn, and the one that leads the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from tests.chaos.stage import Stage

RESTART_SECONDS = 1.0
BEYOND_SESSION = 9.0
"""Seconds: half as much again as a broker's session with the controllers lasts, so that its partitions get other leaders."""
LONG = 60.0


async def kill_broker(stage: Stage, random: Random) -> None:
    """kill -9 of a broker; started again a second later."""
    await _kill(stage, random.choice(list(stage.cluster.nodes)))


async def lose_controller(stage: Stage, random: Random) -> None:
    """kill -9 of the broker that leads the controllers; started again a second later."""
    await _kill(stage, await asyncio.to_thread(stage.cluster.controller))


async def stop_broker(stage: Stage, random: Random) -> None:
    """SIGSTOP of a broker for longer than its session: connections to it stay and are silent; then SIGCONT."""
    await _pause(stage, random.choice(list(stage.cluster.nodes)), BEYOND_SESSION)


async def stop_broker_long(stage: Stage, random: Random) -> None:
    """SIGSTOP of a broker for a minute, longer than any client waits for an answer; then SIGCONT."""
    await _pause(stage, random.choice(list(stage.cluster.nodes)), LONG)


async def rolling_restart(stage: Stage, random: Random) -> None:
    """Each broker in turn is told to stop, started again and waited for until all replicas are in sync."""
    for number, node in stage.cluster.nodes.items():
        stage.say_kill(number, "SIGTERM")
        await asyncio.to_thread(node.stop, 60.0)
        await asyncio.to_thread(node.start)
        await stage.cluster.in_sync()
        stage.say_start(number)


async def _kill(stage: Stage, number: int) -> None:
    node = stage.cluster.nodes[number]
    stage.say_kill(number, "kill -9")
    await asyncio.to_thread(node.kill)
    await asyncio.sleep(RESTART_SECONDS)
    await asyncio.to_thread(node.start)
    stage.say_start(number)


async def _pause(stage: Stage, number: int, seconds: float) -> None:
    node = stage.cluster.nodes[number]
    stage.say_kill(number, "SIGSTOP")
    node.pause()
    await asyncio.sleep(seconds)
    node.resume()
    stage.say_start(number)


BROKERS: dict[str, Callable[[Stage, Random], Awaitable[None]]] = {
    "kill-broker": kill_broker,
    "lose-controller": lose_controller,
    "stop-broker": stop_broker,
    "stop-broker-long": stop_broker_long,
    "rolling-restart": rolling_restart,
}
