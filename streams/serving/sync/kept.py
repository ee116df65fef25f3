"""The checkpoints of the memory agent that are kept, by height: what the log made of the chain up to there.

The digest of a partition is a sum over the chain's facts, free of keys, so the sum over all partitions is the same in every
deployment of a chain, however many partitions it has.
Invariant: a height is told only if every partition keeps a checkpoint of the same block there.
Memory: what the ring and the levels of history hold, about 300 bytes a slot.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.codec import codec
from streams.core.checkpoint import TIP, Checkpoint, slot_key

STREAM_AGENT = "memory"
_MODULUS = 1 << 256
_PREFIX = f"{STREAM_AGENT}/".encode()


class Kept(NamedTuple):
    """A block, and the digest (32 bytes) of what stands up to it."""

    number: int
    hash: bytes
    digest: bytes


class KeptCheckpoints:
    """Fed with records of the checkpoints topic."""

    def __init__(self, partitions: int) -> None:
        self._slots: list[dict[bytes, Kept]] = [{} for _ in range(partitions)]

    def take(self, key: bytes, value: bytes | None) -> None:
        """Notes a slot; those of other stream agents are passed over. Raises SchemaError."""
        if not key.startswith(_PREFIX) or key.endswith(f"/{TIP}".encode()):
            return
        partition = key[len(_PREFIX) :].partition(b"/")[0]
        if not partition.isdigit() or int(partition) >= len(self._slots):
            return
        slots = self._slots[int(partition)]
        if value is None:
            slots.pop(key, None)
            return
        name, record = codec().decode(value)
        if name != "Checkpoint" or key != slot_key(record["stream_agent"], record["partition"], record["slot"]):
            return  # the tail of standings says so
        checkpoint = Checkpoint.of(record)
        at = checkpoint.at
        if checkpoint.live and at.state is not None:
            slots[key] = Kept(at.block.number, at.block.hash, at.state)
        else:
            slots.pop(key, None)

    def table(self) -> dict[int, Kept]:
        """What is kept, by height."""
        parts = [{(kept.number, kept.hash): kept for kept in slots.values()} for slots in self._slots]
        shared = set.intersection(*(set(part) for part in parts))
        return {place[0]: _sum([part[place] for part in parts]) for place in sorted(shared)}


def _sum(parts: list[Kept]) -> Kept:
    total = sum(int.from_bytes(part.digest, "little") for part in parts) % _MODULUS
    return Kept(parts[0].number, parts[0].hash, total.to_bytes(32, "little"))
