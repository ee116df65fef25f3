"""Several nodes of one chain: one leads, reads by hash are shared, and no silence or lag is taken for a change of the chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from connectors.chain.rpc import RpcSource
from streams.errors import ConfigurationError, SourceChangedError, SourceError
from streams.policy import reset
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.chains import CHAIN_ID, ScriptedSource, chain
from tests.fake_node import FakeNode, serving
from tests.memory_log import MemoryLog

Pair = tuple[FakeNode, FakeNode, RpcSource]
BY_HASH = ("eth_getBlockByHash", "eth_getBlockReceipts")


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    blocks = chain(60, transactions=2)
    async with serving(ScriptedSource(blocks)) as (first, url), serving(ScriptedSource(blocks)) as (second, other):
        source = RpcSource(url, level="senders", others=[other], strategy="round_robin")
        yield first, second, source
        await source.close()


def asked(node: FakeNode, *methods: str) -> int:
    return sum(node.calls.count(method) for method in methods)


async def fail(call: Callable[[], object]) -> None:
    with pytest.raises(SourceChangedError, match="is asked from now on"):
        await call()  # type: ignore[misc]


async def test_reads_by_hash_are_shared_and_everything_else_is_asked_of_one(pair: Pair) -> None:
    first, second, source = pair
    blocks = first.source.canonical_blocks
    assert await source.span(0, 59) == blocks[:60]
    assert await source.blocks([block.ref.hash for block in blocks]) == blocks
    assert (await source.head(), await source.final(), await source.chain_id()) == (blocks[-1].ref, None, CHAIN_ID)
    assert await source.ref(blocks[4].ref.hash) == blocks[4].ref
    assert asked(first, *BY_HASH) > 20
    assert asked(second, *BY_HASH) > 20
    assert set(second.calls) <= set(BY_HASH), "what depends on a node's head is asked of one node"


async def test_what_another_node_lacks_or_refuses_is_asked_of_the_one_that_leads(pair: Pair) -> None:
    first, second, source = pair
    blocks = first.source.canonical_blocks
    for block in blocks[30:]:
        del second.source.known[block.ref.hash]
    second.refused.add("eth_getBlockReceipts")
    assert await source.blocks([block.ref.hash for block in blocks]) == blocks
    assert await source.blocks([bytes(32)]) == [None]


@pytest.mark.parametrize("method", BY_HASH)
async def test_nonsense_of_another_node_is_not_believed_and_stops_nothing(pair: Pair, method: str) -> None:
    first, second, source = pair
    blocks = first.source.canonical_blocks
    spoiled = [] if method == "eth_getBlockReceipts" else {"hash": "0x" + "11" * 32, "number": "0x1"}
    second.spoil[method] = lambda _: spoiled
    assert await source.blocks([block.ref.hash for block in blocks]) == blocks
    assert await source.span(0, 9) == blocks[:10]
    assert asked(second, method) > 0


async def test_one_that_does_not_answer_is_avoided_and_asked_again_later(pair: Pair) -> None:
    first, second, source = pair
    hashes = [block.ref.hash for block in first.source.canonical_blocks]
    second.status = 503
    for _ in range(3):
        assert len(await source.blocks(hashes)) == 61
    tried = asked(second, *BY_HASH)
    assert await source.blocks(hashes) == first.source.canonical_blocks
    assert asked(second, *BY_HASH) == tried, "its circuit is open"
    second.status = 200
    reset(source._nodes._nodes[1].policy.name)  # as when its time is over
    assert await source.blocks(hashes) == first.source.canonical_blocks
    assert asked(second, *BY_HASH) > tried


async def test_the_next_one_leads_once_the_first_fails_and_says_so_once(pair: Pair) -> None:
    first, second, source = pair
    first.status = 503
    second.source.grow(1)
    await fail(source.head)
    assert await source.head() == second.source.head_ref
    assert await source.chain_id() == CHAIN_ID
    second.status = 503
    with pytest.raises(SourceError):  # of the second; then of the first, unless its circuit is open by now
        await source.head()
        await source.head()


async def test_what_is_left_of_a_read_that_failed_is_not_asked_of_the_next_one(pair: Pair) -> None:
    first, second, source = pair
    first.status = 503
    await fail(lambda: source.canonical(range(60)))
    await asyncio.sleep(0.2)
    assert second.calls == []


def test_addresses_that_differ_in_a_key_are_nodes_with_circuits_of_their_own() -> None:
    source = RpcSource("https://a:1/first", others=["https://b:1/other", "https://a:1/second", "https://a:1/third"])
    names = [node.policy.name for node in source._nodes._nodes]
    assert names == ["node https://a:1", "node https://b:1", "node https://a:1 (2)", "node https://a:1 (3)"]


def test_weights_are_of_each_node() -> None:
    with pytest.raises(ConfigurationError, match="2 nodes"):
        RpcSource("http://a:1", others=["http://b:1"], strategy="weighted", weights=[1.0])


async def test_a_node_that_takes_over_further_behind_undoes_nothing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands still below the log for longer than a rewind takes to be believed, and knows nothing of what the first had."""
    monkeypatch.setattr("streams.producer.loop.FIRST_PAUSE", 0.001)
    first, second, source = pair
    first.source.grow(4)
    log, settings = MemoryLog(), ChainSettings(poll_interval=0.005, rewind_confirmations=2)
    producer = BlockProducer(source, log, Stager(CHAIN_ID, 1, Signer(bytes(32))), settings, CHAIN_ID)
    running = asyncio.create_task(producer.run())

    async def reaches(node: FakeNode) -> None:
        async with asyncio.timeout(20):
            while producer.progress.view.tip != node.source.head_ref:
                assert not running.done()
                await asyncio.sleep(0.005)

    try:
        await reaches(first)
        first.status = 503
        async with asyncio.timeout(20):
            while second.calls.count("eth_getBlockByNumber") < 12:
                await asyncio.sleep(0.005)
        assert not log.steps("UNDO")
        for block in first.source.canonical_blocks[61:]:
            second.source.canonical_blocks.append(block)
            second.source.known[block.ref.hash] = block
        second.source.grow(2)
        await reaches(second)
    finally:
        producer.stop()
        await running
    assert not log.steps("UNDO")
    assert [r["block"]["hash"] for r in log.steps("NEW")] == [block.ref.hash for block in second.source.canonical_blocks]


async def test_a_node_without_receipts_of_blocks_does_not_turn_them_off_for_the_others(pair: Pair) -> None:
    first, second, source = pair
    hashes = [block.ref.hash for block in first.source.canonical_blocks]
    first.refused.add("eth_getBlockReceipts")  # the one that leads
    assert await source.blocks(hashes) == first.source.canonical_blocks
    before = asked(first, "eth_getBlockReceipts")
    assert await source.blocks(hashes) == first.source.canonical_blocks
    assert asked(first, "eth_getBlockReceipts") == before, "it is not asked again"
    assert asked(second, "eth_getBlockReceipts") > 0, "the other one has them"
    first.status = 503
    await fail(source.head)
    single = asked(second, "eth_getTransactionReceipt")
    assert await source.span(0, 9) == first.source.canonical_blocks[:10]
    assert asked(second, "eth_getTransactionReceipt") == single, "it leads now, and has them"


async def test_where_no_node_has_receipts_of_blocks_each_receipt_is_asked_for(pair: Pair) -> None:
    for node in pair[:2]:
        node.refused.add("eth_getBlockReceipts")
    blocks = pair[0].source.canonical_blocks
    for _ in range(2):
        assert await pair[2].blocks([block.ref.hash for block in blocks]) == blocks
    assert asked(pair[0], "eth_getTransactionReceipt") > 0
