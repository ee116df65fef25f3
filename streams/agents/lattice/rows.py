"""What the lattice keeps of one memory: its leaf and the facts that stand, as bytes.

Layout: path (32 bytes), value (32), then 73 bytes a fact in rising order: op (1 UPSERT, 0 DELETE), block number (i64,
big-endian, -1 for a command), block hash (zeros for a command), cause. The leaf is that of the oldest UPSERT that stands,
zeros if only DELETEs do, so that a DELETE can subtract without the memory's content.
Invariant: equal facts give equal bytes, so taking a fact back restores the row bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from streams.core.leaf import Leaf
from streams.core.presence import NO_BLOCK, Fact, Presence

UPSERT = 1
DELETE = 0
HEAD = 64
_FACT = Struct(">Bq32s32s")
_NO_HASH = bytes(32)
_NO_LEAF = Leaf(bytes(32), bytes(32))
_NO_FACTS = Presence()


def pack_fact(op: int, number: int, block_hash: bytes, cause: bytes) -> bytes:
    """One fact."""
    return _FACT.pack(op, number, block_hash or _NO_HASH, cause)


@dataclass(frozen=True, slots=True)
class Row:
    """One memory. Immutable."""

    leaf: Leaf = _NO_LEAF
    presence: Presence = _NO_FACTS

    @classmethod
    def of(cls, wire: bytes) -> Row:
        """The inverse of ``bytes``."""
        upserts, deletes = set[Fact](), set[Fact]()
        for op, number, block_hash, cause in _FACT.iter_unpack(wire[HEAD:]):
            fact = Fact(cause, NO_BLOCK if number < 0 else block_hash, number)
            (upserts if op == UPSERT else deletes).add(fact)
        return cls(Leaf(wire[:32], wire[32:HEAD]), Presence(frozenset(upserts), frozenset(deletes)))

    def __bytes__(self) -> bytes:
        facts = [pack_fact(UPSERT, fact.block_number, fact.block_hash, fact.cause) for fact in self.presence.upserts]
        facts += [pack_fact(DELETE, fact.block_number, fact.block_hash, fact.cause) for fact in self.presence.deletes]
        return b"".join((*self.leaf, *sorted(facts)))

    def upsert(self, fact: Fact, leaf: Leaf) -> Row:
        """With an UPSERT more; ``leaf`` counts if it is the only one."""
        return Row(self.leaf if self.presence.upserts else leaf, self.presence.upsert(fact))

    def delete(self, fact: Fact) -> Row:
        """With a DELETE more."""
        return Row(self.leaf, self.presence.delete(fact))

    def without(self, fact: Fact) -> Row:
        """With this fact taken back."""
        presence = self.presence.without(fact)
        return Row(self.leaf if presence.upserts else _NO_LEAF, presence)

    def live(self) -> bool:
        """Whether the memory is live."""
        return self.presence.live()

    def live_on_chain(self) -> bool:
        """Whether it would be live if there were no commands."""
        facts = self.presence
        return Presence(_of_blocks(facts.upserts), _of_blocks(facts.deletes)).live()


def live_leaf(wire: bytes) -> Leaf | None:
    """The leaf of a stored row, if the memory is live. One look for the usual row, which holds one UPSERT."""
    if len(wire) == HEAD + _FACT.size:
        return Leaf(wire[:32], wire[32:HEAD]) if wire[HEAD] == UPSERT else None
    row = Row.of(wire)
    return row.leaf if row.live() else None


def _of_blocks(facts: frozenset[Fact]) -> frozenset[Fact]:
    return frozenset(fact for fact in facts if fact.block_hash != NO_BLOCK)
