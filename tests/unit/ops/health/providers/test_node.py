"""The node provider on the development chain's node: one that moves, one that stands still, one of another chain, none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.chain.devchain import DevChain, DevNode
from connectors.chain.newest import NewestBlock
from infra.broker.ports import free_port
from streams.ops.health.finding import Finding
from streams.ops.health.provider import ask
from streams.ops.health.providers.node import Node


@pytest.fixture
async def node() -> AsyncIterator[DevNode]:
    chain = DevChain(9, agents=3, transactions=2)
    chain.advance(4)
    async with DevNode(chain) as running:
        yield running


async def looked(*urls: str, chain_id: int | None = 1337, now: float = 0.0) -> Finding:
    provider = Node([NewestBlock(url) for url in urls], chain_id, 60, 300, lambda: now)
    try:
        return await ask(provider, 5)
    finally:
        await provider.close()


async def newest(node: DevNode) -> int:
    look = NewestBlock(node.url)
    try:
        return (await look.look()).timestamp
    finally:
        await look.close()


async def test_a_head_that_stands_still_is_degraded_then_failed_and_one_that_moves_is_well(node: DevNode) -> None:
    at = await newest(node)
    assert (await looked(node.url, now=at + 5)).status == "healthy"
    assert (await looked(node.url, now=at + 60)).status == "degraded"
    still = await looked(node.url, now=at + 300)
    assert (still.status, still.down) == ("failed", False)
    assert still.detail == "chain 1337, block 4, 300 s old"
    while await newest(node) <= at:
        node.chain.advance(1)
    assert (await looked(node.url, now=await newest(node) + 5)).status == "healthy"


async def test_a_head_that_is_old_and_moves_is_behind_and_fails_where_it_stands(node: DevNode) -> None:
    """As of a node that reads an old chain, or one whose blocks keep a time of their own."""
    now = await newest(node) + 1_000_000.0
    provider = Node([NewestBlock(node.url)], 1337, 60, 300, lambda: now)
    assert (await provider.probe()).status == "failed"
    node.chain.advance(1)
    assert (await provider.probe()).status == "degraded"
    now += 59
    assert (await provider.probe()).status == "degraded"
    now += 1
    assert (await provider.probe()).status == "failed"
    await provider.close()


async def test_another_chain_has_failed_whatever_its_age(node: DevNode) -> None:
    found = await looked(node.url, chain_id=1, now=await newest(node))
    assert (found.status, found.detail) == ("failed", "it serves chain 1337, and chain 1 is expected")
    assert (await looked(node.url, chain_id=None, now=await newest(node))).status == "healthy"


async def test_no_node_has_failed_and_is_down() -> None:
    found = await looked(f"http://127.0.0.1:{free_port()}")
    assert (found.status, found.down) == ("failed", True)
    assert "does not answer" in found.detail


async def test_of_several_one_that_is_well_keeps_it_from_failing(node: DevNode) -> None:
    at = await newest(node)
    gone = f"http://127.0.0.1:{free_port()}"
    found = await looked(gone, node.url, now=at)
    assert (found.status, found.detail) == (
        "degraded",
        f"chain 1337, block {node.chain.head.number}, 0 s old; 1 of 2 nodes are not well",
    )
    assert (await looked(node.url, node.url, now=at)).status == "healthy"
    assert (await looked(gone, node.url, now=at + 300)).status == "failed"
    assert (await looked(gone, gone, now=at)).down
