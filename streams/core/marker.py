"""Markers: punctuation that says what a reader of one partition must have seen.

Assumes records of one block lie together in a partition, in front of their NEW marker.
Invariant: a reader whose count or digest differs from the marker's never hands the block on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from blake3 import blake3

from streams.core.block import ZERO_HASH, BlockRef, Step, optional_ref

EMPTY_DIGEST = blake3(b"").digest()


def block_digest(values: Iterable[bytes]) -> bytes:
    """BLAKE3 over the record values in log order, each behind its length (u32, little-endian)."""
    return blake3(b"".join([part for v in values for part in (_length(len(v)), v)])).digest()


@lru_cache(maxsize=4096)
def _length(size: int) -> bytes:
    return size.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class Marker:
    """One marker. ``count`` and ``digest`` mean something for NEW alone, ``removed`` (newest first) for UNDO alone."""

    step: Step
    chain_id: int
    sequence: int
    topic: str
    partition: int
    block: BlockRef
    head: BlockRef
    final: BlockRef | None = None
    timestamp: int = 0
    count: int = 0
    digest: bytes = ZERO_HASH
    removed: tuple[BlockRef, ...] = ()
    ancestor: BlockRef | None = None
    key_id: bytes = bytes(8)
    signature: bytes = b""

    def forwarded(self, topic: str, values: Iterable[bytes] = (), lead: int = 0) -> Marker:
        """The unsigned marker that says the same of another topic, in front of which ``values`` were written.

        ``lead``: how far the sequence there is ahead, because old work was done again.
        """
        written = list(values) if self.step is Step.NEW else []
        digest = block_digest(written) if self.step is Step.NEW else ZERO_HASH
        sequence = self.sequence + lead
        return replace(self, topic=topic, sequence=sequence, count=len(written), digest=digest, key_id=bytes(8), signature=b"")

    def record(self) -> dict[str, Any]:
        """The Avro form."""
        return {
            "step": self.step.value,
            "chain_id": self.chain_id,
            "sequence": self.sequence,
            "topic": self.topic,
            "partition": self.partition,
            "block": self.block.record(),
            "head": self.head.record(),
            "final": self.final.record() if self.final else None,
            "timestamp": self.timestamp,
            "count": self.count,
            "digest": self.digest,
            "removed": [ref.record() for ref in self.removed],
            "ancestor": self.ancestor.record() if self.ancestor else None,
            "key_id": self.key_id,
            "signature": self.signature,
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Marker:
        """The inverse of ``record``."""
        return cls(
            step=Step(record["step"]),
            chain_id=record["chain_id"],
            sequence=record["sequence"],
            topic=record["topic"],
            partition=record["partition"],
            block=BlockRef.of(record["block"]),
            head=BlockRef.of(record["head"]),
            final=optional_ref(record["final"]),
            timestamp=record["timestamp"],
            count=record["count"],
            digest=record["digest"],
            removed=tuple(BlockRef.of(ref) for ref in record["removed"]),
            ancestor=optional_ref(record["ancestor"]),
            key_id=record["key_id"],
            signature=record["signature"],
        )
