"""The chain that the agents lived on: one block for each batch of them, named by content, so that every process knows it."""

from __future__ import annotations

from blake3 import blake3

from schemas.defaults import plain_memory
from schemas.records import Memory, MemoryFact
from streams.agents.memory_facts import upsert_fact
from streams.core.block import BlockRef
from streams.core.ids import chain_memory_id, transaction_id

CHAIN_ID = 1337
BATCH = 1_000
"""Agents whose memories lie in one block."""
ACTS = (
    "swapped {n} ETH for DAI on Uniswap with at most 0.5% slippage",
    "sent {n} USDC to 0x{peer} for the report on pool depths",
    "voted yes on proposal {n} of the treasury, after reading the audit",
    "learned that gas is lowest around {n}:00 UTC on weekends",
)


def agent_of(number: int) -> bytes:
    """The n-th agent."""
    return blake3(b"perf.million agent %d" % number).digest(20)


def block_of(number: int) -> BlockRef:
    """The block at a height."""
    hashes = [blake3(b"perf.million block %d" % at).digest() for at in (number, number - 1)]
    return BlockRef(number, hashes[0], hashes[1] if number else bytes(32))


def facts_of(number: int, block: BlockRef, memories: int) -> list[MemoryFact]:
    """What a block left with the n-th agent."""
    agent = agent_of(number)
    return [_fact(agent, number, index, block) for index in range(memories)]


def question_of(number: int) -> str:
    """What the n-th agent can be asked about."""
    return " ".join(ACTS[number % len(ACTS)].format(n=number % 997, peer="").split()[:4])


def _fact(agent: bytes, number: int, index: int, block: BlockRef) -> MemoryFact:
    place = (number % BATCH) * 64 + index
    memory_id = chain_memory_id(CHAIN_ID, block.hash, place, agent, 0)
    text = ACTS[(number + index) % len(ACTS)].format(n=number % 997 + index, peer=agent_of(number + 1).hex())
    memory: Memory = {
        **plain_memory(memory_id, agent, "EPISODIC", "CHAIN", 1_700_000_000 + 12 * block.number),
        "block": {"number": block.number, "hash": block.hash, "parent": block.parent},
        "transaction": blake3(memory_id).digest(),
        "transaction_index": place,
        "content": text.encode(),
        "media_type": "text/plain",
        "importance": 0.3 + (number + index) % 5 / 10,
        "tags": ["swap", "defi"],
    }
    return upsert_fact(transaction_id(CHAIN_ID, block.hash, place, agent), memory, memory["block"])
