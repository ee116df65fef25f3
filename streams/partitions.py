"""Which partition a key lies in: the rule of every Kafka client, so ours and those of others agree."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """An agent's partition in every topic keyed by agent."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
