"""Records set aside and tried again, over simulated topics: none lost, doubled or overtaken per key, also over restarts."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.deferral import PAUSES, Name, Waiting, next_tier

Copy = tuple[Name, int, int]
"""Name, offset, attempts."""


@dataclass
class Partition:
    """A source topic, a queue per tier, and what became of each record. ``fails``: failures left, by offset."""

    fails: dict[int, int]
    tiers: list[deque[Copy]] = field(default_factory=lambda: [deque() for _ in PAUSES])
    settled: list[tuple[Name, int, str]] = field(default_factory=list)
    waiting: Waiting = field(default_factory=Waiting)

    def take(self, name: Name, offset: int, attempts: int = 0) -> None:
        tier = self.waiting.place(name, offset)
        if tier is not None:
            self._aside(name, offset, attempts, tier)
        elif self.fails.get(offset, 0) == 0:
            self._settle(name, offset, "delivered")
        else:
            self.fails[offset] -= 1
            tier = next_tier(attempts + 1)
            if tier is None:
                self._settle(name, offset, "dead")
            else:
                self._aside(name, offset, attempts + 1, tier)

    def _aside(self, name: Name, offset: int, attempts: int, tier: int) -> None:
        self.tiers[tier].append((name, offset, attempts))
        self.waiting.put(name, offset, tier)

    def _settle(self, name: Name, offset: int, how: str) -> None:
        self.settled.append((name, offset, how))
        self.waiting.settle(name, offset)

    def restart(self) -> None:
        """All that is known is lost but the topics."""
        found = [(name, offset, tier) for tier, copies in enumerate(self.tiers) for name, offset, _ in copies]
        self.waiting = Waiting(found)


@given(
    keys=st.lists(st.integers(0, 2), max_size=25),
    fails=st.lists(st.integers(0, 5), min_size=25, max_size=25),
    course=st.lists(st.sampled_from(["source", "restart", *range(len(PAUSES))]), max_size=120),
)
def test_each_is_settled_once_and_in_the_order_of_its_key(keys: list[int], fails: list[int], course: list[str | int]) -> None:
    at = Partition(dict(enumerate(fails)))
    source: deque[tuple[Name, int]] = deque((("in", bytes([key])), offset) for offset, key in enumerate(keys))

    def step(which: str | int) -> None:
        if which == "restart":
            at.restart()
        elif which == "source" and source:
            at.take(*source.popleft())
        elif isinstance(which, int) and at.tiers[which]:
            at.take(*at.tiers[which].popleft())

    for which in course:
        step(which)
        _check(at, keys, whole=False)
    rounds = 0
    while source or any(at.tiers):
        for which in ("source", *range(len(PAUSES))):
            step(which)
        rounds += 1
        assert rounds < 10_000, "it never comes to rest"
    _check(at, keys, whole=True)
    assert at.waiting.count == 0
    for _, offset, how in at.settled:
        assert (how == "dead") == (fails[offset] > len(PAUSES))


def _check(at: Partition, keys: list[int], *, whole: bool) -> None:
    assert max(Counter(offset for _, offset, _ in at.settled).values(), default=0) <= 1
    for key in set(keys):
        mine = [offset for name, offset, _ in at.settled if name[1] == bytes([key])]
        wanted = [offset for offset, own in enumerate(keys) if own == key]
        assert mine == (wanted if whole else wanted[: len(mine)])
    assert at.waiting.count == sum(map(len, at.tiers))


def test_other_keys_do_not_wait() -> None:
    at = Partition({0: 1})
    for offset, key in enumerate(b"aab"):
        at.take(("in", bytes([key])), offset)
    assert [offset for _, offset, _ in at.settled] == [2]
    assert list(at.tiers[0]) == [(("in", b"a"), 0, 1), (("in", b"a"), 1, 0)]


@pytest.mark.parametrize(("attempts", "tier"), [(1, 0), (2, 1), (3, 2), (4, None)])
def test_tiers(attempts: int, tier: int | None) -> None:
    assert next_tier(attempts) == tier
