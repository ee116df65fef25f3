"""What the events of one edge, in canonical order, add up to; and how a weight fades while nothing happens.

Weights are integers in units of 1e-12 (``SCALE`` is 1), logarithms are rounded correctly by ``decimal``, so equal events give
equal numbers on every machine. Invariant: ``after`` depends on the tally before and on one event alone, so that whoever keeps
the tally before an event can take the event back exactly.

A transfer's first weight is log10(1 + amount) / 10; each later one makes it 0.9 w + 0.1 log10(1 + amount), at most 1. Amounts
count in millionths of a coin. An event without an amount counts as one whose logarithm is 1; a failed one as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from functools import lru_cache

SCALE = 10**12
"""One, in units of weights, strengths, ranks and reputations."""
FAINT = SCALE // 100
"""Edges of a lower weight are not shown."""
HOUR = 3_600
_CONTEXT = Context(prec=40)
_LONGEST = 24 * 600
"""Hours after which no weight is left: 0.95^600 is below the unit."""
_DAILY = Decimal("0.95")


def _scaled(value: Decimal) -> int:
    return int(_CONTEXT.scaleb(value, Decimal(12)).to_integral_value(ROUND_DOWN))


def _hourly(hours: int) -> int:
    exponent = _CONTEXT.divide(_CONTEXT.multiply(_CONTEXT.ln(_DAILY), Decimal(hours)), Decimal(24))
    return _scaled(_CONTEXT.exp(exponent))


_HOURS = tuple(_hourly(hours) for hours in range(24))


@lru_cache(maxsize=65_536)
def log_term(micros: int) -> int:
    """log10(1 + micros)."""
    return _scaled(_CONTEXT.log10(Decimal(1 + micros)))


@dataclass(frozen=True, slots=True)
class Tally:
    """``volume``: millionths of a coin, over all coins; ``strength``: mean with each outcome in turn, from one half;
    ``first`` and ``last``: unix seconds.
    """

    events: int
    volume: int
    weight: int
    strength: int
    first: int
    last: int


def after(before: Tally | None, micros: int | None, time: int, *, succeeded: bool) -> Tally:
    """The tally with one event more. ``micros``: amount moved; None if the event moves nothing that can be counted."""
    term = (SCALE if micros is None else log_term(micros)) if succeeded else 0
    moved = (micros or 0) if succeeded else 0
    outcome = SCALE if succeeded else 0
    if before is None:
        return Tally(1, moved, min(SCALE, term // 10), (SCALE // 2 + outcome) // 2, time, time)
    return Tally(
        before.events + 1,
        before.volume + moved,
        min(SCALE, (9 * before.weight + term) // 10),
        (before.strength + outcome) // 2,
        before.first,
        time,
    )


def faded(weight: int, seconds: int) -> int:
    """``weight`` x 0.95^days after ``seconds``, in steps of an hour. Never changes what is kept."""
    hours = max(0, seconds) // HOUR
    if hours > _LONGEST:
        return 0
    days, rest = divmod(hours, 24)
    left: int = weight * 95**days // 100**days
    return left * _HOURS[rest] // SCALE
