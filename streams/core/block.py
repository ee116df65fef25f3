"""Names of blocks.

Invariant: two refs with equal hashes are the same block; number alone never identifies a block, since forks share numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ZERO_HASH = bytes(32)


class Step(StrEnum):
    """What a notification or marker says of the chain."""

    NEW = "NEW"
    UNDO = "UNDO"
    FINAL = "FINAL"


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block named by height, hash (32 bytes) and parent hash (32 bytes)."""

    number: int
    hash: bytes
    parent: bytes

    def __str__(self) -> str:
        return f"{self.number}/{self.hash[:4].hex()}"

    def record(self) -> dict[str, Any]:
        """The Avro form."""
        return {"number": self.number, "hash": self.hash, "parent": self.parent}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> BlockRef:
        """The inverse of ``record``."""
        return cls(record["number"], record["hash"], record["parent"])


def optional_ref(record: Mapping[str, Any] | None) -> BlockRef | None:
    """``BlockRef.of`` for a nullable field."""
    return None if record is None else BlockRef.of(record)
