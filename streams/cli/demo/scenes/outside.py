"""A place outside that goes away: the node. Tries are spaced out, the circuit opens, nothing is asked, and it closes again."""

from __future__ import annotations

import asyncio
import time

from connectors.chain.rpc import RpcSource
from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.system import System
from streams.errors import SourceError
from streams.metrics import REGISTRY
from streams.policy import State, views
from streams.policy.errors import SourceOpenError

PATIENCE = 30.0
PAUSE = 0.2
AWAY = 0.05
"""Seconds that a node is gone for a moment: less than the pause before a second try."""


async def breaker(system: System) -> Metrics:
    """Raises CheckError unless the circuit to the node opens, refuses at once, and closes when the node is back."""
    assert system.node is not None
    source = RpcSource(system.settings.chain.rpc_url, None, level="header")
    try:
        await source.head()
        name = f"node {system.settings.chain.rpc_url}"
        await system.node.stop()
        try:
            failed, tried = await _until_open(source, name)
            refused = await _seconds_of_refusal(source)
        finally:
            await system.node.start()
        seconds = await _until_closed(source, name)
    finally:
        await source.close()
    await system.settle()
    return {"calls that failed": failed, "tries": tried, "refused in ms": 1000 * refused, "closed again after seconds": seconds}


async def _until_open(source: RpcSource, name: str) -> tuple[int, float]:
    before, failed, deadline = _attempts(name), 0, time.monotonic() + PATIENCE
    while _state(name) is not State.OPEN:
        expect(time.monotonic() < deadline, f"the circuit to {name} does not open though the node is gone")
        try:
            await source.head()
        except SourceError:
            failed += 1
        else:
            expect(False, "a node that was stopped still answers")
    return failed, failed + _attempts(name) - before


async def _seconds_of_refusal(source: RpcSource) -> float:
    began = time.monotonic()
    try:
        await source.head()
    except SourceOpenError:
        return time.monotonic() - began
    except SourceError:
        expect(False, "the node was asked though the circuit is open")
    expect(False, "a node that was stopped still answers")
    return 0.0


async def _until_closed(source: RpcSource, name: str) -> float:
    began = time.monotonic()
    while _state(name) is not State.CLOSED:
        expect(time.monotonic() - began < PATIENCE, f"the circuit to {name} does not close though the node is back")
        try:
            await source.head()
        except SourceError:
            await asyncio.sleep(PAUSE)
    return time.monotonic() - began


def _state(name: str) -> State:
    found = [view.state for view in views() if view.name == name]
    expect(len(found) == 1, f"{len(found)} circuits are called {name}, not one")
    return found[0]


def _attempts(name: str) -> float:
    """Tries after the first one, so far."""
    return REGISTRY.get_sample_value("monmouth_retry_attempts_total", {"name": name}) or 0.0


async def retries(system: System) -> Metrics:
    """A node that is away for a moment. Raises CheckError unless a question outlasts that, by trying again."""
    assert system.node is not None
    source = RpcSource(system.settings.chain.rpc_url, None, level="header")
    name = f"node {system.settings.chain.rpc_url}"
    try:
        head = await source.head()
        before = _attempts(name)
        await system.node.stop()
        asking = asyncio.create_task(source.head())
        await asyncio.wait([asking], timeout=AWAY)
        await system.node.start()
        found = await asking
    finally:
        await source.close()
    tried = _attempts(name) - before
    expect(found.hash == head.hash, "the node answers with another head")
    expect(tried >= 1, "the question did not have to be tried again")
    await system.settle()
    return {"answered": 1, "tried again": tried}
