"""Answers about blocks as JSON bytes, made once and kept for the blocks asked for last.

Invariant: an entry depends on the block alone, never on which branch is canonical, so no change of the head makes it wrong.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import orjson

from connectors.chain.devchain.block import Block
from connectors.chain.devchain.shapes import block_json, data, receipts_json, transactions_json

CAPACITY = 512


class Answers:
    """A bounded cache, least recently used out first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()

    def full(self, block: Block) -> bytes:
        """The block with transaction objects."""
        return self._get("full", block, lambda: block_json(block, list(transactions_json(block))))

    def slim(self, block: Block) -> bytes:
        """The block with transaction hashes."""
        return self._get("slim", block, lambda: block_json(block, [data(item.hash) for item in block.transactions]))

    def receipts(self, block: Block) -> bytes:
        """The block's receipts."""
        return self._get("receipts", block, lambda: receipts_json(block))

    def _get(self, form: str, block: Block, make: Callable[[], object]) -> bytes:
        key = (form, block.hash)
        found = self._kept.pop(key, None)
        if found is None:
            found = orjson.dumps(make())
        self._kept[key] = found
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return found
