"""Digests that two deployments of one chain compute alike, though they share no keys.

Only facts that a block holds count: who compares can compute them from public chain data. What commands say is never in here,
so no digest tells of a private text, or lets one be guessed.

  element = BLAKE3(domain, op, agent, memory id, cause, block number, block hash, content)
  content = BLAKE3(encoding of the memory), of an UPSERT that the chain made; else 32 zeros
  agent   = BLAKE3(domain, address, elements in rising order)

Invariant: the digest of an agent is a function of the set of its facts of blocks up to a height, never of order, partition,
key, or of what commands added, deleted or evicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from blake3 import blake3

from streams.core.leaf import encode
from streams.core.presence import NO_BLOCK, Fact, Presence

FACT_DOMAIN = b"monmouth/sync/fact/1"
AGENT_DOMAIN = b"monmouth/sync/agent/1"
NO_CONTENT = bytes(32)
UNREADABLE = b"\xff" * 32
"""Stands for an agent whose rows cannot be read: it equals no digest."""


class ChainFact(NamedTuple):
    """One fact of a block, as it lies in a row. ``upsert``: else a DELETE."""

    memory_id: bytes
    upsert: bool
    number: int
    block_hash: bytes
    element: bytes


def content_of(memory: Mapping[str, Any] | None) -> bytes:
    """Digest of what the chain says of a memory; zeros for one that says something else, or is not there."""
    if memory is None or memory["source"] != "CHAIN" or memory["sealed"] is not None:
        return NO_CONTENT
    return blake3(encode(memory)).digest()


def chain_facts(
    agent: bytes,
    memory_id: bytes,
    memory: Mapping[str, Any] | None,
    presence: Presence,
    stands: Callable[[int, bytes], bool],
) -> Iterator[ChainFact]:
    """Facts of blocks for which ``stands(number, hash)`` says yes."""
    content: bytes | None = None
    for upsert, facts in ((True, presence.upserts), (False, presence.deletes)):
        for fact in facts:
            if fact.block_hash == NO_BLOCK or not stands(fact.block_number, fact.block_hash):
                continue
            if upsert and content is None:
                content = content_of(memory)
            element = _element(agent, memory_id, fact, content if upsert and content else NO_CONTENT, upsert)
            yield ChainFact(memory_id, upsert, fact.block_number, fact.block_hash, element)


def _element(agent: bytes, memory_id: bytes, fact: Fact, content: bytes, upsert: bool) -> bytes:
    number = fact.block_number.to_bytes(8, "big", signed=True)
    return blake3(FACT_DOMAIN + bytes([upsert]) + agent + memory_id + fact.cause + number + fact.block_hash + content).digest()


def agent_digest(agent: bytes, elements: Iterable[bytes]) -> bytes:
    """Digest of one agent's facts."""
    return blake3(AGENT_DOMAIN + agent + b"".join(sorted(elements))).digest()
