"""What a reorg takes back that the new branch does not bring again: transactions that were mined and now are not.

Counted from blocks this producer published and from the part of the new branch that is taken over with the undo. Blocks from
before its start, or beyond the bounds, are not known: the count is then a lower bound and says so.
Invariant: what is remembered is bounded in blocks and in transactions; settled blocks are not remembered at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from streams.core.block import BlockRef
from streams.ports.chain import Block

MAX_BLOCKS = 1_024
MAX_TRANSACTIONS = 200_000


@dataclass(frozen=True, slots=True)
class Conflicts:
    """``count``: removed transactions that the new branch lacks; ``unknown``: removed blocks that could not be looked into."""

    count: int
    unknown: int = 0

    def __str__(self) -> str:
        return f"{self.count} transactions lost" if not self.unknown else f"at least {self.count} transactions lost"


class RecentTransactions:
    """Hashes of the transactions of blocks that may still be undone."""

    def __init__(self, blocks: int = MAX_BLOCKS, transactions: int = MAX_TRANSACTIONS) -> None:
        self._blocks: OrderedDict[bytes, tuple[bytes, ...]] = OrderedDict()
        self._limits = blocks, transactions
        self._held = 0

    def note(self, block: Block) -> None:
        """Remembers a block that joined the chain."""
        self._forget(block.ref.hash)
        hashes = tuple(transaction["hash"] for transaction in block.transactions)
        self._blocks[block.ref.hash] = hashes
        self._held += len(hashes)
        while len(self._blocks) > self._limits[0] or self._held > self._limits[1]:
            self._forget(next(iter(self._blocks)))

    def conflicts(self, removed: Sequence[BlockRef], branch: Sequence[Block]) -> Conflicts:
        """What ``removed`` held and ``branch`` lacks. The removed blocks are forgotten."""
        kept = {transaction["hash"] for block in branch for transaction in block.transactions}
        count = unknown = 0
        for ref in removed:
            hashes = self._forget(ref.hash)
            unknown += hashes is None
            count += sum(digest not in kept for digest in hashes or ())
        return Conflicts(count, unknown)

    def _forget(self, block: bytes) -> tuple[bytes, ...] | None:
        hashes = self._blocks.pop(block, None)
        self._held -= len(hashes or ())
        return hashes
