"""The canonical chain as an independent reader would have it, and which notes live on it.

Invariant: everything here is read from canonical blocks alone, in order, so it is what a single-thread fold must find.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from connectors.chain.devchain.chain import DevChain
from connectors.chain.devchain.shapes import block_json, receipts_json, transactions_json
from connectors.chain.devchain.world import Stored
from streams.core.block import BlockRef


class CanonicalBlock(NamedTuple):
    """``block`` as eth_getBlockByHash with full transactions gives it, ``receipts`` as eth_getBlockReceipts does."""

    ref: BlockRef
    block: dict[str, Any]
    receipts: list[dict[str, Any]]


def canonical(chain: DevChain, start: int = 0) -> Iterator[CanonicalBlock]:
    """Canonical blocks from height ``start`` to the head as of the call."""
    for built in chain.line(start):
        block = built.block
        yield CanonicalBlock(block.ref, block_json(block, list(transactions_json(block))), receipts_json(block))


def live_notes(chain: DevChain) -> dict[bytes, Stored]:
    """Notes stored and not forgotten on the canonical chain, by memory id."""
    stored: dict[bytes, Stored] = {}
    gone: set[bytes] = set()
    for built in chain.line():
        stored.update((item.memory_id, item) for item in built.stored)
        gone |= built.forgotten
    return {memory_id: item for memory_id, item in stored.items() if memory_id not in gone}
