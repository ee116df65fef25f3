"""A real node that reorganises and goes back, through the producer, the broker and all stream agents, to the last byte."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connectors.chain.rpc import RpcSource
from streams.cli.demo.observe import Observation
from streams.settings import Settings
from streams.topics import EMBEDDINGS
from tests.e2e.actors import asked_memory, deploy_token, forget, learn, mine, pay, store, token_transfer
from tests.e2e.expected import Expected, letters
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import ALL, agree, observing, producing, rest, working
from tests.e2e.readback import table
from tests.integration.node_fixtures import Anvil

pytestmark = [pytest.mark.kafka, pytest.mark.node]
BEYOND_FINALITY = 70


class Run:
    """A whole pipeline that follows a node."""

    def __init__(self, settings: Settings, node: Anvil, seen: Observation, *tasks: object) -> None:
        self.seen = seen
        self._settings = settings
        self._node = node
        self._tasks = tasks

    async def settle(self) -> Expected:
        """Waits until everything rests at the node's head, and compares all outputs with the oracle."""
        judge = RpcSource(self._node.http, level="header")
        try:
            head = await judge.head()
            await rest(self.seen, head, ALL, *self._tasks)
            return await agree(self._settings, judge, head, ALL, embedder=HashEmbedder())
        finally:
            await judge.close()

    async def remembers(self, agent: str, memory_id: bytes) -> bool:
        """Whether the agent's memory is live, now that everything agrees with the oracle."""
        return bytes.fromhex(agent[2:]) + memory_id in (await self.settle()).live


@asynccontextmanager
async def following(settings: Settings, node: Anvil) -> AsyncIterator[Run]:
    source = RpcSource(node.http, node.ws, level="senders")
    try:
        async with (
            observing(settings) as seen,
            producing(settings, source) as (_, running),
            working(settings, ALL, HashEmbedder()) as worker,
        ):
            yield Run(settings, node, seen, running, worker)
    finally:
        await source.close()


async def test_reorgs_and_a_rollback_of_a_real_node(kafka_settings: Settings, anvil: Anvil) -> None:
    token = await deploy_token(anvil)
    one, two, three, *_ = await anvil.rpc.call("eth_accounts")
    kafka_settings.chain.poll_interval, kafka_settings.chain.agents = 0.1, [token, one]
    async with following(kafka_settings, anvil) as run:
        stored = asked_memory((await mine(anvil, store(one, "prefers low slippage"), learn(two, "gas is cheap at dawn")))[0])
        await mine(anvil, token_transfer(one, token, two, 5), token_transfer(two, token, three, 7), pay(three, one, 10**18))
        assert await run.remembers(one, stored)
        await mine(anvil, forget(one, stored), store(three, "pool 7 is thin", kind=2))
        assert not await run.remembers(one, stored)

        # A shallow reorg takes the forgetting back; the branch that wins says something else at the same height.
        await anvil.rpc.call("anvil_reorg", 1, [[store(two, "another history"), 0], [token_transfer(three, token, one, 9), 0]])
        await mine(anvil)
        assert await run.remembers(one, stored)

        # A deep one takes the memory itself back, and everything else that was asked for.
        for number in range(4):
            await mine(anvil, learn(one, f"lesson {number}"), pay(two, three, number + 1))
        assert await run.remembers(one, stored)
        await anvil.rpc.call("anvil_reorg", 8, [[learn(three, "all is new"), 2], [token_transfer(one, token, three, 1), 5]])
        await mine(anvil, pay(one, two, 1))
        assert not await run.remembers(one, stored)

        # The node goes back without a word, and then on from there.
        await anvil.rpc.call("anvil_rollback", 3)
        await run.settle()
        late = asked_memory((await mine(anvil, store(one, "after the rollback")))[0])
        assert await run.remembers(one, late)
        await mine(anvil, forget(one, late))
        assert not await run.remembers(one, late)

        await anvil.rpc.call("anvil_mine", hex(BEYOND_FINALITY))  # what was forgotten is purged for good
        expected = await run.settle()
        assert run.seen.reorgs == [1, 8, 3]
        assert run.seen.final is not None
        assert run.seen.final.number > 0
    assert expected.facts.total() > expected.intents.total() >= 7
    gone = bytes.fromhex(one[2:]) + late
    assert gone in expected.memories
    assert gone not in await table(kafka_settings.kafka, EMBEDDINGS, "Embedding")
    assert await letters(kafka_settings) == []
