"""Nearest vectors over several agents."""

from __future__ import annotations

from collections.abc import Set
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streams.ports.stores import Hit


@runtime_checkable
class PooledSearch(Protocol):
    """Looks at the agents it is given and at no other: who may be asked of is the caller's to know."""

    async def nearest(self, agents: Set[bytes], vector: NDArray[np.float32], limit: int) -> list[Hit]:
        """Nearest vectors of these agents by cosine, best first; equal ones by agent and id."""
