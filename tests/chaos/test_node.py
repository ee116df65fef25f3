"""Both nodes follow a script of steps: their chains are as high as it says, and branches lose."""

from __future__ import annotations

import pytest

from connectors.chain.devchain import ReorgPlan
from connectors.chain.devchain.steps import Step, StepKind, script
from connectors.chain.rpc import RpcSource
from tests.availability import unavailable
from tests.chaos.node import NODES, TRANSACTIONS
from tests.integration.node_fixtures import NoAnvilError

ADVANCE = Step(StepKind.ADVANCE)


@pytest.mark.parametrize("name", ["dev", pytest.param("anvil", marks=pytest.mark.node)])
async def test_a_node_does_what_the_script_says(name: str) -> None:
    try:
        async with NODES[name](3) as node:
            source = RpcSource(node.url, level="header")
            assert len(set(node.agents)) >= 5
            try:
                await node.play([ADVANCE] * 6, 0)
                first = node.head
                assert first.number == 6
                (block,) = await source.blocks([first.hash])
                assert block is not None
                assert len(block.transactions) == TRANSACTIONS
                await node.play([Step(StepKind.REORG, depth=3, extra=1), ADVANCE], 0)
                assert node.head.number == 8
                assert (await source.head()).hash == node.head.hash
                assert await source.canonical([first.number]) != [first]
                await node.play([Step(StepKind.LOWER, depth=4)], 0)
                assert node.head.number == 4
                await node.play(script(1, 20, ReorgPlan(every=3, max_depth=8)), 0)
                assert (await source.head()).hash == node.head.hash
            finally:
                await source.close()
    except NoAnvilError as error:
        unavailable(str(error))
