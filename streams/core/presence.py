"""Presence: the facts that stand for one memory, and whether it is live.

A fact is named by its cause and the block that holds it (none for a command). Facts form a set, so applying one twice is
applying it once, order does not matter, and revert is the inverse of apply. A memory is live if at least one UPSERT and
no DELETE stands; which facts stand may depend on which blocks a reader calls canonical.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

NO_BLOCK = b""


@dataclass(frozen=True, slots=True)
class Fact:
    """``cause``: 32 bytes; ``block_hash``: 32 bytes, or NO_BLOCK for a command; ``block_number``: -1 for a command."""

    cause: bytes
    block_hash: bytes = NO_BLOCK
    block_number: int = -1


def everything(_: bytes) -> bool:
    """The canonical test of a writer, for whom every fact it holds stands."""
    return True


@dataclass(frozen=True, slots=True)
class Presence:
    """Facts of one memory id. Immutable."""

    upserts: frozenset[Fact] = frozenset()
    deletes: frozenset[Fact] = frozenset()

    def upsert(self, fact: Fact) -> Presence:
        """With an UPSERT more."""
        return replace(self, upserts=self.upserts | {fact})

    def delete(self, fact: Fact) -> Presence:
        """With a DELETE more."""
        return replace(self, deletes=self.deletes | {fact})

    def without(self, fact: Fact) -> Presence:
        """With this fact taken back, whichever it was."""
        return Presence(self.upserts - {fact}, self.deletes - {fact})

    def live(self, canonical: Callable[[bytes], bool] = everything) -> bool:
        """Whether the memory is live, if facts of blocks that are not ``canonical(block_hash)`` do not stand."""

        def stands(fact: Fact) -> bool:
            return fact.block_hash == NO_BLOCK or canonical(fact.block_hash)

        return any(map(stands, self.upserts)) and not any(map(stands, self.deletes))

    @property
    def ended(self) -> bool:
        """Whether a command has deleted the memory, so that it is live for no reader, whichever blocks that calls canonical."""
        return any(fact.block_hash == NO_BLOCK for fact in self.deletes)

    def __bool__(self) -> bool:
        return bool(self.upserts or self.deletes)
