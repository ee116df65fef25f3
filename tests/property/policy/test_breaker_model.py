"""The breaker against a model that is a few plain numbers: calls in flight, times, hands, in any order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.errors import ConfigurationError, StoreError
from streams.policy.breaker import Breaker, Permit, State
from streams.policy.errors import CircuitOpenError, CrowdedError
from streams.policy.terms import Terms

TERMS = Terms(failures=3, open_seconds=10.0, successes=2, concurrent=4)


class BreakerMachine(RuleBasedStateMachine):
    """The model: ``state``, when it opens up (``until``), failures in a row, trials out and passed; ``calls`` by era."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker("model", TERMS, lambda: self.now)
        self.state, self.until, self.failed, self.out, self.passed, self.era = State.CLOSED, 0.0, 0, 0, 0, 0
        self.calls: list[tuple[Permit, int, bool]] = []

    def enter(self, state: State, until: float = 0.0) -> None:
        self.state, self.until, self.failed, self.out, self.passed = state, until, 0, 0, 0
        self.era += 1

    @property
    def expected(self) -> State:
        return State.HALF_OPEN if self.state is State.OPEN and self.now >= self.until else self.state

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        half = self.expected is State.HALF_OPEN
        if self.expected is State.OPEN or (half and self.out + self.passed >= TERMS.successes):
            with pytest.raises(CircuitOpenError) as caught:
                self.breaker.admit()
            assert caught.value.retry_after > 0
        elif len(self.calls) >= 4:
            with pytest.raises(CrowdedError):
                self.breaker.admit()
        else:
            self.calls.append((self.breaker.admit(), self.era, half))
            self.out += half

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), outcome=st.sampled_from(["good", "bad", "refused", "given up"]))
    def end(self, data: st.DataObject, outcome: str) -> None:
        permit, era, trial = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        errors = {"bad": StoreError("away"), "refused": ConfigurationError("no"), "given up": KeyboardInterrupt()}
        self.breaker.settle(permit, errors.get(outcome))
        if era != self.era:
            return
        self.out -= trial
        if outcome == "good" and trial:
            self.passed += 1
            if self.passed == TERMS.successes:
                self.enter(State.CLOSED)
        elif outcome == "good":
            self.failed = 0
        elif outcome == "bad":
            self.failed += 1
            if trial or self.failed >= TERMS.failures:
                self.enter(State.OPEN, self.now + TERMS.open_seconds)

    @rule(seconds=st.sampled_from([2.0, float("inf")]))
    def open_by_hand(self, seconds: float) -> None:
        self.breaker.force_open(seconds)
        self.enter(State.OPEN, self.now + seconds)

    @rule(forget=st.booleans())
    def close_by_hand(self, forget: bool) -> None:
        if forget:
            self.breaker.clear()
        else:
            self.breaker.force_close()
        self.enter(State.CLOSED)

    @invariant()
    def agrees(self) -> None:
        view = self.breaker.view()
        assert view.state is self.expected
        assert view.running == len(self.calls)
        assert len(view.seconds) <= 100
        assert (view.retry_after > 0) == (view.state is State.OPEN)


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreaker = BreakerMachine.TestCase
