"""8,192 real blocks and 1,291 real forks: the uncles of the archive arrive before the blocks that won."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connectors.chain.archive import open_archive
from streams import topics
from streams.settings import Settings
from tests.e2e.pipeline import agree, observing, producing, rest, working
from tests.e2e.readback import marked

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
AGENTS = ("intent", "memory", "lattice")
FORKS = 1_291


async def test_every_real_fork_of_the_archive_is_undone_by_every_stream_agent(kafka_settings: Settings, data_dir: Path) -> None:
    source = open_archive(data_dir / "ethereum" / "era1", 1)
    async with observing(kafka_settings) as seen:
        async with producing(kafka_settings, source) as (_, running):
            progress = await running
        assert (progress.blocks, progress.reorgs) == (8_192 + FORKS, FORKS)
        head = progress.view.tip
        assert head is not None
        async with working(kafka_settings, AGENTS) as worker:
            await rest(seen, head, AGENTS, worker, seconds=200)
    for topic in (topics.TRANSACTIONS, topics.INTENTS, topics.MEMORY_LOG):
        for partition in (await marked(kafka_settings, topic)).values():
            assert Counter(partition.undone) == {1: FORKS}
            assert partition.blocks[-1][0] == head
    await agree(kafka_settings, source, head, AGENTS)
