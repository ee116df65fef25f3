"""What an entry of the log of final lattice states commits to."""

from __future__ import annotations

from streams.core.block import BlockRef
from streams.core.merkle.log import leaf_hash

DOMAIN = b"monmouth/lattice-log/1"


def entry_hash(partition: int, block: BlockRef, checksum: bytes) -> bytes:
    """RFC 9162 leaf hash of an entry: domain, partition (u32), block number (i64), block hash, checksum; big-endian."""
    return leaf_hash(
        DOMAIN + partition.to_bytes(4, "big") + block.number.to_bytes(8, "big", signed=True) + block.hash + checksum
    )
