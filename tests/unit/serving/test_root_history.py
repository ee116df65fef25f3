"""Older roots, in bounds."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import ValidationError

from streams.serving.root_history import Bounds, RootHistory, Seen
from streams.settings import GatewaySettings


def test_oldest_first_and_gone_roots_are_told() -> None:
    history: RootHistory[int] = RootHistory()
    history.add(b"a", 1, live=False)
    history.add(b"a", None, live=True)
    assert history.of(b"a") == [Seen(1, False), Seen(None, True)]
    assert history.of(b"b") == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers()), max_size=60), st.integers(1, 6), st.integers(1, 12))
def test_what_is_kept_is_bounded_and_the_newest(added: list[tuple[int, int]], each: int, in_all: int) -> None:
    history: RootHistory[int] = RootHistory(Bounds(each, in_all))
    for agent, root in added:
        history.add(bytes([agent]), root, live=True)
    kept = {agent: [seen.root for seen in history.of(bytes([agent]))] for agent in range(6)}
    assert sum(map(len, kept.values())) == len(history) == min(len(history), in_all)
    for agent, roots in kept.items():
        mine = [root for one, root in added if one == agent]
        assert len(roots) <= each
        assert roots == mine[len(mine) - len(roots) :]
    if added:
        assert kept[added[-1][0]][-1] == added[-1][1], "the newest is never the one that leaves"


@given(st.lists(st.integers(0, 400_000), max_size=30))
def test_what_was_in_force_within_the_retention_is_kept(steps: list[int]) -> None:
    heights = sorted(steps)
    history: RootHistory[int] = RootHistory()
    for height in heights:
        history.add(b"a", height, live=True, height=height)
    kept = [seen.root for seen in history.of(b"a")]
    assert kept == heights[len(heights) - len(kept) :]
    assert len(history) == len(kept)
    if heights:
        line = heights[-1] - Bounds().retention
        assert sum(height <= line for height in kept if height is not None) <= 1
        assert [height for height in heights if height > line] == [
            height for height in kept if height is not None and height > line
        ]


def test_the_limits_are_those_that_are_documented() -> None:
    set_to = GatewaySettings()
    assert Bounds() == Bounds(1_000, 10_000, 100_000)
    assert Bounds() == Bounds(set_to.root_history, set_to.root_transitions, set_to.root_retention_blocks)
    with pytest.raises(ValidationError, match="100000"):
        GatewaySettings(root_transitions=100_001)
    history: RootHistory[int] = RootHistory()
    for number in range(10_005):
        history.add(number.to_bytes(4, "big"), number, live=False)
    assert len(history) == 10_000
    for number in range(1_005):
        history.add(b"a", number, live=True)
    assert len(history.of(b"a")) == 1_000
