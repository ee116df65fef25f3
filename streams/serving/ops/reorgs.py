"""The last reorganisations: how deep, written when, and when the stream agents had healed. Pure.

A stream agent's partition has healed once its standing is at or past the UNDO; a reorganisation has, once all of them have.
Times are the log's own (the broker dates each record), so they do not depend on who looks. Invariants: at most ``KEPT`` are
held; how long it took is told only if every partition was seen to cross the UNDO, so not of what lies before this process
began to look.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from streams.core.block import BlockRef
from streams.core.canonical import ChainStep, Reorg

KEPT = 32
Place = tuple[str, int]
"""A stream agent and its partition."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a stream agent's partition stands, since ``at_ms``. ``offsets``: next to read of each input.

    ``before``: the sequence that it stood at until then, None if that was not seen.
    """

    sequence: int
    block: BlockRef | None
    offsets: Mapping[str, int]
    at_ms: int
    before: int | None = None


@dataclass(slots=True)
class Healing:
    """``waits_for``: who is not through yet. ``known``: everybody who is through was seen to get through."""

    reorg: Reorg
    at_ms: int
    last_ms: int
    known: bool
    waits_for: set[Place] = field(default_factory=set)

    @property
    def heal_ms(self) -> int | None:
        """From the UNDO in the log to the last stream agent past it; None if that is not known, or not over."""
        return max(0, self.last_ms - self.at_ms) if self.known and not self.waits_for else None


class Reorgs:
    """Fed with steps of the chain and standings of stream agents."""

    def __init__(self) -> None:
        self._held: deque[Healing] = deque(maxlen=KEPT)

    def __iter__(self) -> Iterator[Healing]:
        return iter(self._held)

    def take(self, step: ChainStep, at_ms: int, standings: Mapping[Place, Stand]) -> None:
        """An UNDO that was written at ``at_ms``."""
        assert step.ancestor is not None
        reorg = Reorg(step.sequence, len(step.removed), step.removed[0], step.ancestor)
        behind = {place for place, stand in standings.items() if stand.sequence < step.sequence}
        through = [stand for stand in standings.values() if stand.sequence >= step.sequence]
        known = bool(standings) and all(stand.before is not None and stand.before < step.sequence for stand in through)
        last = max((stand.at_ms for stand in through), default=at_ms)
        self._held.append(Healing(reorg, at_ms, last, known, behind))

    def stands(self, place: Place, stand: Stand) -> None:
        """A stream agent's partition has come further."""
        for healing in self._held:
            if place in healing.waits_for and stand.sequence >= healing.reorg.sequence:
                healing.waits_for.discard(place)
                healing.last_ms = max(healing.last_ms, stand.at_ms)
