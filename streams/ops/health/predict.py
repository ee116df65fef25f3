"""When a value will reach its limit, with the error of that statement; or that there is no trend. Pure and deterministic.

The model: a level that drifts by the same amount at each step, seen with noise, of which the share ``gain`` stays in the level.
Gain 0 is a straight line with noise, 1 a random walk with drift, and between them lies Holt's exponential smoothing. Gains are
weighed by how well each explains the series, and so is the uncertainty of drift and noise, so the interval is wide where the
series says little. The interval holds the moment at which the value is first *seen* at its limit, with that probability.
Assumes looks at about equal distances, and noise without a rhythm longer than a few looks. Single spikes are passed over.
How often it is right: ``monmouth health backtest`` counts it on generated series of many shapes.
Invariants: nothing is said of less than ``LEAST`` looks, nor of values that cannot be reckoned with, nor without a drift that
is surely upwards, nor of a moment further away than ``AHEAD`` times what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.ops.health.finding import Level
from streams.ops.reports import is_number

LEAST = 12
AHEAD = 3
CONFIDENCE = 0.9
SURE = 0.99
"""Probability of an upward drift from which on there is a trend."""
DRAWS = 1_000
GAINS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0)
SPIKE = 6.0
"""Deviations from its neighbours that make one value a spike."""
NEIGHBOURS = 3

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Breach:
    """Seconds from the newest look: most likely ``expected``, and between ``earliest`` and ``latest`` with ``confidence``."""

    expected: float
    earliest: float
    latest: float
    confidence: float = CONFIDENCE

    def told(self, level: Level) -> str:
        """As a sentence."""
        unit, name = (3600.0, "h") if self.latest > 2 * 3600 else (60.0, "min") if self.latest > 120 else (1.0, "s")
        middle, low, high = (f"{seconds / unit:.3g}" for seconds in (self.expected, self.earliest, self.latest))
        return (
            f"{level.of} reaches {level.limit:g}{level.unit} in {middle} {name} "
            f"({low}-{high} {name}, {100 * self.confidence:.0f} %)"
        )


def breach(
    times: Sequence[float] | Array, values: Sequence[float] | Array, limit: float, confidence: float = CONFIDENCE
) -> Breach | None:
    """When ``values`` reach ``limit`` from below; None if there is no trend, or not within sight."""
    if len(values) < LEAST or not all(map(is_number, values)) or values[-1] >= limit:
        return None
    series, step = _regular(np.asarray(times, float), np.asarray(values, float))
    if len(series) < LEAST or step <= 0:
        return None
    series = _without_spikes(series)
    drift, crossings = _simulated(series, limit, AHEAD * len(series))
    if (drift > 0).mean() < SURE:
        return None
    low, middle, high = np.quantile(crossings, [(1 - confidence) / 2, 0.5, (1 + confidence) / 2], method="nearest")
    if not np.isfinite(high):
        return None
    return Breach(float(middle) * step, float(low) * step, float(high) * step, confidence)


def _regular(times: Array, values: Array) -> tuple[Array, float]:
    """The series at equal distances, each value the nearest in time, and the distance."""
    step = float(np.median(np.diff(times)))
    if step <= 0:
        return values[:0], 0.0
    count = min(int((times[-1] - times[0]) / step) + 1, 4 * len(times))
    grid = times[-1] - step * np.arange(count - 1, -1, -1)
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    nearer = np.where(grid - times[after - 1] <= times[after] - grid, after - 1, after)
    return values[nearer], step


def _without_spikes(series: Array) -> Array:
    """Values far from all their neighbours become the median of these; where many are, the level has moved, and stays."""
    padded = np.pad(series, NEIGHBOURS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    medians = np.median(windows, axis=1)
    deviations = np.abs(series - medians)
    scale = 1.4826 * np.median(np.abs(windows - medians[:, None]), axis=1)
    usual = 1.4826 * np.median(deviations)
    inside = np.arange(len(series))
    spikes = (deviations > SPIKE * np.maximum(scale, usual)) & (deviations > 0)
    spikes &= (inside >= NEIGHBOURS) & (inside < len(series) - NEIGHBOURS)
    return np.where(spikes, medians, series)


@dataclass(frozen=True, slots=True)
class _Fit:
    """The series under one gain. ``mean``: of (next forecast, drift); ``root``: of their covariance over the noise's."""

    gain: float
    weight: float
    squares: float
    mean: Array
    root: Array


def _fit(series: Array, gain: float) -> _Fit:
    """Forecasts are linear in the first forecast and the drift, so both follow by least squares."""
    count = len(series)
    first, drift, past = np.zeros(count + 1), np.zeros(count + 1), np.zeros(count + 1)
    first[0] = 1.0
    for at in range(count):
        first[at + 1] = (1 - gain) * first[at]
        drift[at + 1] = (1 - gain) * drift[at] + 1
        past[at + 1] = (1 - gain) * past[at] + gain * series[at]
    design = np.column_stack([first[:-1], drift[:-1]])
    target = series - past[:-1]
    information = design.T @ design
    solution = np.linalg.solve(information, design.T @ target)
    residue = target - design @ solution
    squares = float(residue @ residue)
    ahead = np.array([[first[-1], drift[-1]], [0.0, 1.0]])  # from (first forecast, drift) to (next forecast, drift)
    mean = ahead @ solution + np.array([past[-1], 0.0])
    root = ahead @ np.linalg.cholesky(np.linalg.inv(information))
    noise = max(squares, 1e-12 * (1 + float(np.var(series))) * count)
    weight = -0.5 * (count - 2) * np.log(noise) - 0.5 * np.linalg.slogdet(information)[1]
    return _Fit(gain, float(weight), noise, mean, root)


def _simulated(series: Array, limit: float, horizon: int) -> tuple[Array, Array]:
    """Of each draw of the unknowns the drift, and the step at which a path first reaches ``limit``: inf if it does not."""
    fits = [_fit(series, gain) for gain in GAINS]
    weights = np.exp(np.array([fit.weight for fit in fits]) - max(fit.weight for fit in fits))
    random = np.random.default_rng(0)
    chosen = random.choice(len(fits), DRAWS, p=weights / weights.sum())
    noise = np.sqrt(np.array([fit.squares for fit in fits])[chosen] / random.chisquare(len(series) - 2, DRAWS))
    normal = random.standard_normal((DRAWS, 2))
    start, drift = np.array(
        [fits[at].mean + deviation * (fits[at].root @ pair) for at, deviation, pair in zip(chosen, noise, normal, strict=True)]
    ).T
    gains = np.array(GAINS)[chosen]
    shocks = noise[:, None] * random.standard_normal((DRAWS, horizon))
    kept = np.cumsum(shocks, axis=1) - shocks
    paths = start[:, None] + drift[:, None] * np.arange(horizon) + gains[:, None] * kept + shocks
    reached = paths >= limit
    steps = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
    return drift, steps
