"""Real mainnet blocks, transactions, receipts and logs through the whole pipeline.

The blocks are not all consecutive, so each unbroken stretch is a log of its own.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.chain.archive import open_archive
from connectors.chain.history import HistorySource
from connectors.embedding import CachedEmbedder
from connectors.embedding.model import ModelFiles
from connectors.embedding.onnx_embedder import OnnxEmbedder
from streams.oracle import World
from streams.ports.embedder import Embedder
from streams.settings import Settings
from tests.e2e.expected import Expected, faults
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import ALL, agree, observing, producing, rest, working

pytestmark = pytest.mark.kafka

STRETCHES = ((14764013,), (15537393, 15537394), (17062257,), (19426586, 19426587), (22162263,))
REGISTERED = [
    "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",  # WETH
    "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",  # USDC
    "0xdac17f958d2ee523a2206206994597c13d831ec7",  # USDT
]
"""Contracts that take part in most blocks: registered, so that they get records as counterparties."""


def archive(data_dir: Path, folder: Path, stretch: tuple[int, ...]) -> HistorySource:
    """The blocks of one stretch, every root and sender checked."""
    folder.mkdir(exist_ok=True)
    for number in stretch:
        shutil.copy(data_dir / "ethereum" / "mainnet_full" / f"{number}.json.gz", folder)
    return open_archive(folder, 1, "senders")


def concerned(data_dir: Path, number: int) -> int:
    """Records the block must lead to, counted in the file: one per sender, one per registered contract that took part."""
    found: dict[str, Any] = json.loads(
        gzip.decompress((data_dir / "ethereum" / "mainnet_full" / f"{number}.json.gz").read_bytes())
    )
    count = 0
    for tx, receipt in zip(found["block"]["transactions"], found["receipts"], strict=True):
        words = [word for log in receipt["logs"] for word in log["topics"]]
        named = {tx["to"], receipt.get("contractAddress"), *(log["address"] for log in receipt["logs"])}
        named |= {"0x" + word[26:] for word in words if int(word[2:26], 16) == 0}
        count += 1 + len(named & set(REGISTERED) - {tx["from"]})
    return count


async def whole_pipeline(settings: Settings, data_dir: Path, stretch: tuple[int, ...], embedder: Embedder) -> Expected:
    """Runs all stream agents over the stretch and compares everything they wrote with the oracle."""
    folder = settings.state_dir.parent / "blocks"
    settings.chain.start_block = stretch[0]
    settings.chain.agents = REGISTERED
    async with observing(settings) as seen:
        async with producing(settings, archive(data_dir, folder, stretch)) as (_, running):
            progress = await running
        head = progress.view.tip
        assert head is not None
        assert (head.number, progress.blocks) == (stretch[-1], len(stretch))
        async with working(settings, ALL, embedder) as worker:
            await rest(seen, head, ALL, worker)
    source = archive(data_dir, folder, stretch)
    while not source.ended:
        await source.head()
    expected = await agree(settings, source, head, ALL, embedder=embedder)
    due = sum(concerned(data_dir, number) for number in stretch)
    assert (progress.records, expected.intents.total(), expected.world.count) == (due, due, due)
    return expected


@pytest.mark.parametrize("stretch", STRETCHES, ids=str)
async def test_real_blocks_through_all_stream_agents(
    kafka_settings: Settings, data_dir: Path, stretch: tuple[int, ...]
) -> None:
    await whole_pipeline(kafka_settings, data_dir, stretch, HashEmbedder())


@pytest.mark.model
async def test_a_real_block_with_the_real_model(kafka_settings: Settings, data_dir: Path, model_files: ModelFiles) -> None:
    await whole_pipeline(kafka_settings, data_dir, (17062257,), CachedEmbedder(OnnxEmbedder(model_files)))


async def test_the_comparison_sees_every_kind_of_fault(kafka_settings: Settings, data_dir: Path) -> None:
    """Holds a right run against expectations that are a little wrong: each one must be seen, where it is."""
    embedder = HashEmbedder()
    right = await whole_pipeline(kafka_settings, data_dir, (14764013,), embedder)

    async def seen(wrong: Expected, agent: str) -> str:
        return "\n".join(await faults(kafka_settings, wrong, [agent], embedder))

    fact, intent, key = next(iter(right.facts)), next(iter(right.intents)), next(iter(right.live))
    agent, memory_id = key[:20], key[20:]
    fewer = replace(right.world.agents[agent], ids=tuple(id_ for id_ in right.world.agents[agent].ids if id_ != memory_id))
    assert "memory.log: 1 lost" in await seen(replace(right, facts=right.facts + Counter([fact])), "memory")
    assert "memory.log: 0 lost, 1 too many" in await seen(replace(right, facts=right.facts - Counter([fact])), "memory")
    assert "rag.intents: 0 lost, 1 too many" in await seen(replace(right, intents=right.intents - Counter([intent])), "intent")
    assert "chain.transactions/0: 1 blocks stand, 0 must" in await seen(replace(right, blocks=[]), "intent")
    world = World({**right.world.agents, agent: fewer})
    without = await seen(replace(right, world=world), "memory")
    assert "memory.state: 0 lost, 1 too many" in without
    assert "memory store: 0 lost, 1 too many" in without
    assert "count" in await seen(replace(right, world=world), "lattice")
    others = {other: state for other, state in right.world.agents.items() if other != agent}
    assert "Merkle root" in await seen(replace(right, world=World(others)), "lattice")
    assert right.graph
    unlike = {name: {**row, "first": 1} if "first" in row else row for name, row in right.graph.items()}
    assert "graph.edges" in await seen(replace(right, graph=unlike), "graph")
    altered = {**right.memories, key: {**right.memories[key], "content": b"something else"}}
    assert "differs" in await seen(replace(right, memories=altered), "memory")
    doubt = await seen(replace(right, memories=altered), "embedding")
    assert "rag.embeddings" in doubt
    assert "vector store" in doubt
    forgotten = {other: memory for other, memory in right.memories.items() if other != key}
    assert "1 vectors of nothing" in await seen(replace(right, memories=forgotten, world=World(others)), "embedding")
