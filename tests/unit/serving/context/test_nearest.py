"""How memories near a question are ordered."""

from __future__ import annotations

from streams.core.presence import Presence
from streams.ports.stores import StoredMemory
from streams.retrieval.ranked import Ranked
from streams.serving.context.nearest import BAND, scored
from tests.steps import block
from tests.unit.serving.world import ALICE, upsert


def candidate(score: float, importance: float, timestamp: int, index: int = 0) -> Ranked:
    fact = upsert(ALICE, block(1, 0, bytes(32)), index, "x", importance=importance, timestamp=timestamp)
    assert fact["memory"] is not None
    row = StoredMemory(fact["memory"], Presence())
    return Ranked(fact["memory"], row, "x", 0.0, score)


def test_band_orders_equals_but_never_beats_a_clearly_nearer_one() -> None:
    old, new, near = candidate(0.5, 0.5, 0, 0), candidate(0.5, 0.5, 10_000_000, 1), candidate(0.5 + 1.01 * BAND, 0.0, 0, 2)
    best = scored([old, new, near])
    assert [c.similarity for c in best] == [near.similarity, 0.5, 0.5]
    assert best[1].memory["id"] == new.memory["id"]
    important = candidate(0.5, 1.0, 0, 3)
    assert scored([old, important])[0].memory["id"] == important.memory["id"]
