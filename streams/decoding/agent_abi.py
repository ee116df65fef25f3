"""The call interface agents use on the chain: one documented ABI, with the short selectors older contracts use as aliases.

An alias carries the same ABI-encoded arguments behind a fixed 4-byte selector instead of the hash of the signature.
``kind`` is the memory type code 0 to 5, ``importance`` is in basis points (0 to 10,000).
"""

from __future__ import annotations

from typing import NamedTuple


class AgentMethod(NamedTuple):
    """``intent``: name it gets in rag.intents. ``names``: argument names in order. ``alias``: fixed selector, hex."""

    signature: str
    intent: str
    names: tuple[str, ...]
    alias: str | None = None


AGENT_METHODS: tuple[AgentMethod, ...] = (
    AgentMethod(
        "storeMemory(uint8,bytes,uint16,string[])", "memory_store", ("kind", "content", "importance", "tags"), "01020304"
    ),
    AgentMethod("retrieveMemory(bytes32)", "memory_retrieve", ("memory_id",), "05060708"),
    AgentMethod("forgetMemory(bytes32)", "memory_forget", ("memory_id",), "090a0b0c"),
    AgentMethod("exportMemory(string)", "memory_export", ("format",), "0d0e0f10"),
    AgentMethod("query(string)", "query", ("text",), "aabbccdd"),
    AgentMethod("execute(string)", "execute", ("text",), "11223344"),
    AgentMethod("learn(string)", "learn", ("text",), "55667788"),
    AgentMethod("collaborate(address,string)", "collaborate", ("peer", "text"), "99aabbcc"),
    AgentMethod("registerAgent(bytes32)", "register_agent", ("agent_id",), "12345678"),
)
RELATING_METHODS: tuple[AgentMethod, ...] = (
    AgentMethod("linkMemories(bytes32,bytes32,string)", "memory_link", ("source", "target", "relation")),
    AgentMethod("invalidateMemory(bytes32,string)", "memory_invalidate", ("memory_id", "reason")),
    AgentMethod(
        "supersedeMemory(bytes32,uint8,bytes,uint16,string[])",
        "memory_supersede",
        ("memory_id", "kind", "content", "importance", "tags"),
    ),
    AgentMethod(
        "mergeMemories(bytes32[],uint8,bytes,uint16,string[])",
        "memory_merge",
        ("memory_ids", "kind", "content", "importance", "tags"),
    ),
)
"""What an agent says of memories that it has. No older contract knows these, so they have no aliases."""
CALL_INTERFACE = AGENT_METHODS + RELATING_METHODS
