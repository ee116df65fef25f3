"""Links between memories: a memory that is strongly linked to one that answers a question is likely to belong to the answer.

Assumes links and documents come and go in any order; an end that is not there is no end.
Invariants: pure; a link speaks in both directions, whatever its relation; of a memory's links the MOST strongest count, so that
one memory linked to all others costs no more than any; the same links give the same rows in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.records import Memory

STRONG = 0.7
"""A link counts if it is stronger."""
MOST = 16
BYTES = 320
"""Held for one link, Python's objects estimated."""

Floats = NDArray[np.float32]


class Link(NamedTuple):
    """Two memories that belong together."""

    source: bytes
    target: bytes
    strength: float


def links_of(memory: Memory) -> tuple[Link, ...]:
    """What a memory or an amendment says of memories that belong together, where it says so strongly."""
    return tuple(
        Link(edge["source"] or memory["id"], edge["target"], edge["strength"])
        for edge in memory["edges"]
        if edge["kind"] == "LINK" and edge["strength"] > STRONG
    )


@dataclass(frozen=True, slots=True)
class Linked:
    """Pairs of rows, each link in both directions: ``of`` is linked to ``to``."""

    of: NDArray[np.int64]
    to: NDArray[np.int64]
    strength: Floats

    def best(self, values: Floats) -> Floats:
        """For each row the greatest value of those linked to it, times the link's strength; NaN where nothing is."""
        found = np.full(len(values), -np.inf, np.float32)
        np.maximum.at(found, self.of, self.strength * values[self.to])
        found[np.isneginf(found)] = np.nan
        return found


def joined(links: Iterable[Link], row: Mapping[bytes, int]) -> Linked:
    """The links among the memories that have a row."""
    ends: dict[bytes, dict[bytes, float]] = {}
    for source, target, strength in links:
        if source in row and target in row and source != target:
            for one, other in ((source, target), (target, source)):
                known = ends.setdefault(one, {})
                known[other] = max(strength, known.get(other, 0.0))
    pairs = [
        (row[one], row[other], strength)
        for one, known in ends.items()
        for other, strength in sorted(known.items(), key=lambda each: (-each[1], each[0]))[:MOST]
    ]
    of, to, strengths = zip(*pairs, strict=True) if pairs else ((), (), ())
    return Linked(np.array(of, np.int64), np.array(to, np.int64), np.array(strengths, np.float32))
