"""How often predictions are right: series of many shapes are cut, the cut part predicted, and the rest looked at.

Shapes with a trend are those that disks, heaps and backlogs show: a line under noise, a walk, noise that lingers, a saw of
collected garbage, stairs of segments, a daily wave. Shapes without one are noise that a careless fit takes for a trend.
Everything follows from a seed, so equal runs give equal figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.ops.health.predict import AHEAD, breach

SEEN = 100
"""Looks before the cut: as many as a monitor keeps."""
LENGTH = SEEN * (1 + AHEAD)
STEP = 30.0
DRIFT = (0.05, 0.3)
"""Range of the drift of a look, in units of the noise or a little less."""
SOON, LATE = 10, 150
"""How far away limits are, in looks at that drift."""

Array = NDArray[Any]
Random = np.random.Generator
Shape = Callable[[Random, float], Array]
AT = np.arange(LENGTH, dtype=np.float64)
TIMES: Array = STEP * AT[:SEEN]


@dataclass(frozen=True, slots=True)
class Tried:
    """``said``: predictions made in ``tries``; the truth came before the interval, within it, or after it."""

    shape: str
    tries: int
    said: int
    early: int = 0
    right: int = 0
    late: int = 0
    width: float = 0.0
    """Median width of the intervals, over what was expected."""


def _lingering(random: Random, share: float, deviation: float) -> Array:
    shocks, found = random.normal(0, deviation, LENGTH), np.zeros(LENGTH)
    for at in range(1, LENGTH):
        found[at] = share * found[at - 1] + shocks[at]
    return found


def _line(random: Random, drift: float) -> Array:
    return drift * AT + random.normal(0, 1, LENGTH)


def _walk(random: Random, drift: float) -> Array:
    steps: Array = random.normal(drift, 0.5 * drift + 0.05, LENGTH)
    return np.asarray(np.cumsum(steps))


def _smoothed(random: Random, drift: float) -> Array:
    shocks: Array = random.normal(0, 0.6, LENGTH)
    return drift * AT + 0.3 * (np.cumsum(shocks) - shocks) + shocks


def _lingers(random: Random, drift: float) -> Array:
    return drift * AT + _lingering(random, 0.6, 0.8)


def _saw(random: Random, drift: float) -> Array:
    return drift * AT + 3 * ((AT + random.integers(8)) % 8) / 8 + random.normal(0, 0.3, LENGTH)


def _stairs(random: Random, drift: float) -> Array:
    steps: Array = 0.5 * random.poisson(2 * drift, LENGTH)
    return np.asarray(np.cumsum(steps) + random.normal(0, 0.05, LENGTH))


def _wave(random: Random, drift: float) -> Array:
    return np.asarray(drift * AT + 2 * np.sin(2 * np.pi * (AT / 12 + random.random())) + random.normal(0, 0.5, LENGTH))


def _slow_wave(random: Random, drift: float) -> Array:
    return np.asarray(drift * AT + 3 * np.sin(2 * np.pi * (AT / 60 + random.random())) + random.normal(0, 0.5, LENGTH))


def _spiked(random: Random, drift: float) -> Array:
    return drift * AT + random.normal(0, 0.5, LENGTH) - 15 * (random.random(LENGTH) < 0.02)


TRENDS: dict[str, Shape] = {
    "line under noise": _line,
    "walk with a drift": _walk,
    "smoothed level": _smoothed,
    "noise that lingers": _lingers,
    "saw": _saw,
    "stairs": _stairs,
    "wave": _wave,
    "slow wave": _slow_wave,
    "spikes": _spiked,
}
NOISE: dict[str, Shape] = {
    "white noise": lambda random, _: random.normal(0, 2, LENGTH),
    "walk": lambda random, _: np.cumsum(random.normal(0, 0.5, LENGTH)),
    "noise that lingers long": lambda random, _: _lingering(random, 0.9, 1.0),
    "wave without a trend": lambda random, _: _slow_wave(random, 0.0),
    "constant": lambda _, __: np.zeros(LENGTH),
}


def tried(name: str, tries: int, seed: int = 1) -> Tried:
    """Counts over ``tries`` series of one shape with a trend."""
    random = np.random.default_rng([seed, *name.encode()])
    outcomes, widths = [], []
    for _ in range(tries):
        drift = random.uniform(*DRIFT)
        series = 40 + TRENDS[name](random, drift)
        seen, rest = series[:SEEN], series[SEEN:]
        limit = float(max(seen[-5:].mean() + drift * random.uniform(SOON, LATE), np.nextafter(seen.max(), np.inf)))
        found = breach(TIMES, seen, limit)
        if found is None:
            continue
        truth = STEP * (1 + float(np.argmax(rest >= limit))) if (rest >= limit).any() else np.inf
        outcomes.append(-1 if truth < found.earliest else 1 if truth > found.latest else 0)
        widths.append((found.latest - found.earliest) / found.expected)
    width = float(np.median(widths)) if widths else 0.0
    return Tried(name, tries, len(outcomes), outcomes.count(-1), outcomes.count(0), outcomes.count(1), width)


def falsely_said(name: str, tries: int, seed: int = 1) -> Tried:
    """Counts what is said of ``tries`` series of one shape without a trend."""
    random = np.random.default_rng([seed, *name.encode()])
    said = 0
    for _ in range(tries):
        seen = NOISE[name](random, 0.0)[:SEEN]
        said += breach(TIMES, seen, float(seen.max()) + random.uniform(0.5, 5)) is not None
    return Tried(name, tries, said)
