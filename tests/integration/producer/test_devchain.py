"""The producer on the development chain over its JSON-RPC and WebSocket: every kind of reorg, played step by step."""

from __future__ import annotations

import asyncio

import pytest

from connectors.chain.devchain import DevChain, DevNode, ReorgPlan
from connectors.chain.devchain.steps import StepKind, script
from connectors.chain.rpc import RpcSource
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.integration.producer.logs import canonical
from tests.memory_log import MemoryLog


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_kind_of_reorg_is_followed_to_the_same_chain(seed: int) -> None:
    chain = DevChain(seed)
    node, log = DevNode(chain), MemoryLog()
    await node.start()
    source = RpcSource(node.url, node.ws_url, level="senders")
    settings = ChainSettings(poll_interval=0.02, rewind_confirmations=2)
    chain_id = await source.chain_id()
    producer = BlockProducer(source, log, Stager(chain_id, 2, Signer(bytes(32))), settings, chain_id)
    running = asyncio.create_task(producer.run())
    try:
        async with asyncio.timeout(60):
            for step in script(seed, 60, ReorgPlan(6, 6)):
                for _ in node.apply(step):
                    while producer.progress.view.tip is None or producer.progress.view.tip.hash != chain.head.ref.hash:
                        assert not running.done()
                        await asyncio.sleep(0.01)
    finally:
        producer.stop()
        await asyncio.gather(running, return_exceptions=True)
        await source.close()
        await node.stop()
    assert running.exception() is None
    assert canonical(log.notifications) == [built.block.ref.hash for built in chain.line()]
    assert producer.progress.reorgs >= len(StepKind)
