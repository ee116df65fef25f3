"""Sizes of a run, and rows as they are printed: p50, p95, p99, rate, the limit beside it, the target if there is one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from streams.ranks import quantile

CONTENT_LIMIT = 64 * 1024
"""Most bytes of one memory."""
MOST = 5


@dataclass(frozen=True, slots=True)
class Size:
    """``size``: bytes of a text; a memory takes at most ``CONTENT_LIMIT`` of them."""

    agents: int
    messages: int
    size: int

    @property
    def few(self) -> int:
        """Runs of what moves the whole pipeline."""
        return max(1, min(MOST, self.messages // 20))

    def text(self, number: int) -> str:
        """Of the size, and like no other."""
        words = f"note {number}: the pool pays {number % 97} percent. "
        length = min(self.size, CONTENT_LIMIT)
        return (words + "Nothing else is said of it. " * (length // 20))[:length]


TINY = Size(3, 6, 256)
SIZES = {"tiny": TINY, "small": Size(10, 100, 1_024), "medium": Size(100, 1_000, 10_240), "large": Size(1_000, 10_000, 102_400)}


@dataclass(frozen=True, slots=True)
class Row:
    """``seconds``: of each call. ``wall``: of all together. ``limit``: what it cannot be quicker than, and seconds of that.

    ``target``: most milliseconds that the product's changelog names for it.
    """

    name: str
    seconds: list[float]
    wall: float
    limit: tuple[str, list[float]]
    target: float | None = None

    @property
    def ratio(self) -> float:
        """Median over the limit's."""
        return quantile(self.seconds, 0.5) / quantile(self.limit[1], 0.5)

    def __str__(self) -> str:
        p50, p95, p99 = (1000 * quantile(self.seconds, share) for share in (0.5, 0.95, 0.99))
        low = 1000 * quantile(self.limit[1], 0.5)
        target = "" if self.target is None else f"; target {self.target:g} ms: p95 is {p95 / self.target:.2f} of it"
        rate = len(self.seconds) / self.wall
        return (
            f"  {self.name:34}{len(self.seconds):>8,}{p50:>10.2f}{p95:>10.2f}{p99:>10.2f}{rate:>12,.1f}"
            f"   {self.ratio:.2f} x {self.limit[0]} ({low:.2f} ms){target}"
        )


HEADER = f"  {'':34}{'calls':>8}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'a second':>12}   beside"


async def timed(count: int, call: Callable[[int], Awaitable[object]]) -> tuple[list[float], float]:
    """Seconds of each of ``count`` calls, one after the other, and of all."""
    seconds, began = [], time.perf_counter()
    for number in range(count):
        since = time.perf_counter()
        await call(number)
        seconds.append(time.perf_counter() - since)
    return seconds, time.perf_counter() - began
