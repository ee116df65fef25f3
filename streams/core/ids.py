"""Content ids: names made of what a thing is, never of where in a log or when it was seen.

Invariant: ids of the same transaction in two forks differ, since the block hash is part of them; parts are
length-prefixed, so no two different part lists hash the same bytes.
"""

from __future__ import annotations

from blake3 import blake3


def content_id(domain: str, *parts: bytes | int) -> bytes:
    """BLAKE3-256 over ``domain`` and ``parts``, each behind its length (u32, little-endian); ints as signed 64-bit LE."""
    encoded = [domain.encode(), *(p.to_bytes(8, "little", signed=True) if isinstance(p, int) else p for p in parts)]
    return blake3(b"".join(len(p).to_bytes(4, "little") + p for p in encoded)).digest()


def transaction_id(chain_id: int, block_hash: bytes, index: int, agent: bytes) -> bytes:
    """Names one record of chain.transactions; also the cause of every fact it leads to."""
    return content_id("monmouth/tx", chain_id, block_hash, index, agent)


def chain_memory_id(chain_id: int, block_hash: bytes, index: int, agent: bytes, ordinal: int = 0) -> bytes:
    """Names the ``ordinal``-th memory a transaction leaves with an agent."""
    return content_id("monmouth/memory/chain", chain_id, block_hash, index, agent, ordinal)


def command_cause(agent: bytes, command_id: bytes) -> bytes:
    """Names a command; the cause of every fact it leads to."""
    return content_id("monmouth/command", agent, command_id)


def eviction_cause(agent: bytes, memory_id: bytes) -> bytes:
    """Names the eviction of a memory, of which there is only one, however often it is asked for."""
    return content_id("monmouth/eviction", agent, memory_id)


def command_memory_id(agent: bytes, command_id: bytes) -> bytes:
    """Names the memory a STORE command leaves."""
    return content_id("monmouth/memory/command", agent, command_id)


NAME_BYTES = 24
"""Of a claimed id, the rest of which follows from them."""


def claimed_id(agent: bytes, memory_id: bytes, content: bytes) -> bytes:
    """Names a memory that a file claims to be ``memory_id``, by what it says; what is such a name already stays as it is.

    No other memory has such a name: whether an id is one can be told from it alone, and of the ids above one in 2^64 is.
    """
    if is_claimed(agent, memory_id):
        return memory_id
    name = content_id("monmouth/memory/claimed", agent, memory_id, content)[:NAME_BYTES]
    return name + _rest(agent, name)


def is_claimed(agent: bytes, memory_id: bytes) -> bool:
    """Whether it is the name of a claim."""
    return memory_id[NAME_BYTES:] == _rest(agent, memory_id[:NAME_BYTES])


def _rest(agent: bytes, name: bytes) -> bytes:
    return content_id("monmouth/memory/claimed/rest", agent, name)[: 32 - NAME_BYTES]
