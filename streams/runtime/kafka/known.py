"""Which topics the nodes know, and how many partitions each has. A node that has just come up does not know all of them yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka.client import AIOKafkaClient

SETTLE_SECONDS = 5.0
"""How long a topic may be unknown to the nodes asked before it counts as missing."""
ASK_AGAIN_SECONDS = 0.5


async def partition_counts(client: AIOKafkaClient, topics: Sequence[str]) -> dict[str, int]:
    """Of each topic; 0 only after asking for a while."""
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while True:
        cluster = await client.fetch_all_metadata()
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        if all(counts.values()) or asyncio.get_running_loop().time() > deadline:
            return counts
        await asyncio.sleep(ASK_AGAIN_SECONDS)
