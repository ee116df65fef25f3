"""What the ``sealed`` field of a record says, for code that has no keys: still closed, or erased for good.

Layout: form (1), then by form:
  SEALED: key version (u32, big-endian), length of the open part (1), the open part, nonce (12), ciphertext with its tag (16);
  ERASED: the open part. A reader puts it in the place of what it cannot open because the key was destroyed.
The open part of a memory is its leaf (path and value, 64 bytes): a commitment under the agent's secret, so it tells nothing
once that is gone, and lets the history of the lattice be computed again to the bit without a text. Others have none.
Invariant: a record that was opened has ``sealed`` None; so what is not None was not read, and must not pass for empty content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.core.leaf import HASH, Leaf

ERASED = b"\x00"
SEALED = b"\x01"


def is_erased(record: Mapping[str, Any]) -> bool:
    """Whether the record's private fields are gone for good."""
    sealed: bytes | None = record["sealed"]
    return sealed is not None and sealed[:1] == ERASED


def is_closed(record: Mapping[str, Any]) -> bool:
    """Whether the record holds private fields that this process has no keys to."""
    return record["sealed"] is not None and not is_erased(record)


def erased_leaf(memory: Mapping[str, Any]) -> Leaf | None:
    """The leaf of an erased memory; None if nobody noted it, and for one that is not erased."""
    if not is_erased(memory):
        return None
    opened: bytes = memory["sealed"][1:]
    return Leaf(opened[:HASH], opened[HASH:]) if len(opened) == 2 * HASH else None
