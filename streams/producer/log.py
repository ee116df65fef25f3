"""The chain's log as the producer uses it: a position read back from it, and atomic appends.

Invariant: after ``append`` returned, all of it is in the log; after it raised UncertainWriteError, all or nothing is, and
``open`` tells which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.core.block import BlockRef
from streams.core.forkview import ForkView
from streams.errors import Category, MonmouthError, Severity

EMPTY = ForkView()


class UncertainWriteError(MonmouthError):
    """The broker did not say whether the write is in the log. Open the log again to see."""

    category = Category.NETWORK
    severity = Severity.MEDIUM


@dataclass(frozen=True, slots=True)
class Position:
    """Where the log ends. ``sequence``: number of the next notification. ``first``: the first block ever written."""

    view: ForkView = EMPTY
    sequence: int = 0
    first: BlockRef | None = None


@dataclass(slots=True)
class Staged:
    """One notification and all that goes in front of it. ``partitions[p]``: (key, value) in order, the marker last."""

    notification: bytes
    partitions: list[list[tuple[bytes | None, bytes]]]
    records: int = 0
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.notification) + sum(len(value) for part in self.partitions for _, value in part)


class ChainLog(Protocol):
    """Written by one producer at a time."""

    async def open(self) -> Position:
        """Shuts out any other writer, then reads the position. Raises FencedError if another one wrote since we did."""

    async def older(self, known: ForkView) -> ForkView:
        """The view with blocks older than the oldest of ``known``, which is not empty; without, if the log holds no more."""

    async def append(self, staged: Sequence[Staged]) -> None:
        """Writes all of it in one transaction. Raises FencedError or UncertainWriteError."""

    async def close(self) -> None:
        """Releases connections; safe to call twice."""
