"""8,192 real blocks and 1,291 real forks: the uncles of the archive arrive before the blocks that won.

The blocks hold no transactions, so what there is to get right are the markers: every one is signed, checked and forwarded by
each stream agent, and one partition shows as much as many.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.chain.archive import open_archive
from infra.topics import apply
from streams import topics
from streams.settings import Settings
from tests.e2e.pipeline import observing, producing, rest, working
from tests.e2e.readback import marked, table

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
AGENTS = ("intent", "memory", "lattice")
BLOCKS, FORKS = 8_192, 1_291


async def test_every_real_fork_of_the_archive_is_undone_by_every_stream_agent(kafka_settings: Settings, data_dir: Path) -> None:
    settings = kafka_settings.model_copy(deep=True)
    settings.kafka.prefix, settings.kafka.partitions = f"{kafka_settings.kafka.prefix}forks.", 1
    await apply(settings.kafka)
    source = open_archive(data_dir / "ethereum" / "era1", 1)
    async with observing(settings) as seen:
        async with producing(settings, source) as (_, running):
            progress = await running
        assert (progress.blocks, progress.reorgs, progress.records) == (BLOCKS + FORKS, FORKS, 0)
        head = progress.view.tip
        assert head is not None
        assert head.number == BLOCKS - 1
        async with working(settings, AGENTS) as worker:
            await rest(seen, head, AGENTS, worker, seconds=200)
    canonical = await source.canonical(range(BLOCKS))
    for topic in (topics.TRANSACTIONS, topics.INTENTS, topics.MEMORY_LOG):
        (partition,) = (await marked(settings, topic)).values()
        assert partition.undone == [1] * FORKS, topic
        assert [block for block, _ in partition.blocks] == canonical, topic
        assert partition.values == [], topic
    assert await table(settings.kafka, topics.ROOTS, "LatticeRoot") == {}
    points = await table(settings.kafka, topics.CHECKPOINTS, "Checkpoint")
    assert {key: point["block"]["hash"] for key, point in points.items() if key.endswith(b"/tip")} == {
        f"{agent}/0/tip".encode(): head.hash for agent in AGENTS
    }
