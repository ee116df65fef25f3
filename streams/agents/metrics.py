"""What stream agents measure of their own work.

Invariant: it is counted when it is committed, and once, however often it is done again.
"""

from __future__ import annotations

from prometheus_client import Counter

from streams.metrics import REGISTRY

MEMORIES_STORED = Counter(
    "monmouth_memories_stored_total",
    "Memories stored for good, by the memory agent's commits: of a command at once, of a transaction once its block is final.",
    registry=REGISTRY,
)
