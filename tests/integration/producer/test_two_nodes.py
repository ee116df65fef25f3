"""The producer on two development nodes of one chain: one dies, one lags, one is slow; the log is that of the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from connectors.chain.devchain import DevChain, DevNode, Step, StepKind
from connectors.chain.rpc import RpcSource
from streams.producer.loop import BlockProducer
from streams.settings import ChainSettings
from tests.integration.producer.logs import canonical
from tests.integration.producer.story import following, until
from tests.memory_log import MemoryLog

SETTINGS = ChainSettings(poll_interval=0.02, rewind_confirmations=2)


class Counted(DevNode):
    """``delay``: seconds before each answer."""

    def __init__(self, chain: DevChain) -> None:
        super().__init__(chain)
        self.delay, self.requests = 0.0, 0

    async def _http(self, request: web.Request) -> web.Response:
        self.requests += 1
        await asyncio.sleep(self.delay)
        return await super()._http(request)


def grown(blocks: int) -> DevChain:
    chain = DevChain(5, agents=4, transactions=3, finality_depth=8)
    chain.advance(blocks)
    return chain


def reached(producer: BlockProducer, chain: DevChain) -> Callable[[], bool]:
    return lambda: producer.progress.view.tip == chain.head.ref


async def test_the_leading_node_dies_and_one_that_lags_takes_over() -> None:
    log, behind = MemoryLog(), grown(20)
    ahead = grown(23)
    async with Counted(behind) as second, Counted(ahead) as first:
        source = RpcSource(first.url, others=[second.url])
        async with following(source, log, SETTINGS) as producer:
            await until(reached(producer, ahead))
            await first.stop()
            served = second.requests
            await until(lambda: second.requests > served + 20)
            assert not [n for n in log.notifications if n["step"] == "UNDO"]
            behind.advance(5)
            await until(reached(producer, behind))
            for _ in second.apply(Step(StepKind.REORG, 3)):  # a real one is followed as ever
                await until(reached(producer, behind))
    assert canonical(log.notifications) == [built.block.ref.hash for built in behind.line()]
    assert producer.progress.reorgs == 1


async def test_load_leaves_a_node_that_became_slow_and_comes_back_when_it_is_quick() -> None:
    chain = grown(60)
    async with Counted(chain) as first, Counted(chain) as second:
        source = RpcSource(first.url, others=[second.url], strategy="adaptive")
        try:
            hashes = [[built.block.ref.hash] for built in chain.line()]

            async def share() -> float:
                first.requests = second.requests = 0
                for one in hashes:
                    assert await source.blocks(one)
                return second.requests / (first.requests + second.requests)

            await share()
            second.delay = 0.1
            await share()
            assert await share() < 0.2
            first.delay, second.delay = 0.1, 0.0
            await share()
            assert await share() > 0.8
        finally:
            await source.close()
