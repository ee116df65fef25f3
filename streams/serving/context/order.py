"""The order in which a context is handed out. Pure.

Models attend best to what stands at the beginning and at the end of a long context and least to its middle; ``edges`` puts the
best items there.
Invariant: an order is a permutation; which items are handed out is decided before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Order = Literal["score", "time", "edges"]


def arranged(best_first: Sequence[T], order: Order, time: Callable[[T], Any]) -> list[T]:
    """``score``: as they come; ``time``: oldest first; ``edges``: the best first, the next best last, and so on inwards."""
    match order:
        case "score":
            return list(best_first)
        case "time":
            return sorted(best_first, key=time)
        case "edges":
            return [*best_first[::2], *reversed(best_first[1::2])]
