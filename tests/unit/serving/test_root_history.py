"""Older roots, in bounds."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from streams.serving.root_history import RootHistory, Seen


def test_oldest_first_and_gone_roots_are_told() -> None:
    history: RootHistory[int] = RootHistory()
    history.add(b"a", 1, live=False)
    history.add(b"a", None, live=True)
    assert history.of(b"a") == [Seen(1, False), Seen(None, True)]
    assert history.of(b"b") == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers()), max_size=60), st.integers(1, 6), st.integers(1, 12))
def test_what_is_kept_is_bounded_and_the_newest(added: list[tuple[int, int]], each: int, in_all: int) -> None:
    history: RootHistory[int] = RootHistory(each, in_all)
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
