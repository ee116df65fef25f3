"""Records that were set aside to be tried again later, and whose turn it is. Pure.

A record that fails for something that may pass waits in a retry topic; what comes after it of the same key waits behind it. So
a key's records are settled in the order they came, whatever pauses their copies wait for. Assumes ``offset`` orders the records
of one name (source topic and key). Invariant: only the first of a name may be tried; each record waits once.
"""

from __future__ import annotations

from collections.abc import Iterable

PAUSES = (5.0, 60.0, 600.0)
"""Seconds a copy waits, by tier. After the last one there is no other try."""
MOST = 10_000
"""Records that may wait in one partition."""
Name = tuple[str, bytes | None]


class Waiting:
    """What waits in one partition, by name: each record's offset and the tier its copy lies in."""

    def __init__(self, found: Iterable[tuple[Name, int, int]] = ()) -> None:
        """``found``: (name, offset, tier) of all copies that are still to be read, in any order."""
        self._tiers: dict[Name, dict[int, int]] = {}
        self.count = 0
        for name, offset, tier in sorted(found, key=lambda each: each[1]):
            self.put(name, offset, tier)

    @property
    def full(self) -> bool:
        """Whether no other record may be set aside."""
        return self.count >= MOST

    @property
    def roomy(self) -> bool:
        """Whether so few wait that one that was full may take more, and is not full again at once."""
        return self.count <= MOST // 2

    def holds(self, name: Name, offset: int) -> bool:
        """Whether this record waits already."""
        return offset in self._tiers.get(name, ())

    def place(self, name: Name, offset: int) -> int | None:
        """None if it is this record's turn; else the tier to wait in, which is that of the first of its name."""
        tiers = self._tiers.get(name)
        first = next(iter(tiers), offset) if tiers else offset
        return None if first == offset or tiers is None else tiers[first]

    def put(self, name: Name, offset: int, tier: int) -> None:
        """Sets it aside, or into another tier."""
        tiers = self._tiers.setdefault(name, {})
        self.count += offset not in tiers
        tiers[offset] = tier

    def settle(self, name: Name, offset: int) -> None:
        """It waits no more."""
        tiers = self._tiers.get(name)
        if tiers is not None and tiers.pop(offset, None) is not None:
            self.count -= 1
            if not tiers:
                del self._tiers[name]


def next_tier(attempts: int) -> int | None:
    """Where a record goes that has failed so often; None: to the dead letters."""
    return attempts - 1 if attempts <= len(PAUSES) else None
