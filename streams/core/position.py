"""Where a fold goes on after a start: from committed offsets, what the log still holds, and the last checkpoint.

Invariant: a position is never guessed. Nothing was ever committed and the log is whole: its beginning. Committed: just there.
Commits expired, but a checkpoint is left: where that stood. Anything else is a lost position, and the gap is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.core.block import BlockRef
from streams.core.checkpoint import NOWHERE, Checkpoint
from streams.errors import PositionLostError

HINT = "Nothing was skipped. Rebuild from an archive: docs/replay.md. Without one: docs/deploy.md, 'A gap in the log'."


@dataclass(frozen=True, slots=True)
class Standing:
    """``offsets``: next to read, per input topic. ``sequence`` and ``head``: of the last marker in front of it, if known.

    ``first``: sequence the first marker must have; None if any will do.
    """

    offsets: dict[str, int]
    sequence: int | None = None
    head: BlockRef | None = None
    first: int | None = None


def beginning(topics: Mapping[str, int]) -> Standing:
    """The standing of a fold that has read nothing; ``topics``: first offset the log holds. Raises PositionLostError."""
    for topic, first in topics.items():
        if first > 0:
            raise PositionLostError(f"{topic}: offsets 0 to {first - 1} are needed and no longer in the log", HINT)
    return Standing(dict.fromkeys(topics, 0), first=0)


def stand(
    marked: str, committed: Mapping[str, int | None], bounds: Mapping[str, tuple[int, int]], tip: Checkpoint | None
) -> Standing:
    """The standing from ``committed`` offsets and ``bounds`` (first, next) of each input topic; ``marked`` carries the markers.

    Raises PositionLostError.
    """
    offsets: dict[str, int] = {}
    for topic, (first, stop) in bounds.items():
        position = committed.get(topic)
        if position is None:
            position = tip.offsets.get(topic, 0) if tip is not None else 0
        if position < first:
            raise PositionLostError(f"{topic}: offsets {position} to {first - 1} are due and no longer in the log", HINT)
        if position > stop:
            raise PositionLostError(
                f"{topic}: position {position} lies behind the end of the log, {stop}; was it made anew?", HINT
            )
        offsets[topic] = position
    return named(marked, offsets, tip)


def named(marked: str, offsets: dict[str, int], tip: Checkpoint | None) -> Standing:
    """The standing at ``offsets``, with the sequence and head of ``tip`` if that speaks of the same position."""
    if tip is not None and tip.offsets.get(marked) == offsets[marked] and tip.at.sequence >= 0:
        return Standing(offsets, tip.at.sequence, None if tip.at.block == NOWHERE else tip.at.block)
    return Standing(offsets, first=0 if offsets[marked] == 0 else None)


def can_reach(local: Mapping[str, int], goal: Mapping[str, int]) -> bool:
    """Whether a fold at ``local`` offsets only has to read on to be at ``goal``."""
    return local.keys() == goal.keys() and all(local[topic] <= goal[topic] for topic in goal)
