"""What the transactions of one agent, in canonical order, say of it: reputation, counts, what it is good at.

Reputation starts at 0.5 and moves with each outcome: r becomes 0.9 r + 0.1 (success) or 0.9 r (failure), in units of 1e-12.
Invariant: ``after`` depends on the standing before and on one transaction alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from streams.core.graph.tally import SCALE

COIN = 1_000_000
"""Millionths."""
COMPLEX_GAS = 1_000_000
Specialisation = Literal["whale", "complex_ops", "standard"]


@dataclass(frozen=True, slots=True)
class Standing:
    """``whale``: transactions that moved more than one coin; ``complex_ops``: that used more than a million gas."""

    transactions: int = 0
    failures: int = 0
    whale: int = 0
    complex_ops: int = 0
    gas: int = 0
    volume: int = 0
    reputation: int = SCALE // 2
    first: int = 0
    last: int = 0

    @property
    def standard(self) -> int:
        """Transactions that are neither."""
        return self.transactions - self.whale - self.complex_ops


def reputed(reputation: int, *, succeeded: bool) -> int:
    """Reputation after one more outcome."""
    return (9 * reputation + (SCALE if succeeded else 0)) // 10


def specialisation_of(micros: int, gas: int) -> Specialisation:
    """What kind of transaction this is; a large amount says more than much gas."""
    return "whale" if micros > COIN else "complex_ops" if gas > COMPLEX_GAS else "standard"


def after(before: Standing, micros: int, gas: int, time: int, *, succeeded: bool) -> Standing:
    """The standing with one transaction more. ``micros``: millionths of the native coin that it sent."""
    kind = specialisation_of(micros, gas)
    return replace(
        before,
        transactions=before.transactions + 1,
        failures=before.failures + (not succeeded),
        whale=before.whale + (kind == "whale"),
        complex_ops=before.complex_ops + (kind == "complex_ops"),
        gas=before.gas + gas,
        volume=before.volume + (micros if succeeded else 0),
        reputation=reputed(before.reputation, succeeded=succeeded),
        first=before.first if before.transactions else time,
        last=time,
    )


def specialisation(standing: Standing) -> Specialisation:
    """What most of the agent's transactions are; of equals the rarer kind."""
    counts: list[tuple[int, int, Specialisation]] = [
        (standing.whale, 2, "whale"),
        (standing.complex_ops, 1, "complex_ops"),
        (standing.standard, 0, "standard"),
    ]
    return max(counts)[2] if standing.transactions else "standard"
