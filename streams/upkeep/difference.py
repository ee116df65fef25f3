"""What a comparison with the log finds, and what it could not compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OUTSIDE = (
    "agents.access, memory.sessions and memory.erasures, which follow from memory.commands",
    "rag.intents and bridge.records, but how far their stream agents are",
    "local state of intent, embedding and bridge, and of the others what is no row of a memory or of the graph",
    "state digests of embedding and bridge, which have none, and of lattice in checkpoints but the newest",
)
"""What is never compared."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``side``: what disagrees with the log. ``agent``, ``memory_id``: whose, empty if of none. ``block``: height, or None."""

    side: str
    what: str
    agent: bytes = b""
    memory_id: bytes = b""
    block: int | None = None

    def __str__(self) -> str:
        whose = [f"agent 0x{self.agent.hex()}"] if self.agent else []
        whose += [f"memory {self.memory_id.hex()}"] if self.memory_id else []
        whose += [f"block {self.block}"] if self.block is not None else []
        return f"{self.side}: {', '.join(whose)}{': ' if whose else ''}{self.what}"

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "side": self.side,
            "what": self.what,
            "agent": f"0x{self.agent.hex()}" if self.agent else None,
            "memory_id": self.memory_id.hex() or None,
            "block": self.block,
        }


@dataclass
class Report:
    """``memories``: live, by the log. ``blocks``: that stand. ``skipped``: what was not compared, and why."""

    memories: int = 0
    blocks: int = 0
    records: int = 0
    differences: list[Difference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=lambda: list(OUTSIDE))
