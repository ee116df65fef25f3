"""The chain's log in memory, held to the same rules as the one on Kafka: one writer, atomic appends, decoded on reading."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.codec import codec
from schemas.records import BlockNotification
from streams.core.block import BlockRef
from streams.core.forkview import ForkView
from streams.producer.log import Position, Staged, UncertainWriteError
from streams.producer.resume import replay


class MemoryLog:
    """``fail``: outcomes of the next appends; "lost" and "landed" are writes that were not confirmed."""

    def __init__(self, keep: int = 1024) -> None:
        self.notifications: list[BlockNotification] = []
        self.partitions: list[list[bytes]] = []
        self.transactions: list[int] = []
        self.fail: list[str] = []
        self.opened = 0
        self._keep = keep

    async def open(self) -> Position:
        self.opened += 1
        view, sequence = replay(self.notifications[-self._keep :])
        first = BlockRef.of(self.notifications[0]["block"]) if self.notifications else None
        return Position(view, sequence, first)

    async def older(self, known: ForkView) -> ForkView:
        count = 2 * max(self._keep, len(known.blocks))
        while True:
            view, _ = replay(self.notifications[-count:])
            if count >= len(self.notifications) or view.blocks[0].number < known.blocks[0].number:
                return view
            count *= 2

    async def append(self, staged: Sequence[Staged]) -> None:
        outcome = self.fail.pop(0) if self.fail else "ok"
        if outcome != "lost":
            self._write(staged)
        if outcome != "ok":
            raise UncertainWriteError(f"the write was {outcome}")

    def _write(self, staged: Sequence[Staged]) -> None:
        self.transactions.append(len(staged))
        for one in staged:
            name, record = codec().decode(one.notification)
            assert name == "BlockNotification"
            assert record["sequence"] == len(self.notifications), "sequences have no gaps"
            self.notifications.append(record)
            for number, part in enumerate(one.partitions):
                if number == len(self.partitions):
                    self.partitions.append([])
                self.partitions[number] += [value for _, value in part]

    async def close(self) -> None:
        """Nothing to release."""

    def steps(self, step: str) -> list[BlockNotification]:
        return [record for record in self.notifications if record["step"] == step]
