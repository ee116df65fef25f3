"""The block producer's node client reads the development chain as it reads any node, checking every root."""

from __future__ import annotations

from connectors.chain.devchain import DevChain, DevNode, Step, StepKind
from connectors.chain.rpc import RpcSource


async def test_a_checked_read_of_both_branches() -> None:
    chain = DevChain(17, agents=6, transactions=10, finality_depth=8)
    chain.advance(12)
    async with DevNode(chain) as node:
        source = RpcSource(node.url, node.ws_url, level="roots")
        try:
            assert await source.chain_id() == 1337
            assert await source.genesis() == chain.at(0).hash
            assert await source.syncing() is False
            assert await source.final() == chain.final.ref
            whole = await source.span(0, 20)
            assert [block.ref for block in whole] == [built.block.ref for built in chain.line()]
            (change,) = node.apply(Step(StepKind.REORG, 4))
            assert await source.head() == chain.head.ref
            orphans = await source.blocks([block.hash for block in change.removed])
            assert orphans == [block for block in whole if block.ref.number > 8]
            heights = [9, 13, 14]
            assert await source.canonical(heights) == [chain.at(9).ref, chain.at(13).ref, None]
            new = await source.blocks([block.hash for block in change.added])
            assert [t["hash"] for b in new for t in b.transactions] == [t.hash for b in change.added for t in b.transactions]
        finally:
            await source.close()
