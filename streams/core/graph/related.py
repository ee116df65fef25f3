"""Who is close to those whom a question names: a cue for retrieval.

A memory that names an address strongly linked to one in the question may answer it though it shares no word with it. The cue
is a small bonus on top of what text says, never a filter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from streams.core.graph.snapshot import Snapshot
from streams.core.graph.tally import SCALE

LIMIT = 64
"""Addresses that get a weight."""
_ADDRESS = re.compile(r"0x([0-9a-fA-F]{40})(?![0-9a-fA-F])")
_SHORT = re.compile(r"0x([0-9a-fA-F]{8})(?![0-9a-fA-F])")
SHORT_BYTES = 4


def named(text: str) -> set[bytes]:
    """Addresses in a text: whole ones (20 bytes), and first four bytes of shortened ones, as memories write: 0x12345678…"""
    return {bytes.fromhex(found) for pattern in (_ADDRESS, _SHORT) for found in pattern.findall(text)}


def related(graph: Snapshot, agent: bytes, addresses: Collection[bytes]) -> dict[bytes, float]:
    """Weight from 0 to 1 by address, of up to LIMIT neighbours of ``addresses`` (whole, or their first four bytes).

    What a neighbour has in common with several of them adds up, to at most 1. The agent itself, in whose memories everything
    is about it, and ``addresses`` themselves, which text finds, are left out.
    """
    asked = {node for node in graph.nodes if node in addresses or node[:SHORT_BYTES] in addresses} - {agent}
    found: dict[bytes, int] = {}
    for node in asked:
        for other, weight in graph.neighbours(node).items():
            if other != agent and other not in asked:
                found[other] = min(SCALE, found.get(other, 0) + weight)
    best = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:LIMIT]
    return {node: weight / SCALE for node, weight in best}


def bonus(weights: Mapping[bytes, float], text: str) -> float:
    """The cue for one memory, from 0 to 1: the greatest weight of an address that its text names."""
    by_start = {node[:SHORT_BYTES]: weight for node, weight in sorted(weights.items(), key=lambda pair: pair[1])}
    return max((weights.get(name, by_start.get(name, 0.0)) for name in named(text)), default=0.0)
