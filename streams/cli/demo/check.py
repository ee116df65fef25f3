"""The verdict of the demo: an independent single-thread fold of the canonical chain against what the pipeline published.

The fold reads blocks from the node itself, not from Kafka, and shares no machinery with the stream agents. Commands, which have
no other source, it reads from the topic that they come in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

from schemas.codec import SchemaError, codec
from schemas.records import ChainTransaction, LatticeRoot, MemoryFact
from streams.agents.memory_facts import command_facts, transaction_facts
from streams.core.block import BlockRef
from streams.decoding.nl.parser import default_reader
from streams.errors import PoisonError, SourceError
from streams.oracle import Difference, Oracle, World, differences
from streams.ports.chain import ChainSource
from streams.ports.log import TopicPartition
from streams.ports.stores import MemoryStore
from streams.producer.records import parse_agents, transaction_records
from streams.runtime.kafka.client import KafkaClient
from streams.settings import Settings
from streams.topics import COMMANDS
from streams.vault.sealing import open_keys, sealed_records

SPAN = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """``differences`` is empty if every digest agreed. ``memories``: live ones according to the fold."""

    head: BlockRef
    agents: int
    memories: int
    transactions: int
    checksum: bytes
    differences: list[Difference]

    @property
    def agreed(self) -> bool:
        """Whether everything was equal."""
        return not self.differences

    def __str__(self) -> str:
        said = "agree" if self.agreed else f"DIFFER in {len(self.differences)} places"
        return f"block {self.head}: {self.agents} agents, {self.memories} memories, lattice {self.checksum[:8].hex()}: {said}"


async def canonical_records(source: ChainSource, settings: Settings, head: BlockRef) -> AsyncIterator[ChainTransaction]:
    """Records of all blocks from the start block to ``head``. Raises SourceError if the chain moved meanwhile."""
    chain_id, agents = await source.chain_id(), parse_agents(settings.chain.agents)
    tip: BlockRef | None = None
    for first in range(settings.chain.start_block, head.number + 1, SPAN):
        for block in await source.span(first, min(first + SPAN - 1, head.number)):
            if tip is not None and block.ref.parent != tip.hash:
                raise SourceError(f"block {block.ref} does not follow {tip}: the chain moved while it was read")
            tip = block.ref
            for record in transaction_records(block, chain_id, agents):
                yield record
    if tip is None or tip.hash != head.hash:
        raise SourceError(f"the node's chain ends in {tip}, the log's in {head}")


async def commanded(settings: Settings) -> list[MemoryFact]:
    """Facts of all commands, in any order; without those that nobody can read or carry out."""
    reader = KafkaClient(settings.kafka).reader()
    found: list[MemoryFact] = []
    try:
        with sealed_records(settings):
            for partition in (TopicPartition(COMMANDS, number) for number in range(settings.kafka.partitions)):
                first, stop = (await reader.bounds([partition]))[partition]
                async for messages in reader.read_range(partition, first, stop):
                    for message in messages:
                        found += _facts(message.key, message.value)
    finally:
        await reader.close()
    return found


def _facts(key: bytes | None, value: bytes | None) -> list[MemoryFact]:
    try:
        kind, command = codec().decode(value or b"")
        return command_facts(key, command) if kind == "MemoryCommand" else []
    except (SchemaError, PoisonError):
        return []


async def compare(  # noqa: PLR0917  (the two sides, and what they are read with)
    source: ChainSource,
    settings: Settings,
    head: BlockRef,
    roots: Mapping[bytes, LatticeRoot],
    store: MemoryStore,
    commands: Iterable[MemoryFact] = (),
) -> Verdict:
    """Folds the node's chain up to ``head``, and facts of commands, and compares roots and stored ids of every agent."""
    reader = default_reader()
    keys = open_keys(settings)
    oracle: Oracle[MemoryFact] = Oracle(lambda fact: [fact], keys.leaf_secret)
    transactions = 0
    async for record in canonical_records(source, settings, head):
        oracle.fold(transaction_facts(record, reader.read(record)))
        transactions += record["role"] == "SENDER"
    oracle.fold(commands)
    world: World = oracle.world()
    stored = {agent: await store.live_ids(agent, lambda _: True) async for agent in store.agents()}
    found = differences(world, roots, stored)
    return Verdict(head, len(world.agents), world.count, transactions, world.checksum, found)
