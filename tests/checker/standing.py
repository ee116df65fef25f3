"""Which records of a log stand: those outside blocks, and those of blocks that no later UNDO removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.checker.events import Entry, Marker


@dataclass
class Standing:
    """A log folded by its markers. ``blocks``: (hash, entries) oldest first. ``open``: entries of no marker yet."""

    blocks: list[tuple[str, list[Entry]]] = field(default_factory=list)
    outside: list[Entry] = field(default_factory=list)
    open: list[Entry] = field(default_factory=list)

    @property
    def entries(self) -> list[Entry]:
        """Everything that stands, blocks first."""
        return [entry for _, entries in self.blocks for entry in entries] + self.outside + self.open


def fold(items: Iterable[Entry | Marker]) -> Standing:
    """Folds a log in offset order. Believes its markers: ``markers`` judges them."""
    at = Standing()
    for item in items:
        if isinstance(item, Entry):
            (at.outside if item.block is None else at.open).append(item)
        elif item.step == "NEW":
            at.blocks.append((item.block, at.open))
            at.open = []
        elif item.step == "UNDO":
            gone = set(item.removed)
            at.blocks = [(block, entries) for block, entries in at.blocks if block not in gone]
    return at


def undone(items: Iterable[Entry | Marker]) -> dict[str, list[tuple[int, bool]]]:
    """Of each block, the sequences at which it began to stand (True) or ceased to (False), in order."""
    found: dict[str, list[tuple[int, bool]]] = {}
    for item in items:
        if isinstance(item, Marker) and item.step == "NEW":
            found.setdefault(item.block, []).append((item.sequence, True))
        elif isinstance(item, Marker) and item.step == "UNDO":
            for block in item.removed:
                found.setdefault(block, []).append((item.sequence, False))
    return found
