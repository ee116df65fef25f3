"""A position in the chain as one value: the step just taken, its block, the tip and the finality line after it.

Invariant: ``Cursor.parse(str(cursor)) == cursor``; a string that no cursor prints raises ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.core.block import BlockRef, Step

VERSION = "c1"
NONE = "-"


def _print(ref: BlockRef | None) -> str:
    return NONE if ref is None else f"{ref.number}.{ref.hash.hex()}.{ref.parent.hex()}"


def _parse(text: str) -> BlockRef:
    number, block_hash, parent = text.split(".")
    ref = BlockRef(int(number), bytes.fromhex(block_hash), bytes.fromhex(parent))
    if len(ref.hash) != 32 or len(ref.parent) != 32 or _print(ref) != text:
        raise ValueError(f"not a block ref: {text[:200]!r}")
    return ref


@dataclass(frozen=True, slots=True)
class Cursor:
    """``block``: NEW the block added, UNDO the newest removed, FINAL the newest final one. ``head`` and ``final``: after it."""

    step: Step
    block: BlockRef
    head: BlockRef
    final: BlockRef | None = None

    def __str__(self) -> str:
        return f"{VERSION}:{self.step.value}:{_print(self.block)}:{_print(self.head)}:{_print(self.final)}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of ``str``. Raises ValueError."""
        parts = text.split(":")
        if len(parts) != 5 or parts[0] != VERSION:
            raise ValueError(f"not a cursor: {text[:200]!r}")
        final = None if parts[4] == NONE else _parse(parts[4])
        return cls(Step(parts[1]), _parse(parts[2]), _parse(parts[3]), final)
