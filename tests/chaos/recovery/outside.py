"""Faults of a store outside: what is asked for meanwhile, and whether all of it is there when the store is back.

A fault raises AssertionError where an answer held what is not true, or nothing, or where the pipeline did not get on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

import aiohttp

from infra.milvus import LocalMilvus
from streams.ops.recovery.decide import Strategy
from streams.ops.recovery.incidents import Limits
from streams.ops.recovery.observe import WITHOUT, measured
from streams.ops.recovery.watched import Patience
from streams.serving.async_client import AsyncClient
from streams.serving.client_errors import GatewayError
from streams.switches import FILE, VECTORS, read
from tests.chaos.recovery.scene import Scene
from tests.identity import operator_token

ALICE = "0x" + "a1" * 20
BEFORE = ["the ferry to the island leaves at nine", "the reserve of the treasury lies in the north vault"]
MEANWHILE = "the harbour master of the island is called Ruth"
QUESTION = "what about the island ferry, the harbour master and the treasury reserve?"
PATIENT = 90.0
PATIENCE = Patience(look=0.5, start=90, hung=15, stuck=30, steady=2, heal=90)
LIMITS = Limits(patience=20, pause=1)
"""A model is loaded by each start, and a store that hangs takes its time to be known as away."""


async def store_away(at: Scene) -> None:
    """kill -9 of Milvus, later of gateway and worker too: answers by words, and all vectors when it is back."""
    milvus = _milvus(at)
    async with _client(at) as client:
        await _remember(client)
        await asyncio.to_thread(milvus.kill)
        await _answers_without(at, client)
        at.process("worker-1").kill()
        at.process("gateway").kill()
        await at.outcome(Strategy.FORCED, "gateway", "healed")
        await _by_words(client, {*BEFORE, MEANWHILE})
        await asyncio.to_thread(milvus.start)
        await _whole_again(at, client)


async def store_hangs(at: Scene) -> None:
    """SIGSTOP of Milvus: its port is open and nobody answers; answers by words, and all vectors when it goes on."""
    milvus = _milvus(at)
    async with _client(at) as client:
        await _remember(client)
        assert milvus.pid is not None
        os.killpg(milvus.pid, signal.SIGSTOP)
        try:
            await _answers_without(at, client)
        finally:
            os.killpg(milvus.pid, signal.SIGCONT)
        await asyncio.sleep(5)
        await asyncio.to_thread(milvus.start)  # one that stood still for too long may end when it goes on
        await _whole_again(at, client)


def _milvus(at: Scene) -> LocalMilvus:
    assert at.milvus is not None
    return at.milvus


def _client(at: Scene) -> AsyncClient:
    url = f"http://127.0.0.1:{at.settings.gateway.port}"
    return AsyncClient(url, token=operator_token(at.settings), timeout=10)


async def _remember(client: AsyncClient) -> None:
    for text in BEFORE:
        await client.store(ALICE, text, wait=30)
    for text in BEFORE:
        await _eventually(lambda text=text: _has(client, text, with_vector=True))


async def _found(client: AsyncClient) -> dict[str, float]:
    """Texts with their similarities: 0 of those that were found without a vector."""
    context = await client.query_context(ALICE, QUESTION, min_similarity=-1)
    return {item.text: item.similarity or 0.0 for item in context.items}


async def _answers_without(at: Scene, client: AsyncClient) -> None:
    """The supervisor has switched vectors off, and says that it helped only when answers come, which are true and say so."""
    await at.outcome(Strategy.DEGRADE, VECTORS, "healed")
    await _by_words(client, set(BEFORE))
    assert [each for each in at.outcomes if each[1] == VECTORS] == [(Strategy.DEGRADE, VECTORS, "healed")]
    component = (await client.health()).components["milvus"]
    assert component.status == "degraded", component
    assert await _without(at), "the metric says that it does with"
    await client.store(ALICE, MEANWHILE)
    await _eventually(lambda: _has(client, MEANWHILE, with_vector=False))


async def _by_words(client: AsyncClient, texts: set[str]) -> None:
    found = await _found(client)
    assert set(found) == texts, f"without vectors: {found}"
    assert not any(found.values()), f"similarities without vectors: {found}"


async def _whole_again(at: Scene, client: AsyncClient) -> None:
    """By itself: the switch is gone, what was written meanwhile has its vector, and nobody was asked."""
    await at.outcome(Strategy.DEGRADE, VECTORS, "taken back")
    assert VECTORS not in read(at.settings.path(FILE)), "the switch is still there"
    for text in (*BEFORE, MEANWHILE):
        await _eventually(lambda text=text: _has(client, text, with_vector=True))
    found = await _found(client)
    assert set(found) == {*BEFORE, MEANWHILE}, f"with vectors again: {found}"
    assert not await _without(at), "the metric says that it does without"
    await _eventually(lambda: _healthy(client))
    await at.grow(3)
    await at.caught_up()
    assert Strategy.ASK not in {outcome[0] for outcome in at.outcomes}, at.outcomes


async def _has(client: AsyncClient, text: str, *, with_vector: bool) -> bool:
    try:
        found = await _found(client)
    except GatewayError:
        return False
    return text in found and (found[text] > 0) is with_vector


async def _healthy(client: AsyncClient) -> bool:
    return (await client.health()).components["milvus"].status == "healthy"


async def _without(at: Scene) -> bool:
    """Whether the gateway's metrics say that it does without vectors."""
    port = at.programs.all["gateway"].port
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return measured(await answer.text())[WITHOUT] == {VECTORS: 1.0}


async def _eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + PATIENT
    while not await condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.3)


FAULTS: dict[str, Callable[[Scene], Awaitable[None]]] = {"store-away": store_away, "store-hangs": store_hangs}
