"""A published root."""

from __future__ import annotations

from dataclasses import dataclass

from streams.core.block import BlockRef
from streams.serving.addresses import to_hex
from streams.serving.wire import Block, RootView


@dataclass(frozen=True, slots=True)
class Root:
    """What memory.roots says of one agent. ``block``: newest block applied when it was written."""

    agent: bytes
    count: int
    checksum: bytes
    merkle_root: bytes
    block: BlockRef | None

    def view(self) -> RootView:
        """The answer's form."""
        return RootView(
            agent=to_hex(self.agent),
            count=self.count,
            checksum=to_hex(self.checksum),
            merkle_root=to_hex(self.merkle_root),
            block=Block.of(self.block),
        )
