"""How objectives stand now: samples that rules look at, and windows for whoever shows them. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.ops.alerts.series import Sample
from streams.ops.reports import Window
from streams.ops.slo.budget import Burn, Ledger
from streams.ops.slo.minutes import KIND
from streams.ops.slo.objectives import Objective
from streams.ops.slo.promql import BURN, BURN_RATE
from streams.ops.slo.report import Month


def samples(ledger: Ledger, objectives: Sequence[Objective], now_ms: int) -> Iterator[Sample]:
    """Burn rates by window, and how many times what an alert takes, by speed."""
    for objective in objectives:
        burn = Burn.at(ledger, objective, now_ms)
        about = ("objective", objective.name)
        for window, rate in burn.rates.items():
            if rate is not None:
                yield Sample(BURN_RATE, (about, ("window", window)), now_ms / 1000, rate)
        for speed, times in burn.speeds.items():
            yield Sample(BURN, (about, ("speed", speed)), now_ms / 1000, times)


def windows(ledger: Ledger, objectives: Sequence[Objective], now_ms: int) -> Iterator[Window]:
    """Of each objective the month so far; ``budget_left`` and burn rates only where something is known."""
    month = Month.at(now_ms)
    for objective in objectives:
        count = ledger.count(objective.name, month.start_ms, month.end_ms)
        left = count.budget_left(objective.allowed)
        values = {"target": objective.target, "total": count.total, "bad": count.bad}
        values |= {} if left is None else {"budget_left": left}
        rates = Burn.at(ledger, objective, now_ms).rates
        values |= {f"burn_{window}": rate for window, rate in rates.items() if rate is not None}
        seconds = (month.end_ms - month.start_ms) // 1000
        yield Window(KIND, objective.name, {}, seconds, month.start_ms, now_ms, now_ms >= month.end_ms, count.minutes, values)
