"""Letta's agent file (.af), both forms: one agent with ``core_memory`` in it, or ``agents`` that name ``blocks``.

A block of core memory becomes a SEMANTIC memory, a statement about its label; a message that says something becomes an EPISODIC
one, tagged with its role. System prompts, tool definitions and calls are not memories and are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streams.portability.errors import PackageError
from streams.portability.foreign import Entry, Reading, json_of, objects, reading, seconds, text

PRODUCT = "letta"
BLOCK_IMPORTANCE = 0.8
ROLES = frozenset({"user", "assistant", "tool"})
LONGEST_LABEL = 256


def sniff(said: object) -> bool:
    """Whether a JSON document is an agent file."""
    return isinstance(said, Mapping) and ("core_memory" in said or ("agents" in said and "blocks" in said))


def read(data: bytes, agent: bytes) -> Reading:
    """Raises PackageError if it is no agent file, or one of several agents."""
    said = json_of(data)
    if not sniff(said):
        raise PackageError("the file is no Letta agent file", "It has neither core_memory nor agents and blocks.")
    if "core_memory" in said:
        return reading(PRODUCT, agent, [*_blocks(objects(said["core_memory"], "core_memory")), *_messages(said)])
    agents = objects(said["agents"], "agents")
    if len(agents) != 1:
        raise PackageError(f"the file holds {len(agents)} agents", "Export one agent a file.")
    wanted = set(map(str, agents[0].get("block_ids") or ()))
    blocks = [block for block in objects(said["blocks"], "blocks") if str(block.get("id")) in wanted]
    return reading(
        PRODUCT,
        agent,
        [*_blocks(blocks), *_blocks(objects(agents[0].get("memory_blocks"), "memory_blocks")), *_messages(agents[0])],
    )


def _blocks(blocks: list[dict[str, Any]]) -> Iterator[Entry]:
    for block in blocks:
        label = text(block.get("label"))[:LONGEST_LABEL] or "block"
        yield Entry(
            f"block/{label}",
            text(block.get("value")).strip().encode(),
            "SEMANTIC",
            ("core_memory", label),
            seconds(block.get("updated_at") or block.get("created_at")),
            BLOCK_IMPORTANCE,
            subject="core_memory",
            predicate=label,
        )


def _messages(agent: Mapping[str, Any]) -> Iterator[Entry]:
    for number, message in enumerate(objects(agent.get("messages"), "messages")):
        role = text(message.get("role"))
        said = _said(message.get("content"))
        if role in ROLES and said:
            name = text(message.get("id")) or str(number)
            yield Entry(f"message/{name}", said.encode(), "EPISODIC", (role,), seconds(message.get("created_at")))


def _said(content: object) -> str:
    if isinstance(content, str):
        return content.strip()
    parts = content if isinstance(content, list) else []
    texts = [text(part.get("text")) for part in parts if isinstance(part, Mapping) and part.get("type") == "text"]
    return "\n".join(filter(None, texts)).strip()
