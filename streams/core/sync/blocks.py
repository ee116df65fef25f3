"""What a store holds of each stretch of blocks, summed up from the beginning, so that bisection finds the first that differs.

Stretches are of 2^shift blocks, as few as keep their number within ``STRETCHES``; both sides take the shift from the height
they compare at. A stretch is the sum of its elements modulo 2^256, and the chain hashes one sum after the other.
Invariant: chains up to a stretch are equal iff the facts of all stretches up to it are. (Sums find honest differences; the
tree over agents, which hashes, is what convicts.)
"""

from __future__ import annotations

from blake3 import blake3

STRETCHES = 65_536
_DOMAIN = b"monmouth/sync/blocks/1"
_MODULUS = 1 << 256


def shift_for(height: int) -> int:
    """How many times to halve heights up to ``height``, so that there are at most ``STRETCHES`` of them."""
    return max(0, (height // STRETCHES).bit_length())


class BlockSums:
    """Takes elements in any order; ``chain`` when all are in."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.shift = shift_for(height)
        self._sums: dict[int, int] = {}

    def add(self, number: int, element: bytes) -> None:
        """One fact of a block."""
        at = number >> self.shift
        self._sums[at] = (self._sums.get(at, 0) + int.from_bytes(element, "big")) % _MODULUS

    def chain(self) -> BlockChain:
        """The sums, hashed one after the other."""
        digests, last = [], bytes(32)
        for at in range((self.height >> self.shift) + 1):
            if total := self._sums.get(at, 0):
                last = blake3(_DOMAIN + last + at.to_bytes(8, "big") + total.to_bytes(32, "big")).digest()
            digests.append(last)
        return BlockChain(b"".join(digests))


class BlockChain:
    """Digest of all facts up to each stretch."""

    def __init__(self, digests: bytes) -> None:
        self._digests = digests

    def __len__(self) -> int:
        return len(self._digests) // 32

    def __getitem__(self, stretch: int) -> bytes:
        if not 0 <= stretch < len(self):
            raise IndexError(stretch)
        return self._digests[32 * stretch : 32 * (stretch + 1)]
