"""What the simulated chain does next: grows, reorganises, also below finality, flips back, goes back in silence."""

from __future__ import annotations

from random import Random

from tests.sim.node import SimNode
from tests.sim.parameters import Parameters


class Miner:
    """No move goes below what the node has settled, unless ``below_finality``."""

    def __init__(self, node: SimNode, parameters: Parameters, random: Random) -> None:
        self._node = node
        self._parameters = parameters
        self._random = random

    def move(self) -> str:
        """Does one thing and says what."""
        random, parameters, node = self._random, self._parameters, self._node
        depth = min(random.randint(1, parameters.reorg_depth), self._deepest())
        if depth > 0 and random.random() < parameters.reorg_rate:
            new = random.randint(1, depth) if random.random() < parameters.shorter_rate else depth + random.randint(0, 2)
            node.reorg(depth, new)
            return f"reorg of {depth} by {new} to {node.head}"
        if depth > 0 and random.random() < parameters.rewind_rate:
            node.rewind(depth)
            return f"back by {depth} to {node.head}"
        if node.versions and random.random() < parameters.flip_rate and self._may_flip():
            node.flip()
            return f"flip to {node.head}"
        node.extend(random.randint(1, 3))
        return f"grown to {node.head}"

    def _deepest(self) -> int:
        floor = 0 if self._parameters.below_finality else self._node.settled
        return self._node.head.number - floor

    def _may_flip(self) -> bool:
        other = self._node.versions[-1]
        if self._parameters.below_finality:
            return True
        ours = {block.ref.hash for block in self._node.branch[: self._node.settled + 1]}
        return len(ours) <= len(other) and all(block.ref.hash in ours for block in other[: self._node.settled + 1])
