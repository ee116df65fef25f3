"""Which strategy an ailment asks for. Pure.

The first choice is by what it is; each further attempt goes up the ladder degrade, graceful restart, forced restart, isolate.
What is gone is started again, and ``incidents`` says how often. Invariants: what the log contradicts (LogIntegrityError), a
lost position, settings that are wrong and a process that another took over from are never answered by starting the same thing
again; nothing is isolated that has no name of its own; the ladder ends with a person.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.errors import (
    Category,
    ConfigurationError,
    FencedError,
    InstanceFencedError,
    LogIntegrityError,
    OutdatedError,
    PositionLostError,
    Severity,
)
from streams.last_words import LastWords
from streams.ops.recovery.ailments import Ailment, Kind, Symptom
from streams.switches import VECTORS

ISOLATE_SECONDS = 300.0
DEGRADE_SECONDS = 300.0
MISMATCH = "StateMismatchError"
"""Of the runtime, which this does not know."""
HOPELESS: Sequence[type[Exception]] = (
    LogIntegrityError,
    PositionLostError,
    OutdatedError,
    InstanceFencedError,
    FencedError,
    ConfigurationError,
)


class Strategy(StrEnum):
    """As the metric names them. ASK: nothing is done by itself."""

    RESTART = "restart"
    FORCED = "forced_restart"
    FAILOVER = "failover"
    ROLLBACK = "rollback"
    DEGRADE = "degrade"
    ISOLATE = "isolate"
    ASK = "ask"


LADDER = (Strategy.DEGRADE, Strategy.RESTART, Strategy.FORCED, Strategy.ISOLATE)


@dataclass(frozen=True, slots=True)
class Action:
    """``target``: a program, AGENT/PARTITION, or the part to do without. ``seconds``: how long it holds; None for good."""

    strategy: Strategy
    program: str
    target: str
    why: str
    seconds: float | None = None


def decide(ailment: Ailment, tried: Sequence[Strategy] = (), apart: Collection[str] = ()) -> Action:
    """What to do next. ``tried``: in this incident, oldest first. ``apart``: places isolated until a person has looked."""
    words = ailment.words
    why = words.error if words is not None else f"{ailment.symptom}, {ailment.category}"
    if words is not None and (hopeless := _hopeless(ailment, words, apart, why)):
        return hopeless
    if words is not None and words.error == MISMATCH and words.place and Strategy.ROLLBACK not in tried:
        return Action(Strategy.ROLLBACK, ailment.program, words.place, why)
    if ailment.symptom is Symptom.DEAD:
        return _started_again(ailment, tried, why)
    for strategy in _ladder(_first(ailment), tried):
        if (action := _possible(strategy, ailment, why)) is not None:
            return action
    return Action(Strategy.ASK, ailment.program, ailment.program, why)


def _started_again(ailment: Ailment, tried: Sequence[Strategy], why: str) -> Action:
    """For one that is gone: there is nobody to be asked to end. A defect that comes again is left alone for a while."""
    isolated = _possible(Strategy.ISOLATE, ailment, why)
    passes = ailment.words is not None and ailment.words.passes
    again = tried.count(Strategy.FORCED) >= 2 and Strategy.ISOLATE not in tried
    return isolated if isolated is not None and again and not passes else Action(Strategy.FORCED, *(ailment.program,) * 2, why)


def _hopeless(ailment: Ailment, words: LastWords, apart: Collection[str], why: str) -> Action | None:
    """For what starting again would hide or not mend: a partition that can be named is left alone, and a person is asked."""
    if words.passes or not any(words.is_a(kind) for kind in HOPELESS):
        return None
    of_place = words.place and (words.is_a(LogIntegrityError) or words.is_a(PositionLostError))
    if of_place and ailment.kind is Kind.WORKER and words.place not in apart:
        return Action(Strategy.ISOLATE, ailment.program, words.place, why)  # until a person has looked
    return Action(Strategy.ASK, ailment.program, words.place or ailment.program, why)


def _first(ailment: Ailment) -> Strategy:
    if ailment.severity is Severity.CRITICAL:
        return Strategy.FORCED
    if ailment.symptom is Symptom.HUNG:
        return Strategy.FAILOVER if ailment.peers and ailment.kind is Kind.WORKER else Strategy.FORCED
    if ailment.severity is Severity.HIGH and ailment.category is Category.NETWORK:
        return Strategy.FAILOVER
    return Strategy.DEGRADE


def _ladder(first: Strategy, tried: Sequence[Strategy]) -> list[Strategy]:
    """What is left to be tried, in order. A failover comes before the ladder and is tried once."""
    if not tried:
        return [first, *LADDER] if first not in LADDER else list(LADDER[LADDER.index(first) :])
    reached = [LADDER.index(strategy) for strategy in tried if strategy in LADDER]
    return list(LADDER[max(reached, default=-1) + 1 :]) if Strategy.ISOLATE not in tried else []


def _possible(strategy: Strategy, ailment: Ailment, why: str) -> Action | None:
    """The action, where it can be done to this ailment."""
    program, words = ailment.program, ailment.words
    if strategy is Strategy.DEGRADE:
        fits = ailment.kind is Kind.GATEWAY and "milvus" in ailment.places
        return Action(strategy, program, VECTORS, why, DEGRADE_SECONDS) if fits else None
    if strategy is Strategy.FAILOVER:
        return Action(strategy, program, program, why) if ailment.peers and ailment.kind is Kind.WORKER else None
    if strategy is Strategy.ISOLATE:
        place = words.place if words is not None else ""
        return Action(strategy, program, place, why, ISOLATE_SECONDS) if place and ailment.kind is Kind.WORKER else None
    return Action(strategy, program, program, why)
