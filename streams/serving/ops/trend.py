"""Where a series is heading: a straight line through it by least squares, and how far it may be trusted. Pure.

Assumes that what is left beside the line is independent noise, which holds for short spans at best; so a forecast comes with
its 95 % interval, and none is given where the points are few or the line explains next to nothing of them. Assumes
numbers whose squares are numbers, which is what the board is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

LEAST = 20
"""Points without which there is no line."""
TOLD = 0.3
"""Share of the variance that the line must explain before it is called a direction."""
Z95 = 1.96

Direction = Literal["rising", "falling", "steady"]


@dataclass(frozen=True, slots=True)
class Trend:
    """``slope``: per second; ``first`` and ``last``: the line at both ends of the points.

    ``ahead``: its value ``horizon`` seconds after the last point, ``low`` and ``high`` the 95 % interval there; None where the
    line tells no direction.
    """

    direction: Direction
    slope: float
    explained: float
    first: float
    last: float
    horizon: int
    ahead: float | None = None
    low: float | None = None
    high: float | None = None


def trend(values: Sequence[float | None], step: int, horizon: int) -> Trend | None:
    """Through ``values``, ``step`` seconds apart; None if there are fewer than ``LEAST``."""
    points = [(index * step, value) for index, value in enumerate(values) if value is not None]
    count = len(points)
    if count < LEAST:
        return None
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    total = sum((y - mean_y) ** 2 for _, y in points)
    left = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    explained = 1 - left / total if total > 1e-12 * max(1.0, mean_y * mean_y) else 0.0
    end = (len(values) - 1) * step

    def line(x: float) -> float:
        return mean_y + slope * (x - mean_x)

    if explained < TOLD:
        return Trend("steady", slope, explained, line(0), line(end), horizon)
    x = end + horizon
    error = math.sqrt(left / (count - 2)) * math.sqrt(1 + 1 / count + (x - mean_x) ** 2 / spread)
    ahead = line(x)
    return Trend(
        "rising" if slope > 0 else "falling",
        slope,
        explained,
        line(0),
        line(end),
        horizon,
        ahead,
        ahead - Z95 * error,
        ahead + Z95 * error,
    )
