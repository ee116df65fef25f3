"""Neighbourhoods and paths in a snapshot. Edges count in both directions; ties go to the smaller node, so answers are fixed."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

from streams.core.graph.snapshot import Snapshot
from streams.core.graph.tally import SCALE

MAX_DEPTH = 3


class Reached(NamedTuple):
    """A node found. ``weight``: of all edges to the node it was found from."""

    node: bytes
    depth: int
    through: bytes
    weight: int


def neighbourhood(graph: Snapshot, start: bytes, depth: int, limit: int) -> list[Reached]:
    """Up to ``limit`` nodes within ``depth`` steps (at most MAX_DEPTH), nearest first, then by weight."""
    seen, found, edge = {start}, list[Reached](), [start]
    for step in range(1, min(depth, MAX_DEPTH) + 1):
        level: dict[bytes, Reached] = {}
        for node in edge:
            for other, weight in graph.neighbours(node).items():
                if other not in seen and (other not in level or weight > level[other].weight):
                    level[other] = Reached(other, step, node, weight)
        ranked = sorted(level.values(), key=lambda reached: (-reached.weight, reached.node))[: limit - len(found)]
        found += ranked
        seen |= level.keys()
        edge = [reached.node for reached in ranked]
        if len(found) >= limit or not edge:
            break
    return found


def path(graph: Snapshot, start: bytes, end: bytes) -> list[bytes] | None:
    """Nodes of the shortest path, both ends included, where a step costs 1 / weight; None if there is none."""
    best: dict[bytes, tuple[int, bytes | None]] = {start: (0, None)}
    done: set[bytes] = set()
    queue: list[tuple[int, bytes]] = [(0, start)]
    while queue:
        cost, node = heappop(queue)
        if node in done:
            continue
        done.add(node)
        if node == end:
            return _back(best, end)
        for other, weight in graph.neighbours(node).items():
            reached = cost + SCALE * SCALE // weight
            if other not in done and (other not in best or (reached, node) < (best[other][0], best[other][1] or b"")):
                best[other] = (reached, node)
                heappush(queue, (reached, other))
    return None


def _back(best: dict[bytes, tuple[int, bytes | None]], end: bytes) -> list[bytes]:
    nodes, node = [], end
    while True:
        nodes.append(node)
        before = best[node][1]
        if before is None:
            return nodes[::-1]
        node = before
