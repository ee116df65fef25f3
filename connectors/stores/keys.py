"""Keys of rows: agent address, then memory id. Lengths are checked, since a short agent would be a prefix of others."""

from __future__ import annotations

from streams.errors import StoreError

AGENT = 20
MEMORY_ID = 32


def check_agent(agent: bytes) -> bytes:
    """``agent``, if it is a whole address."""
    if len(agent) != AGENT:
        raise StoreError(f"an agent address has {AGENT} bytes, not {len(agent)}")
    return agent


def check_id(memory_id: bytes) -> bytes:
    """``memory_id``, if it is whole."""
    if len(memory_id) != MEMORY_ID:
        raise StoreError(f"a memory id has {MEMORY_ID} bytes, not {len(memory_id)}")
    return memory_id
