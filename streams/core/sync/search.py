"""Bisection: the first of some places at which two sides differ, given that they differ from there on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


async def first_difference(count: int, equal: Callable[[int], Awaitable[bool]]) -> int:
    """The least index below ``count`` that is not ``equal``; ``count`` if all are. Asks at most log2(count) + 2 times."""
    if count == 0 or await equal(count - 1):
        return count
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if await equal(middle):
            low = middle + 1
        else:
            high = middle
    return low
