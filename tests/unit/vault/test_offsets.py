"""Where slots lie: of agents with one key and with many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.vault.offsets import Offsets

ADDED = st.lists(st.tuples(st.integers(0, 5).map(lambda n: bytes([n]) * 20), st.integers(0, (1 << 40) - 1)), max_size=40)


@given(ADDED)
def test_all_that_was_added_in_order(added: list[tuple[bytes, int]]) -> None:
    offsets = Offsets()
    for agent, offset in added:
        offsets.add(agent, offset)
    for agent in {bytes([n]) * 20 for n in range(7)}:
        assert offsets.of(agent) == [offset for one, offset in added if one == agent]
        assert (agent in offsets) is bool(offsets.of(agent))
    assert len(offsets) == len(added)
